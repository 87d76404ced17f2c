//! Logging in and out.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use tower_sessions::Session;
use vigo_core::ClientAddr;

use crate::access::{LoggedIn, Password, log_in as check};
use crate::app::App;
use crate::http::error::ApiError;
use crate::web::frame::Frame;
use crate::web::{Filled, Refused, html};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    frame: Frame,
    server: &'a str,
    next: &'a str,
    wrong: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next: String,
}

/// A path of ours, whatever somebody wrote into a link: nothing that a browser takes for another host.
fn ours(next: &str) -> &str {
    let good = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if good { next } else { "/envoys" }
}

/// `GET /login`
pub(super) async fn page(State(app): State<Arc<App>>, Query(wanted): Query<Wanted>) -> Response {
    let frame = Frame::nobodys("Log in");
    html(&LoginPage { frame, server: app.script.api_addr(), next: ours(&wanted.next), wrong: None })
}

#[derive(Deserialize)]
pub(super) struct Form {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /login`
pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(from): Extension<ClientAddr>,
    Extension(session): Extension<Session>,
    Filled(form): Filled<Form>,
) -> Result<Response, Refused> {
    let next = ours(&form.next);
    match check(&app, form.name.trim(), Password::typed(form.password), from).await {
        Ok(account) => {
            LoggedIn::begin(&session, &account).await.map_err(|error| ApiError::unavailable(&error))?;
            Ok(Redirect::to(next).into_response())
        }
        Err(error) => {
            let wrong = Some(format!("{error}."));
            let refusal = ApiError::from(error);
            if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
                return Err(refusal.into());
            }
            let frame = Frame::nobodys("Log in");
            let page = html(&LoginPage { frame, server: app.script.api_addr(), next, wrong });
            Ok((refusal.status, page).into_response())
        }
    }
}

/// `POST /logout`
pub(super) async fn log_out(Extension(session): Extension<Session>) -> Result<Response, Refused> {
    session.flush().await.map_err(|error| ApiError::unavailable(&error))?;
    Ok(Redirect::to("/login").into_response())
}

#[cfg(test)]
mod tests {
    use super::ours;

    #[test]
    fn a_link_leads_to_no_other_host() {
        for (next, expected) in [
            ("/envoys/x?search=a", "/envoys/x?search=a"),
            ("", "/envoys"),
            ("https://evil.example.com", "/envoys"),
            ("//evil.example.com", "/envoys"),
            ("/\\evil.example.com", "/envoys"),
            ("/\tevil", "/envoys"),
            ("javascript:alert(1)", "/envoys"),
        ] {
            assert_eq!(ours(next), expected, "{next}");
        }
    }
}
