//! Where accounts, API tokens and sessions lie in the store, and how a change of one is committed with its audit record.

use vigo_core::audit::AuditRecord;
use vigo_core::record::Record as _;
use vigo_core::store::{Outcome, Revision, Store, StoreError, Transaction};
use vigo_core::{UnixTime, keyspace};

use crate::clock;

/// All accounts.
pub(super) const ACCOUNTS: &str = "operator/account/";
/// All API tokens.
pub(super) const TOKENS: &str = "operator/token/";
/// All sessions.
pub(super) const SESSIONS: &str = "operator/session/";

/// How often a change is tried anew when others change the same thing.
pub(super) const ATTEMPTS: usize = 16;

/// Why something about operators was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AccessError {
    /// There is none.
    #[error("there is no {0} {1}")]
    NotFound(&'static str, String),
    /// There is one already.
    #[error("there is an account {0} already")]
    Exists(String),
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Nobody could make accounts any more, save on the server's host.
    #[error("{0} is the last admin")]
    LastAdmin(String),
    /// Others kept changing the same thing.
    #[error("somebody else is changing the same thing")]
    Conflict,
    /// Too many passwords are being hashed.
    #[error("too many passwords are being checked at the moment")]
    Busy,
    /// The store cannot answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccessError {
    /// The stable code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NotFound(..) => "not_found",
            Self::Exists(_) => "exists",
            Self::Invalid(_) => "invalid",
            Self::LastAdmin(_) => "last_admin",
            Self::Conflict => "conflict",
            Self::Busy => "busy",
            Self::Store(_) => "unavailable",
        }
    }

    /// The next step.
    pub(crate) const fn help(&self) -> &'static str {
        match self {
            Self::NotFound(..) => "the list of the same kind shows what there is",
            Self::Exists(_) => "choose another name, or change that account",
            Self::Invalid(_) => "change the value and try again",
            Self::LastAdmin(_) => "make another account an admin first",
            Self::Conflict | Self::Busy => "try again in a few seconds",
            Self::Store(_) => "the server's log says what failed",
        }
    }
}

/// A record that cannot be read.
pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("a stored {what} cannot be read"))
}

/// What an operator did, for the audit log.
pub(super) fn done(by: &str, action: &str, subject: &str, detail: String) -> AuditRecord {
    audit(&format!("operator:{by}"), action, subject, "ok", detail)
}

/// Who did what, for the audit log.
pub(super) fn audit(actor: &str, action: &str, subject: &str, outcome: &str, detail: String) -> AuditRecord {
    AuditRecord {
        at: clock::now(),
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        outcome: outcome.to_owned(),
        detail,
    }
}

/// Commits a change with its audit record, whose key only this commit writes: it tells what became of one whose outcome
/// the store does not know. `false`: something was changed meanwhile, read again.
pub(super) async fn commit(
    store: &dyn Store,
    transaction: Transaction,
    record: &AuditRecord,
) -> Result<bool, AccessError> {
    let key = keyspace::audit_record(clock::random());
    let transaction = transaction.absent(key.clone()).put(key.clone(), record.encode());
    Ok(match store.commit(transaction).await? {
        Outcome::Committed(_) => true,
        Outcome::Conflict => false,
        Outcome::Unknown => store.get(key.as_bytes()).await?.is_some(),
    })
}

/// A value and the commit that wrote it.
pub(super) async fn read<T>(
    store: &dyn Store,
    key: &str,
    decode: impl Fn(&[u8]) -> Result<T, StoreError>,
) -> Result<Option<(T, Revision)>, StoreError> {
    let Some(entry) = store.get(key.as_bytes()).await? else { return Ok(None) };
    Ok(Some((decode(&entry.value)?, entry.revision)))
}

/// Seconds as the store keeps them; 0 for never.
pub(super) fn seconds(time: Option<UnixTime>) -> u64 {
    time.map_or(0, UnixTime::as_secs)
}

/// And back.
pub(super) fn time(seconds: u64) -> Option<UnixTime> {
    (seconds != 0).then(|| UnixTime::from_secs(seconds))
}
