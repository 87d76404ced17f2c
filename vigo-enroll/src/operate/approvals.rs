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
/// ```
/// # use vigo_core::{ApprovalId, ClientAddr, Takeover, UnixTime, store::MemoryStore};
/// use vigo_enroll::operate::{Act, AnyHost, add_approval, approvals};
/// use vigo_enroll::rules::{Reenroll, Rules};
/// # use vigo_enroll::{Facts, Request, Verdict, decide};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let act = |byte| Act { by: "ada".to_owned(), now: UnixTime::from_secs(1_780_272_000), audit: [byte; 16] };
/// # let (store, id) = (MemoryStore::new(), ApprovalId::from_random([1; 16]));
/// add_approval(&store, id, "web*.example.com".parse()?, AnyHost::Unconfirmed, "", &act(1)).await?;
///
/// // For `Registrar::set_rules`, whenever they changed.
/// let rules = Rules::new(vec![], approvals(&store).await?, Reenroll::Token);
/// # let (now, from) = (UnixTime::from_secs(1_780_272_000), ClientAddr::new("192.0.2.7".parse()?));
/// let request = Request { hostname: "web1.example.com".parse()?, from, takeover: Takeover::No };
/// assert!(matches!(decide(&request, &Facts::stranger(), &rules, now).verdict, Verdict::Admit(_)));
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
/// When the store cannot answer or a record cannot be read.
pub async fn approvals<S: Store + ?Sized>(store: &S) -> Result<Vec<(ApprovedRecord, Revision)>, OperateError> {
    let page = scan_all(store, keyspace::APPROVED.as_bytes()).await?;
    page.entries.iter().map(|entry| Ok((ApprovedRecord::decode(&entry.value)?, entry.revision))).collect()
}

/// Approves a hostname pattern beforehand. `id` is made of random bytes. A registrar knows of it once it was given the
/// rules anew, with [`approvals`] and [`Registrar::set_rules`](crate::Registrar::set_rules).
///
/// ```
/// # use vigo_core::{ApprovalId, UnixTime, store::MemoryStore};
/// use vigo_enroll::operate::{Act, AnyHost, add_approval};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let act = |byte| Act { by: "ada".to_owned(), now: UnixTime::from_secs(1_780_272_000), audit: [byte; 16] };
/// # let (store, id) = (MemoryStore::new(), ApprovalId::from_random([1; 16]));
/// let web = "web*.example.com".parse()?;
/// let added = add_approval(&store, id, web, AnyHost::Unconfirmed, "the new rack", &act(1)).await?;
/// assert_eq!((added.id, added.created_by.as_str()), (id, "ada"));
///
/// let id = ApprovalId::from_random([2; 16]);
/// let error = add_approval(&store, id, "*".parse()?, AnyHost::Unconfirmed, "", &act(2)).await.unwrap_err();
/// assert_eq!(error.code(), "any_host");
/// # Ok(()) })
/// # }
/// ```
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
/// ```
/// # use vigo_core::{ApprovalId, UnixTime, store::MemoryStore};
/// use vigo_enroll::operate::{Act, approvals, remove_approval};
/// # use vigo_enroll::operate::{AnyHost, add_approval};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let act = |byte| Act { by: "ada".to_owned(), now: UnixTime::from_secs(1_780_272_000), audit: [byte; 16] };
/// # let (store, id) = (MemoryStore::new(), ApprovalId::from_random([1; 16]));
/// # add_approval(&store, id, "web*.example.com".parse()?, AnyHost::Unconfirmed, "", &act(1)).await?;
/// let removed = remove_approval(&store, &id, &act(2)).await?;
/// assert_eq!(removed.pattern.as_str(), "web*.example.com");
/// assert!(approvals(&store).await?.is_empty());
/// assert_eq!(remove_approval(&store, &id, &act(3)).await.unwrap_err().code(), "not_found");
/// # Ok(()) })
/// # }
/// ```
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
