//! What one enrolment changes, as one transaction.

use vigo_core::audit::AuditRecord;
use vigo_core::record::{
    DirectiveOutcome, DirectiveRecord, EnvoyRecord, HostClaim, Record as _, RequestRecord, Revocation, RevocationCause,
    TokenUse,
};
use vigo_core::store::{Revision, Transaction};
use vigo_core::{ApprovalId, DirectiveAction, Notice, UnixTime, VerifiedRegistration, keyspace};

use super::enrolment::Read;
use crate::decision::{Grant, Permit};
use crate::facts::{ProofFact, TokenFact};
use crate::outcome::RuleId;
use crate::refusal::Reason;

/// The new envoy, and the one that it replaces.
pub(super) struct Plan {
    pub(super) record: EnvoyRecord,
    pub(super) replaced: Option<EnvoyRecord>,
    pub(super) permit: Option<Permit>,
    way_in: RuleId,
}

impl Plan {
    pub(super) fn new(record: EnvoyRecord, grant: &Grant, read: &Read) -> Result<Self, Reason> {
        let replaced = match (grant.replaces(), &read.holder.envoy) {
            (None, _) => None,
            (Some(id), Some(old)) if old.record.id == id => Some(EnvoyRecord {
                revocation: Some(Revocation {
                    cause: RevocationCause::Replaced,
                    at: record.enrolled_at,
                    by: format!("envoy:{}", record.id),
                    reason: format!("{} enrolled anew", record.hostname),
                }),
                directive: old
                    .record
                    .directive
                    .clone()
                    .map(|directive| settled(directive, grant.permit(), record.enrolled_at)),
                ..old.record.clone()
            }),
            (Some(_), _) => return Err(unread("the envoy to be replaced")),
        };
        Ok(Self { record, replaced, permit: grant.permit(), way_in: grant.way_in().clone() })
    }

    /// Everything that the decision rested on must still be as it was read; then all changes happen together. No key
    /// that other enrolments need is among them, save a token of several uses.
    pub(super) fn transaction(
        &self,
        verified: &VerifiedRegistration,
        certificate: &[u8],
        approved: Option<(ApprovalId, Revision)>,
        read: &Read,
        unique: [u8; 16],
    ) -> Result<Transaction, Reason> {
        let record = &self.record;
        let id = record.id;
        let request = RequestRecord {
            identity: record.identity,
            csr_digest: verified.csr_digest(),
            hostname: record.hostname.clone(),
            envoy: id,
            certificate: certificate.to_vec(),
            at: record.enrolled_at,
        };
        let claim = HostClaim { envoy: id, released: None, reenroll_until: None };
        let host_key = keyspace::host(&record.hostname);
        let mut transaction = Transaction::new().as_read(host_key.clone(), read.holder.claim);
        let new = [
            (keyspace::request(&verified.registration().request), request.encode()),
            (keyspace::identity(&record.identity), id.as_bytes().to_vec()),
            (keyspace::envoy(&id), record.encode()),
            (keyspace::audit_record(unique), self.audit().encode()),
        ];
        let serials = record.certificates.iter().map(|c| (keyspace::serial(&c.serial), id.as_bytes().to_vec()));
        for (key, value) in new.into_iter().chain(serials) {
            transaction = transaction.absent(key.clone()).put(key, value);
        }
        transaction = transaction.put(host_key, claim.encode());

        if let RuleId::Token(_) = self.way_in {
            let (TokenFact::Proved(token), Some(revision)) = (&read.facts.token, read.token) else {
                return Err(unread("the token"));
            };
            let mut token = (**token).clone();
            token.uses.push(TokenUse { envoy: id, identity: record.identity, at: record.enrolled_at });
            let key = keyspace::token(&token.id);
            transaction = transaction.unchanged(key.clone(), revision).put(key, token.encode());
        }
        if let RuleId::Approved(_) = self.way_in {
            let (approval, revision) = approved.ok_or_else(|| unread("the approved pattern"))?;
            transaction = transaction.unchanged(keyspace::approved(&approval), revision);
        }
        if let (Some(old), Some(kept)) = (&self.replaced, &read.holder.envoy) {
            let key = keyspace::envoy(&old.id);
            transaction = transaction.unchanged(key.clone(), kept.revision).put(key, old.encode());
        }
        if let (ProofFact::Signed(old), Some(revision)) = (&read.facts.proof, read.proof)
            && (matches!(self.way_in, RuleId::Proof(_)) || self.permit == Some(Permit::Proof))
            && self.replaced.as_ref().is_none_or(|replaced| replaced.id != old.id)
        {
            transaction = transaction.unchanged(keyspace::envoy(&old.id), revision);
        }
        Ok(transaction)
    }

    fn audit(&self) -> AuditRecord {
        let EnvoyRecord { id, hostname, address, enrolled_at, .. } = &self.record;
        let change = match (&self.replaced, self.permit) {
            (Some(old), Some(Permit::AnyWayIn)) => {
                format!("; REPLACED {} WITHOUT PROOF (bootstrap.reenroll is `any`)", old.id)
            }
            (Some(old), Some(permit)) => format!("; replaced {} (allowed by {permit})", old.id),
            (None, Some(permit)) => format!("; its last envoy was revoked (allowed by {permit})"),
            (_, None) => String::new(),
        };
        let directed = self.replaced.as_ref().and_then(|old| old.directive.as_ref()).filter(|directive| {
            let here = |outcome: &DirectiveOutcome| outcome.at == *enrolled_at && outcome.failure.is_none();
            directive.outcome.as_ref().is_some_and(here)
        });
        let directed = directed.map(|directive| format!("; as {} directed", directive.by)).unwrap_or_default();
        AuditRecord {
            at: *enrolled_at,
            actor: format!("address:{address}"),
            action: "envoy.enrol".to_owned(),
            subject: id.to_string(),
            outcome: "ok".to_owned(),
            detail: format!("{hostname} by {}{change}{directed}", self.way_in),
        }
    }
}

/// The directive of an envoy that is replaced at `now`: enrolling anew was what it asked for, or nobody is left to carry
/// it out.
fn settled(mut record: DirectiveRecord, permit: Option<Permit>, now: UnixTime) -> DirectiveRecord {
    // By its own identity, and nobody else by a token.
    let done = record.directive.action == DirectiveAction::Reenroll && permit == Some(Permit::Proof);
    let failure = (!done).then(|| Notice {
        code: "envoy_replaced".to_owned(),
        message: "another enrolment of the hostname replaced it before it did".to_owned(),
    });
    record.outcome.get_or_insert(DirectiveOutcome { at: now, failure });
    record
}

/// A decision rests on something that was never read. That would be a mistake of ours; nothing is committed on it.
fn unread(what: &str) -> Reason {
    Reason::Unavailable(format!("{what} was not read before it was decided on"))
}
