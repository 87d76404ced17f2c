//! What operators ask for: the API, over a unix socket that only the server's own user and root may open, and on the HTTPS
//! listener for who is logged in.

pub(crate) mod accounts;
pub(crate) mod api_tokens;
pub(crate) mod approved;
pub(crate) mod audit;
mod authority;
mod doctor;
pub(crate) mod enroll;
pub(crate) mod envoy_body;
pub(crate) mod envoys;
mod events;
mod login;
mod openapi;
pub(crate) mod page;
pub(crate) mod rebootstrap;
pub(crate) mod rules;
mod socket;
pub(crate) mod summary;
pub(crate) mod tokens;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use vigo_core::UnixTime;
use vigo_enroll::operate::{Act, OperateError};
use vigo_enroll::script::{System, UnknownSystem};

use crate::access::{AccessError, LoginError, Principal};
use crate::app::App;
use crate::clock;
use crate::http::authorise;
use crate::http::error::{self, ApiError};

pub(crate) use socket::AdminSocket;
pub(crate) use tokens::create_token;

/// Bytes of a request.
pub(crate) const MOST: usize = 64 * 1024;

/// Every route of the API, and its description.
pub(crate) fn parts() -> (Router<Arc<App>>, OpenApi) {
    let (router, document) = OpenApiRouter::new()
        .merge(envoys::router())
        .merge(rebootstrap::router())
        .merge(events::router())
        .merge(summary::router())
        .merge(tokens::router())
        .merge(approved::router())
        .merge(rules::router())
        .merge(enroll::router())
        .merge(authority::router())
        .merge(audit::router())
        .merge(accounts::router())
        .merge(api_tokens::router())
        .merge(login::router())
        .merge(doctor::router())
        .merge(openapi::router())
        .split_for_parts();
    (router, openapi::complete(document))
}

/// The routes of the API; each asks the authorisation table first.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let (router, document) = parts();
    router
        .route("/metrics", axum::routing::get(metrics))
        .layer(Extension(Arc::new(document)))
        .layer(DefaultBodyLimit::max(MOST))
        .layer(from_fn_with_state(Arc::clone(app), authorise::api))
        .with_state(Arc::clone(app))
}

/// The routes of the socket.
pub(crate) fn socket_router(app: &Arc<App>) -> Router {
    router(app)
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(from_fn(error::finish))
}

async fn metrics(State(app): State<Arc<App>>) -> String {
    crate::measure::fleet(&app);
    app.metrics.render()
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
pub(crate) fn act(by: &Principal) -> Act {
    Act { by: by.actor(), now: clock::now(), audit: clock::random() }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        let status = match &error {
            AccessError::NotFound(..) => StatusCode::NOT_FOUND,
            AccessError::Invalid(_) => StatusCode::BAD_REQUEST,
            AccessError::Exists(_) | AccessError::LastAdmin(_) | AccessError::Conflict => StatusCode::CONFLICT,
            AccessError::Busy => StatusCode::SERVICE_UNAVAILABLE,
            AccessError::Store(error) => return Self::unavailable(error),
        };
        Self::new(status, error.code(), error.to_string(), error.help())
    }
}

impl From<LoginError> for ApiError {
    fn from(error: LoginError) -> Self {
        let message = error.to_string();
        let (status, code, help) = match error {
            LoginError::Failed => (
                StatusCode::UNAUTHORIZED,
                "login_failed",
                "try again; `vigocli admin set-password NAME` on the server's host makes a new one",
            ),
            LoginError::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too_many_logins", "try again in a minute"),
            LoginError::Access(error) => return error.into(),
        };
        Self::new(status, code, message, help)
    }
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
