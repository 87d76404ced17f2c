//! One registration, from what is known of it to the commit.

use std::sync::Arc;

use vigo_core::record::{ApprovedRecord, CertificateRecord, EnvoyRecord, RequestRecord};
use vigo_core::store::{Outcome, Revision, Store};
use vigo_core::{
    Admission, ApprovalId, ClientAddr, EnvoyId, IssuedCertificate, Registration, RegistrationKind, Serial, UnixTime,
    VerifiedRegistration, keyspace,
};

use super::plan::Plan;
use super::read::{HolderRead, Kept};
use super::token_check::TokenCheck;
use super::{Dice, Enrolled, Registrar};
use crate::decide::verdict;
use crate::decision::Grant;
use crate::facts::{Facts, Request, RequestFact, TokenFact};
use crate::hook::{Candidate, HookAnswer};
use crate::outcome::RuleId;
use crate::refusal::Reason;
use crate::rules::Rules;

/// How often the facts are read anew when somebody else changed them. Of those who race for one record each round has a
/// winner, so this many may race at once; the pool of bcrypt threads lets far fewer through.
const ATTEMPTS: usize = 64;

/// A registration under way. What is drawn, hashed and signed once is kept over its attempts.
pub(super) struct Enrolment<'a, S: Store + ?Sized> {
    registrar: &'a Registrar<S>,
    verified: &'a VerifiedRegistration,
    from: ClientAddr,
    now: UnixTime,
    dice: Dice,
    envoy: EnvoyId,
    token: TokenCheck,
    passed: Option<Grant>,
    counted: bool,
    issued: Option<IssuedCertificate>,
    plan: Option<Plan>,
}

/// What one attempt read.
pub(super) struct Read {
    pub(super) facts: Facts,
    pub(super) token: Option<Revision>,
    pub(super) proof: Option<Revision>,
    pub(super) holder: HolderRead,
}

impl<'a, S: Store + ?Sized> Enrolment<'a, S> {
    pub(super) fn new(
        registrar: &'a Registrar<S>,
        verified: &'a VerifiedRegistration,
        from: ClientAddr,
        now: UnixTime,
        dice: Dice,
    ) -> Self {
        let envoy = EnvoyId::from_random(dice.envoy);
        let token = TokenCheck::limited();
        Self {
            registrar,
            verified,
            from,
            now,
            dice,
            envoy,
            token,
            passed: None,
            counted: false,
            issued: None,
            plan: None,
        }
    }

    pub(super) async fn run(mut self) -> Result<Enrolled, Reason> {
        let mut rules = self.registrar.rules();
        for _ in 0..ATTEMPTS {
            let stored = self.registrar.record::<RequestRecord>(self.request_key()).await?;
            let request = match stored {
                Some(Kept { record, .. }) if self.is_equal(&record) => return self.repeat(record).await,
                Some(_) => RequestFact::Used,
                None if self.registration().kind == RegistrationKind::Repeat => return Err(Reason::NeverWon),
                None => RequestFact::Unused,
            };
            let read = self.read(request).await?;
            let grant = match self.decide(&read, &rules) {
                Ok(grant) => grant,
                Err(reason) => return self.refused(reason, &read.facts).await,
            };
            let approved = match grant.way_in() {
                RuleId::Approved(id) => match self.approved(id, &rules).await? {
                    Some(revision) => Some((*id, revision)),
                    None => {
                        rules = Self::without(*id, &rules);
                        continue;
                    }
                },
                _ => None,
            };
            if let Err(reason) = self.ask_hook(&grant).await {
                return self.refused(reason, &read.facts).await;
            }
            self.count(&grant)?;
            let record = self.issue(&grant)?;
            let plan = Plan::new(record, &grant, &read)?;
            let certificate = self.issued.as_ref().map(|issued| issued.der.as_slice()).unwrap_or_default();
            let transaction = plan.transaction(self.verified, certificate, approved, &read, self.dice.audit)?;
            // Somebody was faster, or nobody knows: what the store has now decides. All that is drawn stays the same, so a
            // lost commit that comes through late and the next attempt can never both happen; and of them it is never
            // the one that met a conflict.
            match self.registrar.store.commit(transaction).await? {
                Outcome::Committed(_) => {
                    self.plan = Some(plan);
                    return self.enrolled();
                }
                Outcome::Unknown => self.plan = Some(plan),
                Outcome::Conflict => {}
            }
        }
        Err(Reason::Busy)
    }

