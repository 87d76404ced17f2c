use async_trait::async_trait;
use vigo_core::{IdentityKey, Platform, UnixTime};

use crate::decision::Grant;
use crate::facts::Request;

/// A machine that the rules admit, and nobody has signed anything for yet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Candidate<'a> {
    /// Its name, where it asks from, and whether it asks to replace another.
    pub request: &'a Request,
    /// What the rules found: the way in, and whom it replaces.
    pub grant: &'a Grant,
    /// The key that it would be known by. It has shown that it holds it.
    pub identity: &'a IdentityKey,
    /// What it says of its agent and system. Nothing of that is proved.
    pub platform: &'a Platform,
    /// When it asks.
    pub now: UnixTime,
}

/// What a hook says. There is no way to say that a machine is to be let in: whom the rules refuse it never hears of.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// What the rules say stands.
    Proceed,
    /// The machine is refused, with code `refused_by_hook`.
    Refuse {
        /// One sentence that says why. The machine is shown it, and the audit log has it: without control characters,
        /// and at most [`HookAnswer::MAX_MESSAGE`] characters of it.
        message: String,
    },
}

impl HookAnswer {
    /// The most characters of a message.
    pub const MAX_MESSAGE: usize = 300;
}

/// An embedder's say in who may join: after the rules said yes, it may say no; never the other way round.
///
/// It is asked between the decision and the certificate, so nothing has to be undone when it refuses: no certificate
/// was signed and no token used. It is asynchronous because it is the place to ask an inventory or a person, and a
/// server has one thread for each core: while a hook waits, it holds up its own registration and no other.
///
/// # Contract
/// - Once for each decision: where somebody else changed what a decision rested on, and the new one is another, the hook
///   is asked again. An equal registration that was won before gets its stored result, and the hook is not asked.
/// - No answer is no: a hook that cannot tell refuses. It sets its own time limit, well below the 30 seconds that a
///   server gives a request.
/// - It must not register through the registrar that asks it, and what it does besides must bear being repeated.
///
/// ```
/// use async_trait::async_trait;
/// use vigo_enroll::{AdmissionHook, Candidate, HookAnswer};
/// # use std::{collections::HashSet, sync::Arc};
/// # use vigo_core::Hostname;
/// # use vigo_core::{
/// #     Admission, Audience, ClientAddr, IdentitySecret, IssueError, IssuedCertificate, Issuer, Pin, Platform,
/// #     Registration, RegistrationKind, RequestId, Serial, Takeover, UnixTime, store::MemoryStore,
/// # };
/// # use vigo_enroll::rules::{Reenroll, Rules, TrustedRule};
/// # use vigo_enroll::{Dice, HashPool, Registrar, RegistrarParts, token::TokenKey};
/// struct Inventory(HashSet<Hostname>);
///
/// #[async_trait]
/// impl AdmissionHook for Inventory {
///     async fn ask(&self, candidate: Candidate<'_>) -> HookAnswer {
///         let name = &candidate.request.hostname;
///         if self.0.contains(name) {
///             HookAnswer::Proceed
///         } else {
///             HookAnswer::Refuse { message: format!("{name} is not in the inventory") }
///         }
///     }
/// }
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
/// # let registrar = Registrar::new(RegistrarParts {
/// #     store: Arc::new(MemoryStore::new()),
/// #     issuer: Arc::new(Paper),
/// #     tokens: TokenKey::derive(&[1; 32]),
/// #     hashes: Arc::new(HashPool::new(1.try_into()?, 8, 4)?),
/// #     rules: Rules::new(vec![lab], vec![], Reenroll::Token),
/// #     roots: vec![root],
/// # });
/// # let dice = Dice { envoy: [1; 16], serial: [2; 16], audit: [3; 16] };
/// # let (from, now) = (ClientAddr::new("10.1.0.7".parse()?), UnixTime::from_secs(1_780_272_000));
///
/// let registrar = registrar.with_hook(Arc::new(Inventory(HashSet::new())));
/// let refusal = registrar.register(signed, from, now, dice).await.unwrap_err();
/// assert_eq!(refusal.code(), "refused_by_hook");
/// assert_eq!(refusal.message(), "web1.lab.example.com is not in the inventory");
/// # Ok(()) })
/// # }
/// ```
#[async_trait]
pub trait AdmissionHook: Send + Sync {
    /// Whether this machine may join after all.
    async fn ask(&self, candidate: Candidate<'_>) -> HookAnswer;
}

#[cfg(test)]
mod tests;
