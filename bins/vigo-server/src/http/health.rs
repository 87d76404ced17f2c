//! `/healthz`: the process answers. `/readyz`: it can do its work.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use vigo_core::keyspace;

use crate::app::App;
use crate::http::error::ApiError;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready)).with_state(Arc::clone(app))
}

async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    match app.store.get(keyspace::FLEET.as_bytes()).await {
        Ok(Some(_)) if **app.ready.load() => Ok("ready\n"),
        Ok(_) => Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_ready",
            "the server is starting or stopping",
            "try again in a moment",
        )),
        Err(error) => Err(ApiError::unavailable(&error)),
    }
}
