use vigo_core::record::{EnvoyRecord, HostClaim, Record as _, Revocation, RevocationCause};
use vigo_core::store::{Store, Transaction};
use vigo_core::{EnvoyId, Hostname, UnixTime, keyspace};

use super::{ATTEMPTS, Act, OperateError, Settled, read};

/// Takes an envoy out of service for ever: its id and its key never come back. Its name may, as a new envoy, with a token
/// for exactly that name or after [`allow_reenroll`]. One that is out of service already stays as it is.
///
/// ```
/// # use vigo_core::record::{CertificateRecord, EnvoyRecord, HostClaim, Record as _};
/// # use vigo_core::store::{MemoryStore, Store as _, Transaction};
/// # use vigo_core::{ClientAddr, EnvoyId, IdentitySecret, Pin, Platform, Serial, UnixTime, keyspace};
/// use vigo_core::record::RevocationCause;
/// use vigo_enroll::operate::{Act, revoke_envoy};
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
/// # let claim = HostClaim { envoy: id, released: None, reenroll_until: None };
/// # let enrol = Transaction::new().put(keyspace::envoy(&id), record.encode());
/// # let _ = store.commit(enrol.put(keyspace::host(&record.hostname), claim.encode())).await?;
/// let revoked = revoke_envoy(&store, &id, "sold", &act(1)).await?.revocation.expect("it was done");
/// assert_eq!((revoked.cause, revoked.reason.as_str()), (RevocationCause::Operator, "sold"));
///
/// // Done once: the first reason stays.
/// let again = revoke_envoy(&store, &id, "stolen", &act(2)).await?;
/// assert_eq!(again.revocation, Some(revoked));
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
/// `NotFound` where there is none or it was deleted, `Invalid` for an unfit reason.
pub async fn revoke_envoy<S: Store + ?Sized>(
    store: &S,
    id: &EnvoyId,
    reason: &str,
    act: &Act,
) -> Result<EnvoyRecord, OperateError> {
    take_out(store, id, act.revocation(RevocationCause::Operator, reason)?, act).await
}

/// Revokes an envoy and hides it: its record stays as the tombstone of its id, key and serials. Its name is no freer than
/// after [`revoke_envoy`].
///
/// ```
/// # use vigo_core::record::{CertificateRecord, EnvoyRecord, HostClaim, Record as _};
/// # use vigo_core::store::{MemoryStore, Store as _, Transaction};
/// # use vigo_core::{ClientAddr, EnvoyId, IdentitySecret, Pin, Platform, Serial, UnixTime, keyspace};
/// use vigo_enroll::operate::{Act, delete_envoy};
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
/// # let claim = HostClaim { envoy: id, released: None, reenroll_until: None };
/// # let enrol = Transaction::new().put(keyspace::envoy(&id), record.encode());
/// # let _ = store.commit(enrol.put(keyspace::host(&record.hostname), claim.encode())).await?;
/// let deleted = delete_envoy(&store, &id, "sold", &act(1)).await?;
///
/// // For operators it is gone; the store remembers it, so that neither id nor key comes back.
/// assert_eq!(delete_envoy(&store, &id, "sold", &act(2)).await.unwrap_err().code(), "not_found");
/// let kept = store.get(keyspace::envoy(&id).as_bytes()).await?.expect("a tombstone");
/// assert_eq!(EnvoyRecord::decode(&kept.value)?, deleted);
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
/// `NotFound` where there is none or it was deleted already, `Invalid` for an unfit reason.
pub async fn delete_envoy<S: Store + ?Sized>(
    store: &S,
    id: &EnvoyId,
    reason: &str,
    act: &Act,
) -> Result<EnvoyRecord, OperateError> {
    take_out(store, id, act.revocation(RevocationCause::Deleted, reason)?, act).await
}

