//! The CA, and the line that brings a machine in.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use vigo_enroll::script::{OneLiner, one_liner};

use crate::admin::{rfc3339, system};
use crate::app::App;
use crate::http::error::ApiError;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/ca", get(show))
        .route("/api/v1/bootstrap/command", get(command))
        .with_state(Arc::clone(app))
}

async fn show(State(app): State<Arc<App>>) -> Json<Value> {
    let (root, leaf) = (app.authority.root(), app.certificates.leaf());
    Json(json!({
        "pins": [root.pin.to_string(), leaf.pin().to_string()],
        "ca_not_after": rfc3339(root.not_after),
        "leaf_not_after": rfc3339(leaf.not_after()),
        "server_id": app.server.to_string(),
        "can_sign": app.authority.can_sign(),
    }))
}

#[derive(Deserialize)]
struct Line {
    os: Option<String>,
    #[serde(default)]
    local: bool,
}

async fn command(State(app): State<Arc<App>>, Query(line): Query<Line>) -> Result<Json<Value>, ApiError> {
    let system = system(line.os.as_deref())?;
    let signing_pin = app.signing_pin(system.name());
    let command = one_liner(&app.script, &OneLiner { system, signing_pin, token: None, local: line.local });
    Ok(Json(json!({"command": command, "os": system.name()})))
}
