//! What operators do to a fleet: each act is one commit that includes its audit record.
//!
//! Every function finds out what became of its commit when the store does not know, so an act happens once or not at
//! all, and an error means that it did not, save [`OperateError::Store`] in the middle of finding out.

use vigo_core::audit::AuditRecord;
use vigo_core::record::{Record, RecordError, Revocation, RevocationCause};
use vigo_core::store::{Outcome, Revision, Store, StoreError, Transaction};
use vigo_core::{UnixTime, keyspace};

use crate::hash_pool::HashError;

mod approvals;
mod directives;
mod envoys;
mod tokens;

pub use approvals::{AnyHost, add_approval, approvals, remove_approval};
pub use directives::{direct_envoy, settle_directive};
pub use envoys::{allow_reenroll, delete_envoy, revoke_envoy};
pub use tokens::{TokenDice, TokenRequest, create_token, revoke_token};

/// Who acts, when, and the randomness that makes the audit record's key.
#[derive(Debug)]
pub struct Act {
    /// The operator's name, as the audit log shows it behind `operator:`.
    pub by: String,
    /// When.
    pub now: UnixTime,
    /// 16 random bytes, drawn anew for every act: one that was used before is refused as if somebody else were faster.
    pub audit: [u8; 16],
}

/// Why an act did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperateError {
    /// There is no such thing.
    #[error("there is no {what} {name}")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its id or name.
        name: String,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// It takes any host, and nobody confirmed that.
    #[error("the pattern {0} takes any host at all")]
    AnyHost(vigo_core::HostPattern),
    /// Others kept changing the same thing.
    #[error("somebody else is changing the same thing: try again")]
    Conflict,
    /// A token's secret could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store cannot answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl OperateError {
    /// The stable snake_case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Invalid(_) => "invalid",
            Self::AnyHost(_) => "any_host",
            Self::Conflict => "conflict",
            Self::Hash(HashError::Busy) => "busy",
            Self::Hash(_) | Self::Store(_) | Self::Record(_) => "unavailable",
        }
    }

    /// The next step.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "the list command of the same kind shows what there is",
            Self::Invalid(_) => "change the value and try again",
            Self::AnyHost(_) => {
                "if any host is meant, confirm it with `--yes`; else name the domain, as in `*.example.com`"
            }
            Self::Conflict | Self::Hash(HashError::Busy) => "try again in a few seconds",
            Self::Hash(_) | Self::Store(_) | Self::Record(_) => "the server's log says what failed",
        }
    }

    fn not_found(what: &'static str, name: &impl ToString) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }
}

/// How often an act is tried anew when others change the same thing.
const ATTEMPTS: usize = 16;

/// What became of one attempt.
enum Settled {
    Done,
    Again,
}

impl Act {
    fn audit(&self, action: &str, subject: &impl ToString, detail: String) -> AuditRecord {
        AuditRecord {
            at: self.now,
            actor: format!("operator:{}", self.by),
            action: action.to_owned(),
            subject: subject.to_string(),
            outcome: "ok".to_owned(),
            detail,
        }
    }

    fn revocation(&self, cause: RevocationCause, reason: &str) -> Result<Revocation, OperateError> {
        Ok(Revocation { cause, at: self.now, by: self.by.clone(), reason: words("reason", reason)? })
    }

    /// Commits with the audit record, whose key only this act writes: when the store does not know what became of the
    /// commit, that key tells.
    async fn commit<S: Store + ?Sized>(
        &self,
        store: &S,
        transaction: Transaction,
        audit: &AuditRecord,
    ) -> Result<Settled, OperateError> {
        let key = keyspace::audit_record(self.audit);
        let transaction = transaction.absent(key.clone()).put(key.clone(), audit.encode());
        match store.commit(transaction).await? {
            Outcome::Committed(_) => Ok(Settled::Done),
            // After a conflict too: an attempt before this one may have come through late.
            Outcome::Conflict | Outcome::Unknown if self.is_done(store, audit).await? => Ok(Settled::Done),
            Outcome::Conflict | Outcome::Unknown => Ok(Settled::Again),
        }
    }

    /// Whether this very act is in the audit log.
    async fn is_done<S: Store + ?Sized>(&self, store: &S, audit: &AuditRecord) -> Result<bool, OperateError> {
        let entry = store.get(keyspace::audit_record(self.audit).as_bytes()).await?;
        Ok(entry.is_some_and(|entry| entry.value == audit.encode()))
    }
}

async fn read<S: Store + ?Sized, R: Record>(store: &S, key: &str) -> Result<Option<(R, Revision)>, OperateError> {
    let Some(entry) = store.get(key.as_bytes()).await? else { return Ok(None) };
    Ok(Some((R::decode(&entry.value)?, entry.revision)))
}

/// An operator's words: short, and without what would move a terminal's cursor.
fn words(what: &str, text: &str) -> Result<String, OperateError> {
    /// Characters.
    const LONGEST: usize = 256;
    if text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        return Err(OperateError::Invalid(format!(
            "a {what} has at most {LONGEST} characters, and no line breaks or control characters"
        )));
    }
    Ok(text.to_owned())
}
