//! API tokens: list, make, revoke.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_core::UnixTime;

use crate::access::{ApiToken, By, NewApiToken, Principal, Role};
use crate::admin::page::{Page, Params, Part};
use crate::admin::rfc3339;
use crate::app::App;
use crate::clock;
use crate::http::error::ApiError;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// An API token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiToken)]
struct Row {
    id: String,
    name: String,
    role: Role,
    /// The account that it speaks for and dies with; null where it was made on the server's host.
    owner: Option<String>,
    created_at: String,
    created_by: String,
    expires_at: String,
    /// `active`, `expired` or `revoked`.
    status: &'static str,
}

fn row(token: &ApiToken, now: UnixTime) -> Row {
    Row {
        id: token.id().to_string(),
        name: token.name.clone(),
        role: token.role,
        owner: token.owner.as_ref().map(|(name, _)| name.to_string()),
        created_at: rfc3339(token.created_at),
        created_by: token.created_by.clone(),
        expires_at: rfc3339(token.expires_at),
        status: token.status(now),
    }
}

fn is_own(by: &Principal, token: &ApiToken) -> bool {
    let owner = token.owner.as_ref().map(|(name, _)| name.to_string());
    match by.by {
        By::Session(_) | By::Token { of_account: true, .. } => owner.as_ref() == Some(&by.name),
        By::Token { id, of_account: false } => id == token.id(),
        By::Socket => false,
    }
}

/// The tokens that somebody may see: an admin all, others their own.
pub(crate) async fn visible(app: &App, by: &Principal) -> Result<Vec<ApiToken>, ApiError> {
    let mut tokens = ApiToken::all(app.store.as_ref()).await.map_err(|error| ApiError::unavailable(&error))?;
    tokens.retain(|token| by.role == Role::Admin || is_own(by, token));
    Ok(tokens)
}

/// List API tokens: all for an admin, else one's own
#[utoipa::path(get, path = "/api/v1/api-tokens", tag = "access", params(Part),
    responses((status = 200, body = Page<Row>)))]
async fn list(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Params(part): Params<Part>,
) -> Result<Json<Page<Row>>, ApiError> {
    let now = clock::now();
    let key = |token: &ApiToken| format!("{:020}{}", token.created_at.as_secs(), token.id());
    let page = part.of(visible(&app, &by).await?, key)?;
    let items = page.items.iter().map(|token| row(token, now)).collect();
    Ok(Json(Page { items, next: page.next, total: page.total }))
}

/// The token that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiToken)]
struct Wish {
    /// What it is for.
    #[schema(min_length = 1, max_length = 64, example = "prometheus")]
    name: String,
    role: Role,
    /// How long it lasts, at most 366 days.
    #[serde(default = "ninety_days")]
    #[schema(default = 7_776_000, minimum = 1, maximum = 31_622_400)]
    ttl_secs: u64,
}

fn ninety_days() -> u64 {
    90 * 86_400
}

/// A token that was made: shown once.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeApiToken)]
pub(crate) struct Made {
    #[serde(flatten)]
    row: Row,
    /// The secret, for `Authorization: Bearer`.
    pub(crate) token: String,
}

/// Makes a token that may do no more than who makes it.
pub(crate) async fn make(app: &App, by: &Principal, name: String, role: Role, ttl: Duration) -> Result<Made, ApiError> {
    by.demand(role)?;
    let account = by.account(app.store.as_ref()).await.map_err(|error| ApiError::unavailable(&error))?;
    if account.is_none() && by.by != By::Socket {
        // A token of nobody's could outlive itself by making others.
        return Err(ApiError::new(
            axum::http::StatusCode::FORBIDDEN,
            "not_allowed",
            "an API token without an account makes no other tokens",
            "log in with an account, or run vigocli on the server's host",
        ));
    }
    let new = NewApiToken { name, role, ttl, owner: account.as_ref(), by: &by.actor() };
    let (text, token) = ApiToken::create(app.store.as_ref(), new).await?;
    Ok(Made { row: row(&token, clock::now()), token: text.as_str().to_owned() })
}

/// Make an API token with one's own role or a smaller one
#[utoipa::path(post, path = "/api/v1/api-tokens", tag = "access", request_body = Wish,
    responses((status = 200, body = Made)))]
async fn create(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Json(wish): Json<Wish>,
) -> Result<Json<Made>, ApiError> {
    make(&app, &by, wish.name, wish.role, Duration::from_secs(wish.ttl_secs)).await.map(Json)
}

/// Revokes a token: an admin any, others their own.
pub(crate) async fn take_back(app: &App, by: &Principal, id: &str) -> Result<ApiToken, ApiError> {
    let id = id.parse()?;
    let token = ApiToken::get(app.store.as_ref(), id).await?;
    if !is_own(by, &token) {
        by.demand(Role::Admin)?;
    }
    Ok(ApiToken::revoke(app.store.as_ref(), id, &by.actor()).await?)
}

/// Refuse an API token from now on, for ever
#[utoipa::path(post, path = "/api/v1/api-tokens/{id}/revoke", tag = "access", params(("id" = String, Path)),
    responses((status = 200, body = Row)))]
async fn revoke(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Json<Row>, ApiError> {
    Ok(Json(row(&take_back(&app, &by, &id).await?, clock::now())))
}
