use vigo_core::record::{DirectiveOutcome, DirectiveRecord, EnvoyRecord, Record as _};
use vigo_core::store::{Store, Transaction};
use vigo_core::{Directive, DirectiveResult, EnvoyId, keyspace};

use super::{ATTEMPTS, Act, OperateError, Settled, read};

/// Has an envoy do something at its next check-in. One that is to do the same already is left with that; a pending
/// directive to do another thing is replaced.
///
/// ```
/// # use vigo_core::record::{CertificateRecord, EnvoyRecord, Record as _};
/// # use vigo_core::store::{MemoryStore, Store as _, Transaction};
/// # use vigo_core::{ClientAddr, EnvoyId, IdentitySecret, Pin, Platform, Serial, UnixTime, keyspace};
/// use vigo_core::{Directive, DirectiveAction, DirectiveId, DirectiveResult};
/// use vigo_enroll::operate::{Act, direct_envoy, settle_directive};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let act = |byte| Act { by: "ada".to_owned(), now: UnixTime::from_secs(1_780_272_000), audit: [byte; 16] };
/// # let (store, now) = (MemoryStore::new(), UnixTime::from_secs(1_780_272_000));
/// # let (id, serial) = (EnvoyId::from_random([1; 16]), Serial::from_random([2; 16]));
/// # let record = EnvoyRecord {
/// #     id,
/// #     hostname: "web3.example.com".parse()?,
/// #     identity: IdentitySecret::from_seed(&zeroize::Zeroizing::new([3; 32])).public(),
/// #     address: ClientAddr::new("192.0.2.7".parse()?),
/// #     reported_ip: None,
/// #     enrolled_at: now,
/// #     certificates: vec![CertificateRecord { serial, key_pin: Pin::from([4; 32]), not_after: now }],
/// #     admitted_by: "trusted:1:*.example.com".to_owned(),
/// #     platform: Platform::default(),
/// #     revocation: None,
/// #     directive: None,
/// # };
/// # let _ = store.commit(Transaction::new().put(keyspace::envoy(&id), record.encode())).await?;
/// let directive = Directive { id: DirectiveId::from_random([9; 16]), action: DirectiveAction::Update };
/// let record = direct_envoy(&store, &id, directive, &act(1)).await?;
/// assert!(record.directive.is_some_and(|given| given.directive == directive && given.outcome.is_none()));
///
/// // The envoy says what became of it; whatever it says of another one changes nothing.
/// let other = DirectiveResult { id: DirectiveId::from_random([8; 16]), failure: None };
/// assert!(settle_directive(&store, &id, &other, &act(2)).await?.is_none());
/// let done = DirectiveResult { id: directive.id, failure: None };
/// let record = settle_directive(&store, &id, &done, &act(3)).await?.expect("it was pending");
/// assert!(record.directive.is_some_and(|given| given.outcome.is_some()));
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
/// `NotFound` where there is none, `Invalid` for one that is out of service.
pub async fn direct_envoy<S: Store + ?Sized>(
    store: &S,
    id: &EnvoyId,
    directive: Directive,
    act: &Act,
) -> Result<EnvoyRecord, OperateError> {
    let key = keyspace::envoy(id);
    for _ in 0..ATTEMPTS {
        let Some((mut record, revision)) = read::<_, EnvoyRecord>(store, &key).await? else {
            return Err(OperateError::not_found("envoy", id));
        };
        if record.revocation.is_some() {
            return Err(OperateError::Invalid(format!("{} is out of service", record.hostname)));
        }
        let pending = record.directive.as_ref().filter(|given| given.outcome.is_none());
        if pending.is_some_and(|given| given.directive.action == directive.action) {
            return Ok(record);
        }
        let replaced = pending.map(|given| format!(", instead of {}", given.directive.action)).unwrap_or_default();
        let detail = format!("{}: {}{replaced}", record.hostname, directive.action);
        record.directive = Some(DirectiveRecord { directive, at: act.now, by: act.by.clone(), outcome: None });
        let audit = act.audit("envoy.rebootstrap", id, detail);
        let transaction = Transaction::new().unchanged(key.clone(), revision).put(key.clone(), record.encode());
        match act.commit(store, transaction, &audit).await? {
            Settled::Done => return Ok(record),
            Settled::Again => {}
        }
    }
    Err(OperateError::Conflict)
}

/// Writes down what an envoy says became of its directive. `None`: that one is not pending, and nothing was changed.
///
/// The act is the envoy's: its audit record names the envoy, whatever `act.by` says.
///
/// # Errors
/// `NotFound` where there is no such envoy.
pub async fn settle_directive<S: Store + ?Sized>(
    store: &S,
    id: &EnvoyId,
    result: &DirectiveResult,
    act: &Act,
) -> Result<Option<EnvoyRecord>, OperateError> {
    let key = keyspace::envoy(id);
    let outcome = DirectiveOutcome { at: act.now, failure: result.failure.clone() };
    for _ in 0..ATTEMPTS {
        let Some((mut record, revision)) = read::<_, EnvoyRecord>(store, &key).await? else {
            return Err(OperateError::not_found("envoy", id));
        };
        let Some(given) = record.directive.as_mut().filter(|given| given.directive.id == result.id) else {
            return Ok(None);
        };
        match &given.outcome {
            // An attempt of ours that came through late, or another server was faster.
            Some(there) if *there == outcome => return Ok(Some(record)),
            Some(_) => return Ok(None),
            None => given.outcome = Some(outcome.clone()),
        }
        let mut audit = act.audit("envoy.rebootstrap", id, format!("{}: {}", record.hostname, given.directive.action));
        audit.actor = format!("envoy:{id}");
        if let Some(failure) = &result.failure {
            failure.code.clone_into(&mut audit.outcome);
            audit.detail = format!("{}: {}", audit.detail, failure.message);
        }
        let transaction = Transaction::new().unchanged(key.clone(), revision).put(key.clone(), record.encode());
        match act.commit(store, transaction, &audit).await? {
            Settled::Done => return Ok(Some(record)),
            Settled::Again => {}
        }
    }
    Err(OperateError::Conflict)
}
