//! Reading from the store what a decision needs to know.

use vigo_core::record::{EnvoyRecord, HostClaim, Record, RecordError};
use vigo_core::store::{Revision, Store, StoreError};
use vigo_core::{EnvoyId, Hostname, IdentityKey, VerifiedRegistration, keyspace};

use super::Registrar;
use crate::facts::{HolderFact, IdentityFact, ProofFact};
use crate::refusal::Reason;

/// A record and the commit that wrote it.
pub(super) struct Kept<R> {
    pub(super) record: R,
    pub(super) revision: Revision,
}

/// Who has a hostname: the fact, and what it was read from.
pub(super) struct HolderRead {
    pub(super) fact: HolderFact,
    pub(super) claim: Option<Revision>,
    pub(super) envoy: Option<Kept<EnvoyRecord>>,
}

/// What is known of a proof, and what it was read from.
pub(super) struct ProofRead {
    pub(super) fact: ProofFact,
    pub(super) revision: Option<Revision>,
}

impl<S: Store + ?Sized> Registrar<S> {
    pub(super) async fn record<R: Record>(&self, key: String) -> Result<Option<Kept<R>>, Reason> {
        let Some(entry) = self.store.get(key.as_bytes()).await? else { return Ok(None) };
        let record = R::decode(&entry.value).map_err(|error| damaged(&error))?;
        Ok(Some(Kept { record, revision: entry.revision }))
    }

    /// An envoy that another record names: if it is not there, the store is damaged, and nothing is decided.
    async fn named_envoy(&self, id: &EnvoyId) -> Result<Kept<EnvoyRecord>, Reason> {
        self.record(keyspace::envoy(id))
            .await?
            .ok_or_else(|| Reason::Unavailable(format!("the store is damaged: there is no record of envoy {id}")))
    }

    pub(super) async fn envoy(&self, id: &EnvoyId) -> Result<EnvoyRecord, Reason> {
        Ok(self.named_envoy(id).await?.record)
    }

    pub(super) async fn holder(&self, hostname: &Hostname) -> Result<HolderRead, Reason> {
        let Some(claim) = self.record::<HostClaim>(keyspace::host(hostname)).await? else {
            return Ok(HolderRead { fact: HolderFact::Nobody, claim: None, envoy: None });
        };
        let HostClaim { envoy: id, released, reenroll_until } = claim.record;
        let envoy = self.named_envoy(&id).await?;
        // The envoy's own record counts too: a name is never taken to be held by a revoked envoy.
        let fact = match released.or_else(|| envoy.record.revocation.clone()) {
            None => HolderFact::Envoy { id, reenroll_until },
            Some(revocation) => HolderFact::Released { last: id, revocation, reenroll_until },
        };
        Ok(HolderRead { fact, claim: Some(claim.revision), envoy: Some(envoy) })
    }

    pub(super) async fn identity(&self, key: &IdentityKey) -> Result<IdentityFact, Reason> {
        let Some(entry) = self.store.get(keyspace::identity(key).as_bytes()).await? else {
            return Ok(IdentityFact::Unused);
        };
        let id = EnvoyId::try_from(entry.value.as_slice())
            .map_err(|error| Reason::Unavailable(format!("the store is damaged: the identity {key} is {error}")))?;
        Ok(match self.envoy(&id).await?.revocation {
            None => IdentityFact::Used(id),
            Some(_) => IdentityFact::Revoked(id),
        })
    }

    pub(super) async fn proof(&self, verified: &VerifiedRegistration) -> Result<ProofRead, Reason> {
        let Some(id) = verified.claims() else { return Ok(ProofRead { fact: ProofFact::None, revision: None }) };
        Ok(match self.record::<EnvoyRecord>(keyspace::envoy(&id)).await? {
            None => ProofRead { fact: ProofFact::Unknown(id), revision: None },
            Some(old) if verified.proves(&old.record.identity) => {
                ProofRead { fact: ProofFact::Signed(Box::new(old.record)), revision: Some(old.revision) }
            }
            Some(_) => ProofRead { fact: ProofFact::BadSignature(id), revision: None },
        })
    }
}

pub(super) fn damaged(error: &RecordError) -> Reason {
    Reason::Unavailable(error.to_string())
}

impl From<StoreError> for Reason {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
