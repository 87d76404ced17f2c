//! `/bootstrap` and the CA: what a new machine fetches first.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::app::App;
use crate::http::error::ApiError;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new().route("/bootstrap", get(script)).route("/api/v1/bootstrap/ca", get(ca)).with_state(Arc::clone(app))
}

#[derive(Deserialize)]
struct System {
    os: Option<String>,
}

async fn script(State(app): State<Arc<App>>, Query(system): Query<System>) -> Result<Response, ApiError> {
    match system.os.as_deref() {
        None | Some("linux") => {
            let text = vigo_enroll::script::bootstrap(&app.script);
            Ok(([(header::CONTENT_TYPE, "text/x-shellscript; charset=utf-8")], text).into_response())
        }
        Some(_) => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "no_agent",
            "this server has no bootstrap script for that system",
            "leave `os` out for Linux",
        )),
    }
}

async fn ca(State(app): State<Arc<App>>) -> Response {
    let pem = vigo_ca::pem::encode_certificate(&app.authority.root().der);
    ([(header::CONTENT_TYPE, "application/pem-certificate-chain")], pem).into_response()
}
