//! `/bootstrap` and the CA: what a new machine fetches first.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use vigo_enroll::script::System;

use crate::app::App;
use crate::http::error::ApiError;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new().route("/bootstrap", get(script)).route("/api/v1/bootstrap/ca", get(ca)).with_state(Arc::clone(app))
}

#[derive(Deserialize)]
struct Asked {
    os: Option<String>,
}

async fn script(State(app): State<Arc<App>>, Query(asked): Query<Asked>) -> Result<Response, ApiError> {
    let system = match asked.os.as_deref() {
        None => System::default(),
        Some(name) => name.parse().map_err(|_| no_script())?,
    };
    let (kind, text) = match system {
        // Invoke-RestMethod hands on plain text as it is.
        System::Windows => ("text/plain; charset=utf-8", vigo_enroll::script::bootstrap_for_windows(&app.script)),
        // One script finds out which of the others it runs on.
        _ => ("text/x-shellscript; charset=utf-8", vigo_enroll::script::bootstrap(&app.script)),
    };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

fn no_script() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "no_agent",
        "this server has no bootstrap script for that system",
        "leave `os` out, or name one of linux, macos, freebsd, openbsd, netbsd, illumos, windows",
    )
}

async fn ca(State(app): State<Arc<App>>) -> Response {
    let pem = vigo_ca::pem::encode_certificate(&app.authority.root().der);
    ([(header::CONTENT_TYPE, "application/pem-certificate-chain")], pem).into_response()
}
