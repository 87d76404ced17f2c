use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use vigo_core::record::EnvoyRecord;
use vigo_core::store::Store;
use vigo_core::{
    ClientAddr, Hostname, Issuer, Pin, SignedRegistration, Takeover, TokenText, UnixTime, VerifiedRegistration,
};

use crate::HashPool;
use crate::decide::decide;
use crate::decision::{Decision, Permit};
use crate::facts::{Facts, Request};
use crate::hook::AdmissionHook;
use crate::limits::{Limiter, Limits};
use crate::refusal::{Reason, Refusal};
use crate::rules::Rules;
use crate::token::TokenKey;

mod enrolment;
mod plan;
mod read;
mod refusal_log;
mod token_check;

use refusal_log::RefusalLog;
use token_check::TokenCheck;

/// What a [`Registrar`] is made of.
///
/// ```
/// # use std::sync::Arc;
/// # use vigo_core::{Admission, ClientAddr, IssueError, IssuedCertificate, Issuer, Pin, Serial, UnixTime};
/// # use vigo_core::store::MemoryStore;
/// # use vigo_enroll::rules::{Reenroll, Rules, TrustedRule};
/// # use vigo_enroll::{HashPool, Registrar, RegistrarParts, Verdict, token::TokenKey};
/// # struct Paper;
/// # impl Issuer for Paper {
/// #     fn check(&self, _: &[u8]) -> Result<(), IssueError> {
/// #         Ok(())
/// #     }
/// #     fn issue(
/// #         &self,
/// #         csr: &[u8],
/// #         _: Admission,
/// #         serial: Serial,
/// #         now: UnixTime,
/// #     ) -> Result<IssuedCertificate, IssueError> {
/// #         Ok(IssuedCertificate { der: csr.to_vec(), serial, key_pin: Pin::of_spki(csr), not_after: now })
/// #     }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let lab = TrustedRule::new("*.lab.example.com".parse()?, vec!["10.1.0.0/24".parse()?])?;
/// let registrar = Registrar::new(RegistrarParts {
///     store: Arc::new(MemoryStore::new()),
///     issuer: Arc::new(Paper), // an `Issuer`: the fleet's CA
///     tokens: TokenKey::derive(&[1; 32]), // of the fleet's secret key
///     hashes: Arc::new(HashPool::new(2.try_into()?, 64, 10)?),
///     rules: Rules::new(vec![lab], vec![], Reenroll::Token),
///     roots: vec![Pin::from([2; 32])], // the CA's
/// });
/// // Who would get in?
/// let (host, now) = ("web1.lab.example.com".parse()?, UnixTime::from_secs(1_780_272_000));
/// let decision = registrar.explain(&host, ClientAddr::new("10.1.0.7".parse()?), None, now).await?;
/// assert!(matches!(decision.verdict, Verdict::Admit(_)));
/// let decision = registrar.explain(&host, ClientAddr::new("192.0.2.7".parse()?), None, now).await?;
/// assert!(matches!(decision.verdict, Verdict::Refuse(_)));
/// # Ok(()) })
/// # }
/// ```
pub struct RegistrarParts<S: Store + ?Sized> {
    /// Where the fleet's facts are kept.
    pub store: Arc<S>,
    /// Who signs certificates.
    pub issuer: Arc<dyn Issuer>,
    /// Checks the MACs of tokens.
    pub tokens: TokenKey,
    /// Checks their secrets.
    pub hashes: Arc<HashPool>,
    /// Who may join.
    pub rules: Rules,
    /// The live roots of the fleet: a registration is meant for one of them.
    pub roots: Vec<Pin>,
}

/// The randomness of one registration; each field is drawn anew for every call.
#[derive(Clone, Copy)]
pub struct Dice {
    /// Becomes the envoy's id.
    pub envoy: [u8; 16],
    /// Becomes the certificate's serial.
    pub serial: [u8; 16],
    /// Becomes the key of the audit record.
    pub audit: [u8; 16],
}

/// A registration that was won.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The new envoy.
    pub record: EnvoyRecord,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// The envoy that it replaced, as it is now: revoked. Close its connections and deny it.
    pub replaced: Option<EnvoyRecord>,
    /// What allowed a name to be enrolled that was not free. [`Permit::AnyWayIn`] is to be logged loudly.
    pub permit: Option<Permit>,
    /// Whether this is the stored result of an equal registration before.
    pub repeated: bool,
}

