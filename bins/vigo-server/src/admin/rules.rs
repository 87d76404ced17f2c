//! The rules in force.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::admin::approved;
use crate::app::App;
use crate::config::ReenrollMode;
use crate::http::error::ApiError;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Who may join without a token.
#[derive(Debug, Serialize, ToSchema)]
struct Rules {
    /// By what an active envoy may be replaced: `proof`, `token` or `any`.
    reenroll: &'static str,
    /// Of the configuration.
    trusted: Vec<Trusted>,
    /// Of operators.
    approved: Vec<approved::Row>,
}

/// A hostname pattern and the networks that it counts from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Trusted {
    pub(crate) pattern: String,
    pub(crate) cidrs: Vec<String>,
}

/// The trusted rules of the configuration.
pub(crate) fn trusted(app: &App) -> Vec<Trusted> {
    let rules = app.config.bootstrap.trusted_enrollment.iter();
    rules
        .map(|rule| Trusted {
            pattern: rule.pattern.0.to_string(),
            cidrs: rule.cidrs.0.iter().map(ToString::to_string).collect(),
        })
        .collect()
}

/// By what an active envoy may be replaced.
pub(crate) fn reenroll(app: &App) -> &'static str {
    match app.config.bootstrap.reenroll {
        ReenrollMode::Proof => "proof",
        ReenrollMode::Token => "token",
        ReenrollMode::Any => "any",
    }
}

/// The rules in force
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules", responses((status = 200, body = Rules)))]
async fn show(State(app): State<Arc<App>>) -> Result<Json<Rules>, ApiError> {
    let approved = approved::all(&app).await?.iter().map(approved::row).collect();
    Ok(Json(Rules { reenroll: reenroll(&app), trusted: trusted(&app), approved }))
}
