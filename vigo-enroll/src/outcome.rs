use std::fmt;

use vigo_core::{ApprovalId, EnvoyId, HostPattern, TokenId};

use crate::decision::Permit;
use crate::lost::Lost;

/// Names a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RuleId {
    /// A token, by its id where it has one.
    Token(Option<TokenId>),
    /// Proof by an older identity, by the envoy that is claimed.
    Proof(Option<EnvoyId>),
    /// A trusted rule, by its place in the configuration from 1 on, and its pattern.
    Trusted(usize, HostPattern),
    /// An approved pattern.
    Approved(ApprovalId),
    /// That the identity key and the request id are new.
    Unused,
    /// That the name is free, or may be enrolled anew.
    Replace(Permit),
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(None) => f.write_str("token"),
            Self::Token(Some(id)) => write!(f, "token:{id}"),
            Self::Proof(None) => f.write_str("proof"),
            Self::Proof(Some(envoy)) => write!(f, "proof:{envoy}"),
            Self::Trusted(number, pattern) => write!(f, "trusted:{number}:{pattern}"),
            Self::Approved(id) => write!(f, "approved:{id}"),
            Self::Unused => f.write_str("unused"),
            Self::Replace(permit) => write!(f, "replace:{permit}"),
        }
    }
}

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleOutcome {
    /// Which rule.
    pub rule: RuleId,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Won,
    /// It does not.
    Lost(Lost),
    /// It was not asked.
    Skipped(Skipped),
}

impl Outcome {
    /// `won`, `lost` or `skipped`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost(_) => "lost",
            Self::Skipped(_) => "skipped",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Won => f.write_str("it holds"),
            Self::Lost(lost) => lost.fmt(f),
            Self::Skipped(skipped) => skipped.fmt(f),
        }
    }
}

/// Why a rule was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// A rule before it won.
    AlreadyWon,
    /// A token was given, and a bad one never falls through.
    BadToken,
    /// No way in was won.
    NoWayIn,
    /// A condition before it was not met.
    AlreadyRefused,
    /// The name is free.
    NameFree,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyWon => "a rule before it won",
            Self::BadToken => "the token that was given is refused, and nothing else is tried then",
            Self::NoWayIn => "there was no way in",
            Self::AlreadyRefused => "the request was refused before",
            Self::NameFree => "the name is free",
        })
    }
}
