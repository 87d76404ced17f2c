//! The operators' web pages.

use axum::response::{IntoResponse as _, Response};

use crate::http::error::ApiError;

/// A text as part of a query.
pub(crate) fn encoded(text: &str) -> String {
    text.to_owned()
}

/// A refusal as a page.
pub(crate) fn refused(_: &ApiError) -> Response {
    ().into_response()
}

/// Sends a browser to the login page, and from there to what it asked for.
pub(crate) fn log_in_first(_: Option<&str>) -> Response {
    ().into_response()
}
