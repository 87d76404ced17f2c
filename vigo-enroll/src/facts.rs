use vigo_core::record::{EnvoyRecord, Revocation, TokenRecord};
use vigo_core::{ClientAddr, EnvoyId, Hostname, Takeover, TokenId, UnixTime};

/// Who asks to join: what the decision needs to know of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name asked for.
    pub hostname: Hostname,
    /// Where from.
    pub from: ClientAddr,
    /// Whether an envoy of that name may be replaced.
    pub takeover: Takeover,
}

/// What was found out about a request before it is decided: read from the store, checked with the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The token.
    pub token: TokenFact,
    /// The proof by an older identity.
    pub proof: ProofFact,
    /// The envoy that has the name.
    pub holder: HolderFact,
    /// The envoy that has the identity key.
    pub identity: IdentityFact,
    /// The request id.
    pub request: RequestFact,
}

impl Facts {
    /// A new machine under a free name that gives neither token nor proof.
    #[must_use]
    pub fn stranger() -> Self {
        Self {
            token: TokenFact::None,
            proof: ProofFact::None,
            holder: HolderFact::Nobody,
            identity: IdentityFact::Unused,
            request: RequestFact::Unused,
        }
    }
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFact {
    /// None was given.
    None,
    /// Not of the form of a token.
    Malformed,
    /// Its MAC does not fit.
    Forged,
    /// Its MAC fits, and the store has no such id.
    Unknown(TokenId),
    /// The store has the id, and the secret is another.
    WrongSecret(TokenId),
    /// Its secret is proved. Whether it is good for this request is for the decision.
    Proved(Box<TokenRecord>),
}

/// What is known of the older envoy that a request claims to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofFact {
    /// None is claimed.
    None,
    /// The store has no such envoy.
    Unknown(EnvoyId),
    /// The signature is not by that envoy's key.
    BadSignature(EnvoyId),
    /// The request was signed by this envoy's key. Whether that is worth anything is for the decision.
    Signed(Box<EnvoyRecord>),
}

/// Who has a hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HolderFact {
    /// Nobody ever had it.
    Nobody,
    /// An envoy that was not revoked; silent and expired ones included.
    Envoy {
        /// Which.
        id: EnvoyId,
        /// Until when an operator allows it to be replaced.
        reenroll_until: Option<UnixTime>,
    },
    /// Its last envoy is out of service.
    Released {
        /// Which it was.
        last: EnvoyId,
        /// How that came.
        revocation: Revocation,
        /// Until when an operator allows the name to be enrolled anew.
        reenroll_until: Option<UnixTime>,
    },
}

/// Whose an identity key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityFact {
    /// Nobody's yet.
    Unused,
    /// An envoy's.
    Used(EnvoyId),
    /// A revoked or deleted envoy's.
    Revoked(EnvoyId),
}

/// Whether a request id is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFact {
    /// It is.
    Unused,
    /// Another registration had it.
    Used,
}
