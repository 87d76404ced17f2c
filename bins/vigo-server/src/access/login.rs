//! Logging in with a name and a password.

use vigo_core::ClientAddr;
use vigo_core::record::Record as _;
use vigo_core::store::{Outcome, Transaction};
use vigo_core::{audit::AuditRecord, keyspace};

use super::keep::{ACCOUNTS, ATTEMPTS, AccessError, audit, commit};
use crate::access::{Account, AccountName, Password};
use crate::app::App;
use crate::clock;

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LoginError {
    /// No such account, or not its password: which of the two is nobody's business.
    #[error("the name or the password is wrong")]
    Failed,
    /// Too often, for this account or from this address.
    #[error("too many tries: wait a minute")]
    TooMany,
    /// The server cannot tell.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// The account of a name and a password. Each try is counted before the password is looked at.
pub(crate) async fn log_in(app: &App, name: &str, password: Password, from: ClientAddr) -> Result<Account, LoginError> {
    // What can be nobody's name is counted as one name.
    let parsed = name.parse::<AccountName>();
    let counted = match &parsed {
        Ok(name) => name.clone(),
        Err(_) => AccountName::nobodys(),
    };
    if !app.throttle.take(&counted, from) {
        metrics::counter!("vigo_logins_total", "outcome" => "too_many_logins").increment(1);
        tracing::info!(%from, "a login was refused: too many tries");
        return Err(LoginError::TooMany);
    }
    let account = match &parsed {
        Ok(name) => Account::get(app.store.as_ref(), name).await.map_err(AccessError::from)?,
        Err(_) => None,
    };
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let fits = app.passwords.verify(password, hash).await?;
    // What is nobody's name may be a password, typed into the wrong field.
    let who = account.as_ref().map_or_else(|| "no such account".to_owned(), |account| account.name.to_string());
    match account.filter(|_| fits) {
        Some(account) => {
            metrics::counter!("vigo_logins_total", "outcome" => "ok").increment(1);
            tracing::info!(%from, account = who, "logged in");
            Ok(seen(app, account, from).await?)
        }
        None => {
            metrics::counter!("vigo_logins_total", "outcome" => "login_failed").increment(1);
            tracing::info!(%from, account = who, "a login failed");
            let failed = audit(&format!("address:{from}"), "login", &who, "login_failed", String::new());
            write(app, &failed).await?;
            Err(LoginError::Failed)
        }
    }
}

async fn write(app: &App, record: &AuditRecord) -> Result<(), AccessError> {
    let key = keyspace::audit_record(clock::random());
    match app.store.commit(Transaction::new().put(key, record.encode())).await? {
        Outcome::Committed(_) | Outcome::Unknown => Ok(()),
        Outcome::Conflict => Err(AccessError::Conflict),
    }
}

/// Writes down when an account last logged in, if it is still the one whose password was given.
async fn seen(app: &App, account: Account, from: ClientAddr) -> Result<Account, LoginError> {
    let store = app.store.as_ref();
    for _ in 0..ATTEMPTS {
        let Some((mut now, revision)) = Account::read(store, &account.name).await.map_err(AccessError::from)? else {
            return Err(LoginError::Failed);
        };
        if now.generation != account.generation {
            return Err(LoginError::Failed);
        }
        now.last_login_at = Some(clock::now());
        let key = format!("{ACCOUNTS}{}", now.name);
        let done = super::keep::done(&now.name.to_string(), "login", &now.name.to_string(), format!("from {from}"));
        if commit(store, Transaction::new().unchanged(key.clone(), revision).put(key, now.encode()), &done).await? {
            return Ok(now);
        }
    }
    Err(AccessError::Conflict.into())
}