    fn registration(&self) -> &'a Registration {
        self.verified.registration()
    }

    fn request_key(&self) -> String {
        keyspace::request(&self.registration().request)
    }

    fn is_equal(&self, stored: &RequestRecord) -> bool {
        let asked = self.registration();
        stored.identity == asked.identity
            && stored.hostname == asked.hostname
            && stored.csr_digest == self.verified.csr_digest()
    }

    /// The stored result: of an attempt of ours whose answer was lost, or of an equal registration before.
    async fn repeat(self, stored: RequestRecord) -> Result<Enrolled, Reason> {
        let record = self.registrar.envoy(&stored.envoy).await?;
        if record.revocation.is_some() {
            return Err(Reason::EnvoyRevoked(record.id));
        }
        if stored.envoy == self.envoy {
            return self.enrolled();
        }
        Ok(Enrolled { record, certificate: stored.certificate, replaced: None, permit: None, repeated: true })
    }

    /// An equal registration at the same time, or an attempt of ours that came through late, may be what refuses this
    /// one: the token is spent, the key is used, the name is taken, by itself. Its result is stored then, and was not
    /// when the request was looked up.
    async fn refused(self, reason: Reason, facts: &Facts) -> Result<Enrolled, Reason> {
        let cannot_be_ours = match facts.token {
            TokenFact::None | TokenFact::Proved(_) => facts.request == RequestFact::Used,
            TokenFact::Malformed | TokenFact::Forged | TokenFact::Unknown(_) | TokenFact::WrongSecret(_) => true,
        };
        if cannot_be_ours {
            return Err(reason);
        }
        match self.registrar.record::<RequestRecord>(self.request_key()).await? {
            Some(Kept { record, .. }) if self.is_equal(&record) => self.repeat(record).await,
            Some(_) | None => Err(reason),
        }
    }

    async fn read(&mut self, request: RequestFact) -> Result<Read, Reason> {
        let asked = self.registration();
        let registrar = self.registrar;
        let (token, token_revision) =
            registrar.token_fact(asked.token.as_ref(), &mut self.token, self.from, self.now).await?;
        match token {
            TokenFact::None | TokenFact::Proved(_) => {}
            // Refused, whatever else is true: no more is read for it.
            TokenFact::Malformed | TokenFact::Forged | TokenFact::Unknown(_) | TokenFact::WrongSecret(_) => {
                let facts = Facts { token, ..Facts::stranger() };
                let holder = HolderRead { fact: facts.holder.clone(), claim: None, envoy: None };
                return Ok(Read { facts, token: token_revision, proof: None, holder });
            }
        }
        let identity = registrar.identity(&asked.identity).await?;
        let holder = registrar.holder(&asked.hostname).await?;
        let proof = registrar.proof(self.verified).await?;
        let facts = Facts { token, proof: proof.fact, holder: holder.fact.clone(), identity, request };
        Ok(Read { facts, token: token_revision, proof: proof.revision, holder })
    }

    fn request(&self) -> Request {
        let asked = self.registration();
        Request { hostname: asked.hostname.clone(), from: self.from, takeover: asked.takeover }
    }

    fn decide(&self, read: &Read, rules: &Rules) -> Result<Grant, Reason> {
        verdict(&self.request(), &read.facts, rules, self.now)
    }

    /// Asks the hook, unless it has let this very grant pass before.
    async fn ask_hook(&mut self, grant: &Grant) -> Result<(), Reason> {
        let Some(hook) = self.registrar.hook.as_ref().filter(|_| self.passed.as_ref() != Some(grant)) else {
            return Ok(());
        };
        let Registration { identity, platform, .. } = self.registration();
        let request = self.request();
        match hook.ask(Candidate { request: &request, grant, identity, platform, now: self.now }).await {
            HookAnswer::Proceed => {
                self.passed = Some(grant.clone());
                Ok(())
            }
            HookAnswer::Refuse { message } => Err(Reason::RefusedByHook { message }),
        }
    }

    /// Counts a replacement, once over all attempts.
    fn count(&mut self, grant: &Grant) -> Result<(), Reason> {
        if grant.replaces().is_some() && !self.counted {
            let hostname = self.registration().hostname.clone();
            let taken = self.registrar.replacements.take(hostname, self.now);
            taken.map_err(|wait_secs| Reason::RateLimited { wait_secs })?;
            self.counted = true;
        }
        Ok(())
    }

    /// The commit that wrote an approved pattern, if it is still the one that the rules know.
    async fn approved(&self, id: &ApprovalId, rules: &Rules) -> Result<Option<Revision>, Reason> {
        let known = rules.approved.iter().find(|(record, _)| record.id == *id);
        let stored = self.registrar.record::<ApprovedRecord>(keyspace::approved(id)).await?;
        Ok(match (known, stored) {
            (Some((known, _)), Some(stored)) if **known == stored.record => Some(stored.revision),
            _ => None,
        })
    }

    /// The rules without an approval that was removed since they were made.
    fn without(id: ApprovalId, rules: &Rules) -> Arc<Rules> {
        let rest = rules.approved.iter().filter(|(record, _)| record.id != id);
        let rest = rest.map(|(record, revision)| ((**record).clone(), *revision)).collect();
        Arc::new(rules.with_approved(rest))
    }

    /// The envoy, with a certificate that is issued at the first attempt and kept for the others.
    fn issue(&mut self, grant: &Grant) -> Result<EnvoyRecord, Reason> {
        let asked = self.registration();
        let issued = match &self.issued {
            Some(issued) => issued,
            None => {
                let issuer = &self.registrar.issuer;
                issuer.check(&asked.csr)?;
                let admission = Admission::assertion(self.envoy, asked.hostname.clone(), asked.identity, self.from);
                let serial = Serial::from_random(self.dice.serial);
                self.issued.insert(issuer.issue(&asked.csr, admission, serial, self.now)?)
            }
        };
        Ok(EnvoyRecord {
            id: self.envoy,
            hostname: asked.hostname.clone(),
            identity: asked.identity,
            address: self.from,
            reported_ip: asked.reported_ip,
            enrolled_at: self.now,
            certificates: vec![CertificateRecord {
                serial: issued.serial,
                key_pin: issued.key_pin,
                not_after: issued.not_after,
            }],
            admitted_by: grant.way_in().to_string(),
            platform: asked.platform.clone(),
            revocation: None,
            directive: None,
        })
    }

    fn enrolled(self) -> Result<Enrolled, Reason> {
        let (Some(plan), Some(issued)) = (self.plan, self.issued) else {
            return Err(Reason::Unavailable("an enrolment is stored that was never planned".to_owned()));
        };
        let Plan { record, replaced, permit, .. } = plan;
        Ok(Enrolled { record, certificate: issued.der, replaced, permit, repeated: false })
    }
}
