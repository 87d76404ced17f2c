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
#[async_trait]
pub trait AdmissionHook: Send + Sync {
    /// Whether this machine may join after all.
    async fn ask(&self, candidate: Candidate<'_>) -> HookAnswer;
}

#[cfg(test)]
mod tests;
