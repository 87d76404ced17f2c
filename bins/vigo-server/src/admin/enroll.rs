//! `enroll explain`: what would be decided, and why, without doing it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use vigo_core::{ClientAddr, Hostname, TokenText};
use vigo_enroll::{Outcome, Verdict};

use crate::app::App;
use crate::clock;
use crate::http::error::ApiError;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new().route("/api/v1/enroll/explain", post(explain)).with_state(Arc::clone(app))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    hostname: String,
    ip: String,
    #[serde(default)]
    token: Option<String>,
}

async fn explain(State(app): State<Arc<App>>, Json(body): Json<Question>) -> Result<Json<Value>, ApiError> {
    let hostname: Hostname = body.hostname.parse().map_err(|error: vigo_core::HostnameError| {
        ApiError::bad_request(format!("the hostname is refused: {error}"), "for example `web3.example.com`")
    })?;
    let ip: IpAddr = body.ip.parse().map_err(|_| {
        ApiError::bad_request(format!("`{}` is no IP address", body.ip), "for example `10.1.0.2` or `fd00:a::2`")
    })?;
    let token = body.token.map(TokenText::new);
    let decision = app.registrar.explain(&hostname, ClientAddr::new(ip), token.as_ref(), clock::now()).await;
    let decision = decision.map_err(|refusal| ApiError::from(&refusal))?;
    let trace: Vec<Value> = decision
        .trace
        .iter()
        .map(|step| {
            let reason = match &step.outcome {
                Outcome::Won => String::new(),
                Outcome::Lost(lost) => lost.to_string(),
                Outcome::Skipped(skipped) => skipped.to_string(),
            };
            json!({"rule": step.rule.to_string(), "outcome": step.outcome.word(), "reason": reason})
        })
        .collect();
    Ok(Json(match &decision.verdict {
        Verdict::Admit(grant) => json!({
            "verdict": "admit",
            "rule": grant.way_in().to_string(),
            "code": null,
            "message": format!("{hostname} may enrol from {ip}"),
            "help": null,
            "trace": trace,
        }),
        Verdict::Refuse(refusal) => json!({
            "verdict": "refuse",
            "rule": null,
            "code": refusal.audit_code(),
            "message": refusal.message(),
            "help": refusal.help(),
            "trace": trace,
        }),
    }))
}
