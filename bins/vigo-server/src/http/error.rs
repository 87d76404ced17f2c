//! Errors as JSON: a stable code, one sentence, the next step.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use vigo_enroll::{Refusal, RefusalKind};

/// An error that a client is told.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { status, code, message: message.into(), help: help.into() }
    }

    pub(crate) fn bad_request(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message, help)
    }

    /// Something failed here: the log has what, the client has that it did.
    pub(crate) fn unavailable(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the server cannot answer at the moment",
            "try again; the server's log says what failed",
        )
    }
}

impl From<&Refusal> for ApiError {
    fn from(refusal: &Refusal) -> Self {
        let status = match refusal.kind() {
            RefusalKind::Policy if refusal.code() == "hostname_taken" => StatusCode::CONFLICT,
            RefusalKind::Policy => StatusCode::FORBIDDEN,
            RefusalKind::Identity => StatusCode::UNAUTHORIZED,
            RefusalKind::Malformed => StatusCode::BAD_REQUEST,
            RefusalKind::Limited => StatusCode::TOO_MANY_REQUESTS,
            RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.code(), refusal.message(), refusal.help())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message, "help": self.help}});
        (self.status, Json(body)).into_response()
    }
}

pub(crate) async fn not_found() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "there is nothing at this address",
        "`GET /api/v1/openapi.json` describes the API",
    )
}

pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this address does not take that method",
        "`GET /api/v1/openapi.json` describes the API",
    )
}

/// What is said in plain words of a query or a path that cannot be read, in the form that all our errors have.
async fn in_json(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json") {
        return response;
    }
    let code = if status.is_server_error() { "unavailable" } else { "malformed" };
    let (mut head, body) = response.into_parts();
    let said = axum::body::to_bytes(body, 4096).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let message = if said.is_empty() { status.canonical_reason().unwrap_or("refused") } else { said.as_ref() };
    let ours = ApiError::new(status, code, message, "`GET /api/v1/openapi.json` describes the API").into_response();
    // `Allow`, `Retry-After` and their like stay.
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.remove(header::CONTENT_TYPE);
    head.headers.extend(ours.headers().clone());
    Response::from_parts(head, ours.into_body())
}

/// Errors in one form, and headers that every answer carries.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let mut response = in_json(next.run(request).await).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}
