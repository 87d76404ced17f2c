use std::fmt;

use vigo_core::EnvoyId;

use crate::outcome::{RuleId, RuleOutcome};
use crate::refusal::Refusal;

/// What became of a request to join, and why. The reply, the audit log and `enroll explain` all read this value.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Admitted or refused.
    pub verdict: Verdict,
    /// Every rule, in the order in which they are asked, with what became of it.
    pub trace: Vec<RuleOutcome>,
}

/// Admitted or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Admitted.
    Admit(Grant),
    /// Refused.
    Refuse(Refusal),
}

/// That the rules admit a request. Only [`decide`](crate::decide) makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(crate) way_in: RuleId,
    pub(crate) replaces: Option<EnvoyId>,
    pub(crate) permit: Option<Permit>,
}

impl Grant {
    /// The way in that won.
    #[must_use]
    pub fn way_in(&self) -> &RuleId {
        &self.way_in
    }

    /// The envoy that loses its place.
    #[must_use]
    pub fn replaces(&self) -> Option<EnvoyId> {
        self.replaces
    }

    /// What allowed a name to be enrolled that was not free.
    #[must_use]
    pub fn permit(&self) -> Option<Permit> {
        self.permit
    }
}

/// What allows a name to be enrolled that is taken, or whose last envoy was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permit {
    /// A signature of the old identity key.
    Proof,
    /// A good token for exactly that name, or made with `--allow-replace`.
    Token,
    /// `envoys allow-reenroll`.
    Window,
    /// `bootstrap.reenroll: any`: nothing was proved.
    AnyWayIn,
}

impl Permit {
    /// All, in the order in which they are asked.
    pub const ALL: [Self; 4] = [Self::Proof, Self::Token, Self::Window, Self::AnyWayIn];
}

impl fmt::Display for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proof => "proof",
            Self::Token => "token",
            Self::Window => "allow-reenroll",
            Self::AnyWayIn => "any",
        })
    }
}
