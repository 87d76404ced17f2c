//! Accounts and API tokens, for admins; one's own password, for everybody.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use tower_sessions::Session;
use vigo_core::ClientAddr;

use crate::access::{Account, AccountName, LoggedIn, NewAccount, Password, Principal, Role};
use crate::admin::{accounts, api_tokens};
use crate::app::App;
use crate::clock;
use crate::http::error::ApiError;
use crate::web::frame::{Frame, When};
use crate::web::{Filled, Refused, html};

struct AccountRow {
    name: String,
    role: Role,
    last_login: Option<When>,
    created: When,
    by: String,
}

struct TokenRow {
    id: String,
    name: String,
    status: &'static str,
    role: Role,
    owner: String,
    expires: When,
}

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage {
    frame: Frame,
    wrong: Option<String>,
    token: Option<String>,
    accounts: Vec<AccountRow>,
    tokens: Vec<TokenRow>,
}

async fn show(app: &App, who: &Principal, token: Option<String>, wrong: Option<String>) -> Result<Response, Refused> {
    let now = clock::now();
    let accounts = Account::all(app.store.as_ref()).await.map_err(|error| ApiError::unavailable(&error))?;
    let tokens = api_tokens::visible(app, who).await?;
    let accounts = accounts.iter().map(|account| AccountRow {
        name: account.name.to_string(),
        role: account.role,
        last_login: account.last_login_at.map(|at| When::new(now, at)),
        created: When::new(now, account.created_at),
        by: account.created_by.clone(),
    });
    let tokens = tokens.iter().rev().map(|token| TokenRow {
        id: token.id().to_string(),
        name: token.name.clone(),
        status: token.status(now),
        role: token.role,
        owner: token.owner.as_ref().map_or_else(|| "nobody".to_owned(), |(name, _)| name.to_string()),
        expires: When::new(now, token.expires_at),
    });
    let (accounts, tokens) = (accounts.collect(), tokens.collect());
    Ok(html(&AccessPage { frame: Frame::new("Access", "/access", who), wrong, token, accounts, tokens }))
}

/// Back to the page; what was refused is said there.
async fn back(
    app: &App,
    who: &Principal,
    act: impl Future<Output = Result<(), ApiError>>,
) -> Result<Response, Refused> {
    match act.await {
        Ok(()) => Ok(Redirect::to("/access").into_response()),
        Err(refusal) => {
            let wrong = Some(format!("Nothing was done: {}. {}.", refusal.message, refusal.help));
            Ok((refusal.status, show(app, who, None, wrong).await?).into_response())
        }
    }
}

/// `GET /access`
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
) -> Result<Response, Refused> {
    show(&app, &who, None, None).await
}

#[derive(Deserialize)]
pub(super) struct Form {
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    days: String,
}

impl Form {
    fn role(&self) -> Result<Role, ApiError> {
        self.role.parse().map_err(|error: crate::access::UnknownRole| {
            ApiError::bad_request(error.to_string(), "choose one of the three")
        })
    }
}

/// `POST /access/accounts`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Filled(form): Filled<Form>,
) -> Result<Response, Refused> {
    let made = async {
        let (role, name) = (form.role()?, form.name.trim().parse()?);
        let new = NewAccount { name, role, password: Password::chosen(form.password)? };
        Account::create(app.store.as_ref(), &app.passwords, new, &who.actor()).await?;
        Ok(())
    };
    back(&app, &who, made).await
}

/// `POST /access/accounts/{name}/role`
pub(super) async fn set_role(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    Filled(form): Filled<Form>,
) -> Result<Response, Refused> {
    let done = async {
        Account::set_role(app.store.as_ref(), &name.parse()?, form.role()?, &who.actor()).await?;
        Ok(())
    };
    back(&app, &who, done).await
}

/// `POST /access/accounts/{name}/password`
pub(super) async fn set_password(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    Filled(form): Filled<Form>,
) -> Result<Response, Refused> {
    let done = async {
        let (name, password) = (name.parse()?, Password::chosen(form.password)?);
        Account::set_password(app.store.as_ref(), &app.passwords, &name, password, &who.actor()).await?;
        Ok(())
    };
    back(&app, &who, done).await
}

/// `POST /access/accounts/{name}/delete`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    Filled(form): Filled<Form>,
) -> Result<Response, Refused> {
    let done = async {
        let name: AccountName = name.parse()?;
        if form.confirm.trim() != name.to_string() {
            return Err(ApiError::bad_request("what you typed is not the account's name", "type it to delete it"));
        }
        Account::delete(app.store.as_ref(), &name, &who.actor()).await?;
        Ok(())
    };
    back(&app, &who, done).await
}

/// `POST /access/tokens`
pub(super) async fn create_token(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Filled(form): Filled<Form>,
) -> Result<Response, Refused> {
    let made = async {
        let days: u64 =
            form.days.trim().parse().map_err(|_| ApiError::bad_request("the days are no number", "1 to 366"))?;
        let ttl = Duration::from_secs(days.saturating_mul(86_400));
        api_tokens::make(&app, &who, form.name.trim().to_owned(), form.role()?, ttl).await
    };
    match made.await {
        Ok(made) => show(&app, &who, Some(made.token), None).await,
        Err(refusal) => back(&app, &who, async { Err(refusal) }).await,
    }
}

/// `POST /access/tokens/{id}/revoke`
pub(super) async fn revoke_token(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    back(&app, &who, async { api_tokens::take_back(&app, &who, &id).await.map(drop) }).await
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    name: String,
    said: Option<&'static str>,
    wrong: Option<String>,
}

fn own(who: &Principal, said: Option<&'static str>, wrong: Option<String>) -> Response {
    html(&AccountPage { frame: Frame::new("Your password", "/account", who), name: who.name.clone(), said, wrong })
}

/// `GET /account`
pub(super) async fn account(Extension(who): Extension<Principal>) -> Response {
    own(&who, None, None)
}

#[derive(Deserialize)]
pub(super) struct Change {
    current: String,
    password: String,
}

/// `POST /account`
pub(super) async fn change_own(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Extension(from): Extension<ClientAddr>,
    Extension(session): Extension<Session>,
    Filled(form): Filled<Change>,
) -> Result<Response, Refused> {
    let changed = async {
        let (name, password) = (who.name.parse()?, Password::chosen(form.password)?);
        accounts::change_password(&app, &who, &name, Some(form.current), password, from).await
    };
    match changed.await {
        Ok(account) => {
            LoggedIn::begin(&session, &account).await.map_err(|error| ApiError::unavailable(&error))?;
            Ok(own(&who, Some("It is changed."), None))
        }
        Err(refusal) => Ok((refusal.status, own(&who, None, Some(format!("{}.", refusal.message)))).into_response()),
    }
}
