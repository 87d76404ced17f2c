//! What operators ask for, over a unix socket that only the server's own user and root may open.

mod approved;
mod audit;
mod authority;
mod enroll;
mod envoys;
mod rebootstrap;
mod socket;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use vigo_core::UnixTime;
use vigo_enroll::operate::{Act, OperateError};
use vigo_enroll::script::{System, UnknownSystem};

use crate::app::App;
use crate::clock;
use crate::http::error::{self, ApiError};

pub(crate) use envoys::status;
pub(crate) use socket::{AdminSocket, Operator};
pub(crate) use tokens::create_token;

/// The routes of the socket.
pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .merge(envoys::router(app))
        .merge(rebootstrap::router(app))
        .merge(tokens::router(app))
        .merge(approved::router(app))
        .merge(enroll::router(app))
        .merge(authority::router(app))
        .merge(audit::router(app))
        .merge(metrics(app))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(DefaultBodyLimit::max(64 * 1024))
}

fn metrics(app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    Router::new().route(
        "/metrics",
        axum::routing::get(move || {
            let app = Arc::clone(&app);
            async move {
                crate::measure::fleet(&app);
                app.metrics.render()
            }
        }),
    )
}

/// RFC 3339, in UTC.
pub(crate) fn rfc3339(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The system that a line is asked for.
fn system(name: Option<&str>) -> Result<System, ApiError> {
    name.map_or(Ok(System::default()), |name| {
        name.parse()
            .map_err(|error: UnknownSystem| ApiError::bad_request(error.to_string(), "leave --os out for Linux"))
    })
}

/// What an operator does, now.
fn act(operator: Operator) -> Act {
    Act { by: operator.0, now: clock::now(), audit: clock::random() }
}

impl From<OperateError> for ApiError {
    fn from(error: OperateError) -> Self {
        let status = match &error {
            OperateError::NotFound { .. } => StatusCode::NOT_FOUND,
            OperateError::Invalid(_) => StatusCode::BAD_REQUEST,
            OperateError::AnyHost(_) => StatusCode::UNPROCESSABLE_ENTITY,
            OperateError::Conflict => StatusCode::CONFLICT,
            _ => {
                tracing::error!(%error, "an operator's request failed");
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        Self::new(status, error.code(), error.to_string(), error.help())
    }
}
