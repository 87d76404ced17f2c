//! Accounts: list, make, change, delete.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_core::ClientAddr;

use crate::access::{Account, AccountName, By, LoggedIn, NewAccount, Password, Principal, Role, log_in};
use crate::admin::page::{Page, Params, Part};
use crate::admin::rfc3339;
use crate::app::App;
use crate::http::error::ApiError;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(delete))
        .routes(routes!(set_role))
        .routes(routes!(set_password))
}

/// Somebody who may log in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
struct Row {
    name: String,
    role: Role,
    created_at: String,
    created_by: String,
    last_login_at: Option<String>,
}

fn row(account: &Account) -> Row {
    Row {
        name: account.name.to_string(),
        role: account.role,
        created_at: rfc3339(account.created_at),
        created_by: account.created_by.clone(),
        last_login_at: account.last_login_at.map(rfc3339),
    }
}

/// List accounts
#[utoipa::path(get, path = "/api/v1/accounts", tag = "access", params(Part),
    responses((status = 200, body = Page<Row>)))]
async fn list(State(app): State<Arc<App>>, Params(part): Params<Part>) -> Result<Json<Page<Row>>, ApiError> {
    let accounts = Account::all(app.store.as_ref()).await.map_err(|error| ApiError::unavailable(&error))?;
    let page = part.of(accounts, |account| account.name.to_string())?;
    Ok(Json(Page { items: page.items.iter().map(row).collect(), next: page.next, total: page.total }))
}

/// The account that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccount)]
struct Wish {
    /// 1 to 64 of a-z, 0-9, `.`, `_`, `-`, `@`.
    #[schema(example = "ada", pattern = "^[a-z0-9][a-z0-9._@-]{0,63}$")]
    name: String,
    role: Role,
    #[schema(min_length = 12, max_length = 256)]
    password: String,
}

/// Make an account
#[utoipa::path(post, path = "/api/v1/accounts", tag = "access", request_body = Wish,
    responses((status = 200, body = Row)))]
async fn create(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Json(wish): Json<Wish>,
) -> Result<Json<Row>, ApiError> {
    let new = NewAccount { name: wish.name.parse()?, role: wish.role, password: Password::chosen(wish.password)? };
    let account = Account::create(app.store.as_ref(), &app.passwords, new, &by.actor()).await?;
    Ok(Json(row(&account)))
}

/// Delete an account; its sessions and logins end at once
#[utoipa::path(delete, path = "/api/v1/accounts/{name}", tag = "access", params(("name" = String, Path)),
    responses((status = 200, body = Row)))]
async fn delete(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<Json<Row>, ApiError> {
    Ok(Json(row(&Account::delete(app.store.as_ref(), &name.parse()?, &by.actor()).await?)))
}

/// Another role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRole {
    role: Role,
}

/// Give an account another role, in force at once
#[utoipa::path(post, path = "/api/v1/accounts/{name}/role", tag = "access", params(("name" = String, Path)),
    request_body = NewRole, responses((status = 200, body = Row)))]
async fn set_role(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
    Json(new): Json<NewRole>,
) -> Result<Json<Row>, ApiError> {
    Ok(Json(row(&Account::set_role(app.store.as_ref(), &name.parse()?, new.role, &by.actor()).await?)))
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    #[schema(min_length = 12, max_length = 256)]
    password: String,
    /// The one that it has, from whoever changes their own and is no admin.
    #[serde(default)]
    current: Option<String>,
}

/// Gives an account another password: an admin to any, everybody else to their own by the one it has.
pub(crate) async fn change_password(
    app: &App,
    by: &Principal,
    name: &AccountName,
    current: Option<String>,
    password: Password,
    from: ClientAddr,
) -> Result<Account, ApiError> {
    let own = by.by != By::Socket && by.name == name.to_string();
    match current {
        Some(current) if own => drop(log_in(app, &by.name, Password::typed(current), from).await?),
        _ => by.demand(Role::Admin)?,
    }
    Ok(Account::set_password(app.store.as_ref(), &app.passwords, name, password, &by.actor()).await?)
}

/// Give an account another password; its sessions and logins end
#[utoipa::path(post, path = "/api/v1/accounts/{name}/password", tag = "access", params(("name" = String, Path)),
    request_body = NewPassword, responses((status = 200, body = Row)))]
async fn set_password(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Extension(from): Extension<ClientAddr>,
    session: Option<Extension<Session>>,
    Path(name): Path<String>,
    Json(new): Json<NewPassword>,
) -> Result<Json<Row>, ApiError> {
    let password = Password::chosen(new.password)?;
    let account = change_password(&app, &by, &name.parse()?, new.current, password, from).await?;
    // Whoever changed their own stays logged in where they did it.
    if let Some(Extension(session)) = session
        && matches!(by.by, By::Session(_))
        && by.name == account.name.to_string()
    {
        LoggedIn::begin(&session, &account).await.map_err(|error| ApiError::unavailable(&error))?;
    }
    Ok(Json(row(&account)))
}