async fn take_out<S: Store + ?Sized>(
    store: &S,
    id: &EnvoyId,
    revocation: Revocation,
    act: &Act,
) -> Result<EnvoyRecord, OperateError> {
    let action = match revocation.cause {
        RevocationCause::Operator | RevocationCause::Replaced => "envoy.revoke",
        RevocationCause::Deleted => "envoy.delete",
    };
    let key = keyspace::envoy(id);
    let mut before = None;
    for _ in 0..ATTEMPTS {
        let Some((mut record, revision)) = read::<_, EnvoyRecord>(store, &key).await? else {
            return Err(OperateError::not_found("envoy", id));
        };
        match (&record.revocation, revocation.cause) {
            (Some(Revocation { cause: RevocationCause::Deleted, .. }), _) => {
                return match before {
                    // It was an attempt of ours that came through late.
                    Some((record, audit)) if act.is_done(store, &audit).await? => Ok(record),
                    _ => Err(OperateError::not_found("envoy", id)),
                };
            }
            (Some(_), RevocationCause::Operator | RevocationCause::Replaced) => return Ok(record),
            (Some(_), RevocationCause::Deleted) | (None, _) => {}
        }
        record.revocation = Some(revocation.clone());
        let mut transaction = Transaction::new().unchanged(key.clone(), revision).put(key.clone(), record.encode());
        let host = keyspace::host(&record.hostname);
        if let Some((claim, read)) = read::<_, HostClaim>(store, &host).await? {
            transaction = transaction.unchanged(host.clone(), read);
            // A name that was given up before stays given up as it was; a successor keeps it.
            if claim.envoy == *id && claim.released.is_none() {
                let claim = HostClaim { envoy: *id, released: Some(revocation.clone()), reenroll_until: None };
                transaction = transaction.put(host, claim.encode());
            }
        }
        let audit = act.audit(action, id, detail(&record.hostname, &revocation.reason));
        match act.commit(store, transaction, &audit).await? {
            Settled::Done => return Ok(record),
            Settled::Again => before = Some((record, audit)),
        }
    }
    Err(OperateError::Conflict)
}

fn detail(hostname: &Hostname, reason: &str) -> String {
    if reason.is_empty() { hostname.to_string() } else { format!("{hostname}: {reason}") }
}

/// Allows a hostname to be enrolled once more until `until`, replacing the envoy that has it, by any way in.
///
/// ```
/// # use std::time::Duration;
/// # use vigo_core::record::{HostClaim, Record as _};
/// # use vigo_core::store::{MemoryStore, Store as _, Transaction};
/// # use vigo_core::{EnvoyId, Hostname, UnixTime, keyspace};
/// use vigo_enroll::operate::{Act, allow_reenroll};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let act = |byte| Act { by: "ada".to_owned(), now: UnixTime::from_secs(1_780_272_000), audit: [byte; 16] };
/// # let (store, now) = (MemoryStore::new(), UnixTime::from_secs(1_780_272_000));
/// # let host: Hostname = "web3.example.com".parse()?;
/// # let claim = HostClaim { envoy: EnvoyId::from_random([1; 16]), released: None, reenroll_until: None };
/// # let _ = store.commit(Transaction::new().put(keyspace::host(&host), claim.encode())).await?;
/// let until = now.after(Duration::from_secs(3600));
/// assert_eq!(allow_reenroll(&store, &host, until, &act(1)).await?.reenroll_until, Some(until));
///
/// // A name that nobody ever had needs no leave.
/// let free = "web4.example.com".parse()?;
/// assert_eq!(allow_reenroll(&store, &free, until, &act(2)).await.unwrap_err().code(), "not_found");
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
/// `NotFound` where no envoy ever had that name (it is free), `Invalid` when `until` is over.
pub async fn allow_reenroll<S: Store + ?Sized>(
    store: &S,
    hostname: &Hostname,
    until: UnixTime,
    act: &Act,
) -> Result<HostClaim, OperateError> {
    if until <= act.now {
        return Err(OperateError::Invalid("the time until which it is allowed is over".to_owned()));
    }
    let key = keyspace::host(hostname);
    for _ in 0..ATTEMPTS {
        let Some((mut claim, revision)) = read::<_, HostClaim>(store, &key).await? else {
            return Err(OperateError::not_found("envoy of the hostname", hostname));
        };
        claim.reenroll_until = Some(until);
        let seconds = until.since(act.now).as_secs();
        let audit = act.audit("envoy.allow-reenroll", hostname, format!("for {seconds} s"));
        let transaction = Transaction::new().unchanged(key.clone(), revision).put(key.clone(), claim.encode());
        match act.commit(store, transaction, &audit).await? {
            Settled::Done => return Ok(claim),
            Settled::Again => {}
        }
    }
    Err(OperateError::Conflict)
}
