//! `enroll explain`: what would be decided, and why, without doing it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_core::{ClientAddr, Hostname, TokenText};
use vigo_enroll::{Outcome, Verdict};

use crate::access::{Principal, Role};
use crate::app::App;
use crate::clock;
use crate::http::error::ApiError;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(explain))
}

/// Who would enrol.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    #[schema(example = "web3.example.com")]
    hostname: String,
    #[schema(example = "10.1.0.2")]
    ip: String,
    /// With that token; asking with one needs the role operator.
    #[serde(default)]
    token: Option<String>,
}

/// What would be decided.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explained {
    /// `admit` or `refuse`.
    pub(crate) verdict: &'static str,
    /// The rule that admits.
    pub(crate) rule: Option<String>,
    pub(crate) code: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) trace: Vec<Looked>,
}

/// One rule that was looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TraceStep)]
pub(crate) struct Looked {
    pub(crate) rule: String,
    /// `won`, `lost` or `skipped`.
    pub(crate) outcome: &'static str,
    pub(crate) reason: String,
}

/// Says what would be decided, without doing it.
pub(crate) async fn ask(app: &App, hostname: &str, ip: &str, token: Option<String>) -> Result<Explained, ApiError> {
    let hostname: Hostname = hostname.parse().map_err(|error: vigo_core::HostnameError| {
        ApiError::bad_request(format!("the hostname is refused: {error}"), "for example `web3.example.com`")
    })?;
    let ip: IpAddr = ip.parse().map_err(|_| {
        ApiError::bad_request(
            format!("`{}` is no IP address", ip.escape_debug()),
            "for example `10.1.0.2` or `fd00:a::2`",
        )
    })?;
    let token = token.map(TokenText::new);
    let decision = app.registrar.explain(&hostname, ClientAddr::new(ip), token.as_ref(), clock::now()).await;
    let decision = decision.map_err(|refusal| ApiError::from(&refusal))?;
    let trace = decision.trace.iter().map(|step| Looked {
        rule: step.rule.to_string(),
        outcome: step.outcome.word(),
        reason: match &step.outcome {
            Outcome::Won => String::new(),
            Outcome::Lost(lost) => lost.to_string(),
            Outcome::Skipped(skipped) => skipped.to_string(),
        },
    });
    let trace = trace.collect();
    Ok(match &decision.verdict {
        Verdict::Admit(grant) => Explained {
            verdict: "admit",
            rule: Some(grant.way_in().to_string()),
            code: None,
            message: format!("{hostname} may enrol from {ip}"),
            help: None,
            trace,
        },
        Verdict::Refuse(refusal) => Explained {
            verdict: "refuse",
            rule: None,
            code: Some(refusal.audit_code()),
            message: refusal.message().to_owned(),
            help: Some(refusal.help().to_owned()),
            trace,
        },
    })
}

/// Say who would be let in, and why
#[utoipa::path(post, path = "/api/v1/enroll/explain", tag = "rules", request_body = Question,
    responses((status = 200, body = Explained)))]
async fn explain(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Json(body): Json<Question>,
) -> Result<Json<Explained>, ApiError> {
    if body.token.is_some() {
        // Whether a text is a token is for those who may make one.
        by.demand(Role::Operator)?;
    }
    ask(&app, &body.hostname, &body.ip, body.token).await.map(Json)
}
