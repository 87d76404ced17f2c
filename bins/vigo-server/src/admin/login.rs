//! Log in and out over the API, and who one is.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_core::ClientAddr;

use crate::access::{ApiToken, By, NewApiToken, Password, Principal, Role, log_in};
use crate::admin::rfc3339;
use crate::app::App;
use crate::http::error::ApiError;

/// How long a login of vigocli lasts.
const LASTS: Duration = Duration::from_hours(12);

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(login)).routes(routes!(logout)).routes(routes!(whoami))
}

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    name: String,
    password: String,
}

/// An API token that lasts twelve hours.
#[derive(Serialize, ToSchema)]
struct LoggedIn {
    /// For `Authorization: Bearer`.
    token: String,
    name: String,
    role: Role,
    expires_at: String,
}

/// Log in: an API token for twelve hours
#[utoipa::path(post, path = "/api/v1/login", tag = "access", request_body = Login, security(()),
    responses((status = 200, body = LoggedIn)))]
async fn login(
    State(app): State<Arc<App>>,
    Extension(from): Extension<ClientAddr>,
    Json(body): Json<Login>,
) -> Result<Json<LoggedIn>, ApiError> {
    let account = log_in(&app, &body.name, Password::typed(body.password), from).await?;
    let name = account.name.to_string();
    let new = NewApiToken { name: "login".into(), role: account.role, ttl: LASTS, owner: Some(&account), by: &name };
    let (text, token) = ApiToken::create(app.store.as_ref(), new).await?;
    let expires_at = rfc3339(token.expires_at);
    Ok(Json(LoggedIn { token: text.as_str().to_owned(), role: account.role, expires_at, name }))
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
struct LoggedOut {
    /// False where it was no token that asked.
    revoked: bool,
}

/// Log out: revokes the API token that asks
#[utoipa::path(post, path = "/api/v1/logout", tag = "access", responses((status = 200, body = LoggedOut)))]
async fn logout(State(app): State<Arc<App>>, Extension(by): Extension<Principal>) -> Result<Json<LoggedOut>, ApiError> {
    let By::Token { id, .. } = by.by else { return Ok(Json(LoggedOut { revoked: false })) };
    ApiToken::revoke(app.store.as_ref(), id, &by.actor()).await?;
    Ok(Json(LoggedOut { revoked: true }))
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
struct Who {
    name: String,
    role: Role,
    /// `socket`, `session` or `token`.
    by: &'static str,
    expires_at: Option<String>,
}

/// Who one is
#[utoipa::path(get, path = "/api/v1/whoami", tag = "access", responses((status = 200, body = Who)))]
async fn whoami(Extension(who): Extension<Principal>) -> Json<Who> {
    let by = match who.by {
        By::Socket => "socket",
        By::Session(_) => "session",
        By::Token { .. } => "token",
    };
    Json(Who { role: who.role, by, expires_at: who.expires_at.map(rfc3339), name: who.name })
}
