use std::fmt;

use vigo_core::record::{Revocation, RevocationCause};
use vigo_core::{Cidr, ClientAddr, EnvoyId, HostPattern, Hostname, TokenId, UnixTime};

use crate::rules::Reenroll;

/// The predicate that did not hold, with both values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// No token was given.
    NoToken,
    /// It is no token.
    TokenMalformed,
    /// Its MAC does not fit.
    TokenForged,
    /// No such token.
    TokenUnknown(TokenId),
    /// Another secret.
    WrongSecret(TokenId),
    /// All uses spent.
    UsedUp {
        /// How many it was used for.
        used: usize,
        /// How many it was good for.
        allowed: u32,
    },
    /// Revoked.
    Revoked(Revocation),
    /// Over.
    Expired {
        /// Since when.
        at: UnixTime,
        /// When it was given.
        now: UnixTime,
    },
    /// The pattern does not take the name.
    OtherHost {
        /// The pattern.
        pattern: HostPattern,
        /// The name.
        hostname: Hostname,
    },
    /// The address lies in none of the networks.
    OtherNetwork {
        /// The networks.
        cidrs: Vec<Cidr>,
        /// The address.
        from: ClientAddr,
    },
    /// No proof was given.
    NoProof,
    /// The proof names an envoy that is not known.
    ProofUnknown(EnvoyId),
    /// The proof is not by that envoy's key.
    ProofForged(EnvoyId),
    /// A revoked key proves nothing.
    ProofRevoked(EnvoyId, RevocationCause),
    /// The proof is of an envoy of another name.
    ProofOtherHost {
        /// The envoy's.
        proved: Hostname,
        /// The request's.
        hostname: Hostname,
    },
    /// The proof is of another envoy than the one that has the name.
    ProofOtherEnvoy {
        /// The one that is proved.
        proved: EnvoyId,
        /// The one that has the name.
        holder: EnvoyId,
    },
    /// The identity key belongs to an envoy.
    IdentityUsed(EnvoyId),
    /// The identity key belongs to a revoked envoy.
    IdentityRevoked(EnvoyId),
    /// The request id was used for another registration.
    RequestReused,
    /// The name is taken and no replacement was asked for.
    NotAsked(EnvoyId),
    /// The mode does not have this rule.
    Mode(Reenroll),
    /// The token is for more names than this one and was not made to replace.
    TokenNotExact {
        /// Its pattern.
        pattern: HostPattern,
        /// The name.
        hostname: Hostname,
    },
    /// No token won.
    NoTokenWon,
    /// No operator allowed it.
    NoWindow,
    /// What an operator allowed is over.
    WindowOver {
        /// Since when.
        until: UnixTime,
        /// When it was asked.
        now: UnixTime,
    },
    /// An operator revoked the name's last envoy; this is not enough to bring it back.
    NameRevoked(EnvoyId),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken => f.write_str("no token was given"),
            Self::TokenMalformed => f.write_str("what was given is not of the form of a token"),
            Self::TokenForged => f.write_str("the token's MAC does not fit: it is mistyped or another fleet's"),
            Self::TokenUnknown(id) => write!(f, "there is no token {id}"),
            Self::WrongSecret(id) => write!(f, "the secret is not that of token {id}"),
            Self::UsedUp { used, allowed } => write!(f, "used {used} times of {allowed}"),
            Self::Revoked(r) => write!(f, "revoked by {} at {}", r.by, Seconds(r.at)),
            Self::Expired { at, now } => write!(f, "expired at {}, and it is {}", Seconds(*at), Seconds(*now)),
            Self::OtherHost { pattern, hostname } => write!(f, "{pattern} does not take {hostname}"),
            Self::OtherNetwork { cidrs, from } => {
                f.write_str("none of ")?;
                for (i, cidr) in cidrs.iter().enumerate() {
                    write!(f, "{}{cidr}", if i == 0 { "" } else { ", " })?;
                }
                write!(f, " has {from}")
            }
            Self::NoProof => f.write_str("no proof by an older identity was given"),
            Self::ProofUnknown(envoy) => write!(f, "the proof names envoy {envoy}, and there is none"),
            Self::ProofForged(envoy) => write!(f, "the proof is not signed by the key of envoy {envoy}"),
            Self::ProofRevoked(envoy, cause) => {
                let how = match cause {
                    RevocationCause::Operator => "revoked",
                    RevocationCause::Replaced => "replaced",
                    RevocationCause::Deleted => "deleted",
                };
                write!(f, "the proof is by the key of envoy {envoy}, which was {how}: it proves nothing")
            }
            Self::ProofOtherHost { proved, hostname } => {
                write!(f, "the proof is by an envoy named {proved}, and the name asked for is {hostname}")
            }
            Self::ProofOtherEnvoy { proved, holder } => {
                write!(f, "the proof is by envoy {proved}, and {holder} has the name")
            }
            Self::IdentityUsed(envoy) => write!(f, "the identity key belongs to envoy {envoy}"),
            Self::IdentityRevoked(envoy) => write!(f, "the identity key belongs to envoy {envoy}, which was revoked"),
            Self::RequestReused => f.write_str("the request id was used for another registration"),
            Self::NotAsked(envoy) => write!(f, "envoy {envoy} has the name, and its replacement was not asked for"),
            Self::Mode(mode) => write!(f, "`bootstrap.reenroll` is `{mode}`"),
            Self::TokenNotExact { pattern, hostname } => write!(
                f,
                "the token is for {pattern}, not for exactly {hostname}, and was not made with --allow-replace"
            ),
            Self::NoTokenWon => f.write_str("the way in was not a token"),
            Self::NoWindow => f.write_str("no operator allowed it with `vigocli envoys allow-reenroll`"),
            Self::WindowOver { until, now } => {
                write!(f, "an operator allowed it until {}, and it is {}", Seconds(*until), Seconds(*now))
            }
            Self::NameRevoked(envoy) => write!(f, "an operator revoked {envoy}, the last envoy of that name"),
        }
    }
}

/// A time where no calendar is at hand: seconds since 1970, told as such.
struct Seconds(UnixTime);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0.as_secs())
    }
}
