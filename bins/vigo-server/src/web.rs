//! The operators' web pages: HTML made here, which works without scripts, from what the API's handlers know.

mod access;
mod add;
mod assets;
mod dashboard;
mod entry;
mod envoy;
mod envoys;
mod frame;
mod lists;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::app::App;
use crate::http;
use crate::http::authorise;
use crate::http::error::ApiError;
use frame::Frame;

/// The routes of the pages, each behind the authorisation table.
pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to("/envoys") }))
        .route("/login", get(entry::page).post(entry::log_in))
        .route("/logout", post(entry::log_out))
        .route("/assets/{file}", get(assets::serve))
        .route("/envoys", get(envoys::page))
        .route("/envoys.csv", get(envoys::csv))
        .route("/envoys.json", get(envoys::json))
        .route("/envoys/events", get(envoys::events))
        .route("/envoys/{envoy}", get(envoy::page))
        .route("/envoys/{envoy}/revoke", post(envoy::revoke))
        .route("/envoys/{envoy}/delete", post(envoy::delete))
        .route("/envoys/{envoy}/allow-reenroll", post(envoy::allow))
        .route("/envoys/{envoy}/rebootstrap", post(envoy::rebootstrap))
        .route("/add", get(add::page).post(add::make))
        .route("/add/{id}", get(add::progress))
        .route("/tokens", get(lists::tokens_page))
        .route("/tokens/{id}/revoke", post(lists::revoke_token))
        .route("/rules", get(lists::rules_page))
        .route("/rules/approved", post(lists::approve))
        .route("/rules/approved/{id}/remove", post(lists::remove_approved))
        .route("/ca", get(lists::ca))
        .route("/audit", get(lists::audit_page))
        .route("/dashboard", get(dashboard::page))
        .route("/access", get(access::page))
        .route("/access/accounts", post(access::create))
        .route("/access/accounts/{name}/role", post(access::set_role))
        .route("/access/accounts/{name}/password", post(access::set_password))
        .route("/access/accounts/{name}/delete", post(access::delete))
        .route("/access/tokens", post(access::create_token))
        .route("/access/tokens/{id}/revoke", post(access::revoke_token))
        .route("/account", get(access::account).post(access::change_own))
        .layer(from_fn_with_state(Arc::clone(app), authorise::pages))
        .layer(CsrfLayer::new().with_rejection_response(cross_site))
        .layer(crate::access::layer(&app.store))
        .layer(from_fn(http::whole))
        .layer(from_fn(harden))
        .with_state(Arc::clone(app))
}

/// What every page is told to the browser: load what is ours, send forms to us, stand in no frame.
async fn harden(request: Request, next: Next) -> Response {
    const RULES: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                         form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(RULES));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn cross_site(_: ProtectionError) -> Response {
    refused(&authorise::from_another_site())
}

/// A template as an answer.
fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be made: the server's log says why").into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    code: &'a str,
    message: &'a str,
    help: &'a str,
}

/// A refusal as a page.
pub(crate) fn refused(refusal: &ApiError) -> Response {
    let title = match refusal.status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::FORBIDDEN => "Not allowed",
        status if status.is_server_error() => "Not now",
        _ => "That cannot be",
    };
    let frame = Frame::nobodys(title);
    let page = html(&ErrorPage { frame, code: refusal.code, message: &refusal.message, help: &refusal.help });
    (refusal.status, page).into_response()
}

/// Sends a browser to the login page, and from there to what it asked for.
pub(crate) fn log_in_first(asked: Option<&str>) -> Response {
    match asked.filter(|asked| *asked != "/" && *asked != "/envoys") {
        Some(asked) => Redirect::to(&format!("/login?next={}", encoded(asked))).into_response(),
        None => Redirect::to("/login").into_response(),
    }
}

/// A text as a value in a query or a part of a path (RFC 3986's unreserved characters stay).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

/// A refusal, told as a page.
struct Refused(ApiError);

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl axum::response::IntoResponse for Refused {
    fn into_response(self) -> Response {
        refused(&self.0)
    }
}

/// A form as it was filled in.
struct Filled<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Filled<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let form = axum::Form::<T>::from_request(request, state).await;
        form.map(|axum::Form(filled)| Self(filled)).map_err(|error| {
            Refused(ApiError::bad_request(format!("the form cannot be read: {error}"), "go back and fill it in again"))
        })
    }
}
