//! What may be wrong with this server.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::doctor;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
struct Row {
    check: &'static str,
    /// `ok`, `warning` or `error`.
    severity: &'static str,
    message: String,
    /// What to do; empty where it is ok.
    help: &'static str,
}

/// What may be wrong with this server
#[utoipa::path(get, path = "/api/v1/doctor", tag = "server", responses((status = 200, body = Vec<Row>)))]
async fn show(State(app): State<Arc<App>>) -> Json<Vec<Row>> {
    let found = doctor::run(&app).await.into_iter();
    let rows = found.map(|finding| Row {
        check: finding.check,
        severity: finding.severity.word(),
        message: finding.message,
        help: finding.help,
    });
    Json(rows.collect())
}
