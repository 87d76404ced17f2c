//! Has envoys update or enrol anew at their next check-in.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_core::record::EnvoyRecord;
use vigo_core::{Directive, DirectiveAction, DirectiveId, EnvoyId, HostPattern};
use vigo_enroll::operate;

use crate::access::Principal;
use crate::admin::act;
use crate::app::App;
use crate::clock;
use crate::http::error::ApiError;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(rebootstrap))
}

/// What is to be done, and by whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// An envoy's id, a hostname, or a pattern over hostnames.
    pub(crate) envoys: String,
    /// `update` or `reenroll`.
    #[serde(default = "update")]
    #[schema(default = "update")]
    pub(crate) action: String,
    /// Nothing is changed; the answer names whom it would be.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// More than so many are refused, all of them.
    #[schema(minimum = 0)]
    pub(crate) at_most: Option<usize>,
}

fn update() -> String {
    DirectiveAction::Update.to_string()
}

/// One envoy that is meant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rebootstrapped)]
pub(crate) struct Row {
    id: String,
    hostname: String,
    action: String,
    /// `would`, `pending` or `failed`.
    outcome: &'static str,
    code: Option<&'static str>,
    pub(crate) message: Option<String>,
}

/// The envoys in service that a text names, in the order of their names.
fn named(app: &App, text: &str) -> Result<Vec<Arc<EnvoyRecord>>, ApiError> {
    let id = text.parse::<EnvoyId>().ok();
    let pattern = match id {
        Some(_) => None,
        None => Some(text.parse::<HostPattern>().map_err(|error| {
            let help = "name an envoy's id, its hostname, or a pattern as in `*.example.com`";
            ApiError::new(StatusCode::BAD_REQUEST, "invalid", format!("`{}`: {error}", text.escape_debug()), help)
        })?),
    };
    let is_meant = |record: &EnvoyRecord| match &pattern {
        Some(pattern) => pattern.matches(&record.hostname),
        None => Some(record.id) == id,
    };
    let records = app.fleet.all().into_iter().map(|envoy| Arc::clone(&envoy.live().record));
    let mut found: Vec<_> = records.filter(|record| record.revocation.is_none() && is_meant(record)).collect();
    found.sort_by(|a, b| (&a.hostname, a.id).cmp(&(&b.hostname, b.id)));
    Ok(found)
}

/// Have envoys update, or enrol anew, at their next check-in
#[utoipa::path(post, path = "/api/v1/rebootstraps", tag = "envoys", request_body = Order,
    responses((status = 200, body = Vec<Row>)))]
async fn rebootstrap(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Json(order): Json<Order>,
) -> Result<Json<Vec<Row>>, ApiError> {
    carry_out(&app, &order, &by).await.map(Json)
}

/// Tells every envoy that is meant.
pub(crate) async fn carry_out(app: &App, order: &Order, by: &Principal) -> Result<Vec<Row>, ApiError> {
    let action: DirectiveAction = order.action.parse().map_err(|error: vigo_core::ActionError| {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid", error.to_string(), "name one of the two")
    })?;
    let found = named(app, &order.envoys)?;
    if found.is_empty() {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "no envoy in service has that id, or a hostname that fits",
            "`vigocli envoys list` names all",
        ));
    }
    if let Some(most) = order.at_most.filter(|&most| found.len() > most) {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "too_many",
            format!("{} envoys are meant, and at most {most} are allowed: nothing was changed", found.len()),
            "`--dry-run` names them; narrow the pattern or raise `--max`",
        ));
    }
    let mut rows = Vec::with_capacity(found.len());
    for envoy in found {
        let mut row = Row {
            id: envoy.id.to_string(),
            hostname: envoy.hostname.to_string(),
            action: action.to_string(),
            outcome: "would",
            code: None,
            message: None,
        };
        if !order.dry_run {
            let directive = Directive { id: DirectiveId::from_random(clock::random()), action };
            match operate::direct_envoy(app.store.as_ref(), &envoy.id, directive, &act(by)).await {
                Ok(record) => {
                    app.apply(record);
                    row.outcome = "pending";
                }
                Err(error) => {
                    row.outcome = "failed";
                    (row.code, row.message) = (Some(error.code()), Some(error.to_string()));
                }
            }
        }
        rows.push(row);
    }
    Ok(rows)
}