/// Takes registrations: verifies, decides, has the certificate issued and commits all of it at once.
///
/// A registration happens exactly once, however often it is sent, whoever else sends the like at the same time, and
/// wherever it is cut off: what it changes lies in one commit, and whoever asks again with an equal one (request id,
/// identity key, certificate request, hostname) is given what that commit stored.
///
/// ```
/// # use std::sync::Arc;
/// # use vigo_core::{
/// #     Admission, Audience, ClientAddr, IdentitySecret, IssueError, IssuedCertificate, Issuer, Pin, Platform,
/// #     Registration, RegistrationKind, RequestId, Serial, Takeover, UnixTime, store::MemoryStore,
/// # };
/// # use vigo_enroll::rules::{Reenroll, Rules, TrustedRule};
/// # use vigo_enroll::{Dice, HashPool, Registrar, RegistrarParts, token::TokenKey};
/// # struct Paper;
/// # impl Issuer for Paper {
/// #     fn check(&self, _: &[u8]) -> Result<(), IssueError> {
/// #         Ok(())
/// #     }
/// #     fn issue(
/// #         &self,
/// #         csr: &[u8],
/// #         _: Admission,
/// #         serial: Serial,
/// #         now: UnixTime,
/// #     ) -> Result<IssuedCertificate, IssueError> {
/// #         Ok(IssuedCertificate { der: csr.to_vec(), serial, key_pin: Pin::of_spki(csr), not_after: now })
/// #     }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let secret = IdentitySecret::from_seed(&zeroize::Zeroizing::new([4; 32]));
/// # let registration = Registration {
/// #     kind: RegistrationKind::Enrol,
/// #     request: RequestId::from_random([5; 16]),
/// #     identity: secret.public(),
/// #     csr: vec![6],
/// #     hostname: "web1.lab.example.com".parse()?,
/// #     token: None,
/// #     takeover: Takeover::No,
/// #     reported_ip: None,
/// #     platform: Platform::default(),
/// # };
/// # let root = Pin::from([7; 32]);
/// # let signed = registration.sign(&secret, None, Audience::root(&root))?;
/// # let lab = TrustedRule::new("*.lab.example.com".parse()?, vec!["10.1.0.0/24".parse()?])?;
/// # let parts = RegistrarParts {
/// #     store: Arc::new(MemoryStore::new()),
/// #     issuer: Arc::new(Paper),
/// #     tokens: TokenKey::derive(&[1; 32]),
/// #     hashes: Arc::new(HashPool::new(1.try_into()?, 8, 4)?),
/// #     rules: Rules::new(vec![lab], vec![], Reenroll::Token),
/// #     roots: vec![root],
/// # };
/// # let dice = |byte| Dice { envoy: [byte; 16], serial: [byte; 16], audit: [byte; 16] };
/// let registrar = Registrar::new(parts);
/// let (from, now) = (ClientAddr::new("10.1.0.7".parse()?), UnixTime::from_secs(1_780_272_000));
/// let enrolled = registrar.register(signed.clone(), from, now, dice(1)).await?;
/// assert_eq!(enrolled.record.admitted_by, "trusted:1:*.lab.example.com");
///
/// // The answer got lost on its way. Who asks again is given it again, even though the rule has gone.
/// registrar.set_rules(Rules::new(vec![], vec![], Reenroll::Token));
/// let again = registrar.register(signed, from, now, dice(2)).await?;
/// assert!(again.repeated);
/// assert_eq!((again.record, again.certificate), (enrolled.record, enrolled.certificate));
///
/// // Another machine is told what to do.
/// # let secret = IdentitySecret::from_seed(&zeroize::Zeroizing::new([8; 32]));
/// # let other = Registration { request: RequestId::from_random([8; 16]), identity: secret.public(), ..registration };
/// # let other = other.sign(&secret, None, Audience::root(&root))?;
/// let refusal = registrar.register(other, from, now, dice(3)).await.unwrap_err();
/// assert_eq!(refusal.code(), "not_admitted");
/// assert!(refusal.help().contains("vigocli tokens generate"));
/// # Ok(()) })
/// # }
/// ```
pub struct Registrar<S: Store + ?Sized> {
    store: Arc<S>,
    issuer: Arc<dyn Issuer>,
    tokens: TokenKey,
    hashes: Arc<HashPool>,
    rules: RwLock<Arc<Rules>>,
    roots: RwLock<Arc<[Pin]>>,
    registrations: Limiter,
    token_checks: Limiter,
    replacements: Limiter<Hostname>,
    refusals: Mutex<RefusalLog>,
    hook: Option<Arc<dyn AdmissionHook>>,
}

