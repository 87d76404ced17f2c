use vigo_core::record::{ApprovedRecord, Record as _};
use vigo_core::store::{Revision, Store, Transaction, scan_all};
use vigo_core::{ApprovalId, Breadth, HostPattern, keyspace};

use super::{ATTEMPTS, Act, OperateError, Settled, read, words};

/// Whether somebody confirmed that a pattern is to take any host at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyHost {
    /// Nobody did: such a pattern is refused.
    Unconfirmed,
    /// Somebody did.
    Confirmed,
}

impl AnyHost {
    pub(super) fn check(self, pattern: &HostPattern) -> Result<(), OperateError> {
        match (pattern.breadth(), self) {
            (Breadth::Any, Self::Unconfirmed) => Err(OperateError::AnyHost(pattern.clone())),
            (Breadth::Any, Self::Confirmed) | (Breadth::One | Breadth::Some, _) => Ok(()),
        }
    }
}

/// All approved patterns with the commits that wrote them, as [`Rules`](crate::rules::Rules) takes them.
///
/// # Errors
/// When the store cannot answer or a record cannot be read.
pub async fn approvals<S: Store + ?Sized>(store: &S) -> Result<Vec<(ApprovedRecord, Revision)>, OperateError> {
    let page = scan_all(store, keyspace::APPROVED.as_bytes()).await?;
    page.entries.iter().map(|entry| Ok((ApprovedRecord::decode(&entry.value)?, entry.revision))).collect()
}

/// Approves a hostname pattern beforehand. `id` is made of random bytes.
///
/// # Errors
/// `AnyHost` for a pattern that takes any host without confirmation, `Invalid` for an unfit note.
pub async fn add_approval<S: Store + ?Sized>(
    store: &S,
    id: ApprovalId,
    pattern: HostPattern,
    any_host: AnyHost,
    note: &str,
    act: &Act,
) -> Result<ApprovedRecord, OperateError> {
    any_host.check(&pattern)?;
    let note = words("note", note)?;
    let record = ApprovedRecord { id, pattern, note, created_at: act.now, created_by: act.by.clone() };
    let audit = act.audit("approved.add", &id, record.pattern.to_string());
    let key = keyspace::approved(&id);
    for _ in 0..ATTEMPTS {
        let transaction = Transaction::new().absent(key.clone()).put(key.clone(), record.encode());
        match act.commit(store, transaction, &audit).await? {
            Settled::Done => return Ok(record),
            Settled::Again => {}
        }
    }
    Err(OperateError::Conflict)
}

/// Takes an approved pattern back. Who enrolled by it stays.
///
/// # Errors
/// `NotFound` where there is none.
pub async fn remove_approval<S: Store + ?Sized>(
    store: &S,
    id: &ApprovalId,
    act: &Act,
) -> Result<ApprovedRecord, OperateError> {
    let key = keyspace::approved(id);
    let mut before = None;
    for _ in 0..ATTEMPTS {
        let Some((record, revision)) = read::<_, ApprovedRecord>(store, &key).await? else {
            return match before {
                // It was an attempt of ours that came through late.
                Some((record, audit)) if act.is_done(store, &audit).await? => Ok(record),
                _ => Err(OperateError::not_found("approved pattern", id)),
            };
        };
        let audit = act.audit("approved.remove", id, record.pattern.to_string());
        let transaction = Transaction::new().unchanged(key.clone(), revision).delete(key.clone());
        match act.commit(store, transaction, &audit).await? {
            Settled::Done => return Ok(record),
            Settled::Again => before = Some((record, audit)),
        }
    }
    Err(OperateError::Conflict)
}
