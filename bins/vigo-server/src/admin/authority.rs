//! The CA, and the line that brings a machine in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_enroll::script::{OneLiner, one_liner};

use crate::admin::page::Params;
use crate::admin::{rfc3339, system};
use crate::app::App;
use crate::http::error::ApiError;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(command))
}

/// The fleet's CA.
#[derive(Debug, Serialize, ToSchema)]
struct Authority {
    /// The CA's, then the server's own.
    pins: Vec<String>,
    ca_not_after: String,
    leaf_not_after: String,
    server_id: String,
    /// Whether this server can enrol.
    can_sign: bool,
}

/// Show the CA
#[utoipa::path(get, path = "/api/v1/ca", tag = "ca", responses((status = 200, body = Authority)))]
async fn show(State(app): State<Arc<App>>) -> Json<Authority> {
    let (root, leaf) = (app.authority.root(), app.certificates.leaf());
    Json(Authority {
        pins: vec![root.pin.to_string(), leaf.pin().to_string()],
        ca_not_after: rfc3339(root.not_after),
        leaf_not_after: rfc3339(leaf.not_after()),
        server_id: app.server.to_string(),
        can_sign: app.authority.can_sign(),
    })
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// The new machine's system; linux unless said.
    os: Option<String>,
    /// For the server's own host, over 127.0.0.1.
    #[serde(default)]
    local: bool,
}

/// The line that brings a machine in.
#[derive(Debug, Serialize, ToSchema)]
struct Line {
    command: String,
    os: &'static str,
}

/// The line that brings a machine in, without a token
#[utoipa::path(get, path = "/api/v1/bootstrap/command", tag = "tokens", params(Which),
    responses((status = 200, body = Line)))]
async fn command(State(app): State<Arc<App>>, Params(which): Params<Which>) -> Result<Json<Line>, ApiError> {
    let system = system(which.os.as_deref())?;
    let signing_pin = app.signing_pin(system.name());
    let command = one_liner(&app.script, &OneLiner { system, signing_pin, token: None, local: which.local });
    Ok(Json(Line { command, os: system.name() }))
}