impl<S: Store + ?Sized> Registrar<S> {
    /// A registrar with the default [`Limits`].
    #[must_use]
    pub fn new(parts: RegistrarParts<S>) -> Self {
        let limits = Limits::default();
        Self {
            store: parts.store,
            issuer: parts.issuer,
            tokens: parts.tokens,
            hashes: parts.hashes,
            rules: RwLock::new(Arc::new(parts.rules)),
            roots: RwLock::new(parts.roots.into()),
            registrations: Limiter::new(limits.registrations),
            token_checks: Limiter::new(limits.tokens),
            replacements: Limiter::new(limits.replacements),
            refusals: Mutex::new(RefusalLog::new(&limits)),
            hook: None,
        }
    }

    /// The same with other limits, nothing of them used up.
    #[must_use]
    pub fn with_limits(self, limits: &Limits) -> Self {
        Self {
            registrations: Limiter::new(limits.registrations),
            token_checks: Limiter::new(limits.tokens),
            replacements: Limiter::new(limits.replacements),
            refusals: Mutex::new(RefusalLog::new(limits)),
            ..self
        }
    }

    /// The same with a hook, which is asked about every machine that the rules admit and may refuse it.
    #[must_use]
    pub fn with_hook(self, hook: Arc<dyn AdmissionHook>) -> Self {
        Self { hook: Some(hook), ..self }
    }

    /// Replaces the rules: after the configuration or an approved pattern changed.
    pub fn set_rules(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the live roots: after a rotation.
    pub fn set_roots(&self, roots: Vec<Pin>) {
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = roots.into();
    }

    fn roots(&self) -> Arc<[Pin]> {
        Arc::clone(&self.roots.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Registers a machine, or says why not.
    ///
    /// `from` is the socket's address (or what a trusted proxy names), `dice` is fresh randomness.
    ///
    /// # Errors
    /// What the machine may be told. Nothing was changed then, except where the store's answer was lost: asking again
    /// with an equal registration finds out and finishes.
    pub async fn register(
        &self,
        signed: SignedRegistration,
        from: ClientAddr,
        now: UnixTime,
        dice: Dice,
    ) -> Result<Enrolled, Refusal> {
        let (subject, result) = match self.verified(signed, from, now) {
            Ok(verified) => {
                let subject = verified.registration().hostname.to_string();
                (subject, enrolment::Enrolment::new(self, &verified, from, now, dice).run().await)
            }
            Err(reason) => (String::new(), Err(reason)),
        };
        match result {
            Ok(enrolled) => Ok(enrolled),
            Err(reason) => {
                let refusal = Refusal::from(reason);
                self.log_refusal(&refusal, subject, from, now, dice.audit).await;
                Err(refusal)
            }
        }
    }

    /// What would become of a host that asked, with every rule and why it lost. Nothing is changed, consumed or counted.
    ///
    /// A token is checked in full; a hook is not asked. The host is taken to be a new machine that asks to replace what
    /// has its name, as the bootstrap script does, and that holds no older identity.
    ///
    /// # Errors
    /// When the store or the hashing threads cannot answer.
    pub async fn explain(
        &self,
        hostname: &Hostname,
        from: ClientAddr,
        token: Option<&TokenText>,
        now: UnixTime,
    ) -> Result<Decision, Refusal> {
        let mut check = TokenCheck::unlimited();
        let token = self.token_fact(token, &mut check, from, now).await?.0;
        let holder = self.holder(hostname).await?.fact;
        let request = Request { hostname: hostname.clone(), from, takeover: Takeover::Asked };
        let facts = Facts { token, holder, ..Facts::stranger() };
        Ok(decide(&request, &facts, &self.rules(), now))
    }

    /// The signature check costs as much as a check-in's, so who asks too often does not even get that.
    fn verified(
        &self,
        signed: SignedRegistration,
        from: ClientAddr,
        now: UnixTime,
    ) -> Result<VerifiedRegistration, Reason> {
        self.registrations.take(from.limit_key(), now).map_err(|wait_secs| Reason::RateLimited { wait_secs })?;
        Ok(signed.verify(&self.roots())?)
    }
}

impl<S: Store + ?Sized> fmt::Debug for Registrar<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar").field("rules", &self.rules()).finish_non_exhaustive()
    }
}
