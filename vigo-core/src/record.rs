//! What the store keeps, as types that cannot be wrong. Each encodes to protobuf and refuses what it cannot read.

mod codec;

use std::net::IpAddr;

use crate::{
    ApprovalId, Cidr, ClientAddr, Directive, EnvoyId, Epoch, HostPattern, Hostname, IdentityKey, Notice, Pin, Platform,
    PolicyState, Serial, TokenId, UnixTime, UpdateFailure,
};

/// A stored record cannot be read: it was damaged, or written by a newer version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored {record} cannot be read: {what}")]
pub struct RecordError {
    record: &'static str,
    what: &'static str,
}

impl RecordError {
    pub(crate) const fn new(record: &'static str, what: &'static str) -> Self {
        Self { record, what }
    }
}

/// A record that the store keeps as bytes.
///
/// ```
/// use vigo_core::record::{HostClaim, Record as _, TokenRecord};
/// use vigo_core::{EnvoyId, UnixTime};
/// let until = UnixTime::from_secs(1_780_272_000);
/// let claim = HostClaim { envoy: EnvoyId::from_random([7; 16]), released: None, reenroll_until: Some(until) };
/// let bytes = claim.encode();
/// assert_eq!(HostClaim::decode(&bytes)?, claim);
/// // Bytes of another kind are no token.
/// assert!(TokenRecord::decode(&bytes).is_err());
/// # Ok::<(), vigo_core::record::RecordError>(())
/// ```
pub trait Record: Sized {
    /// The bytes to keep.
    #[must_use]
    fn encode(&self) -> Vec<u8>;

    /// Reads them back.
    ///
    /// # Errors
    /// When they are no record of this kind.
    fn decode(bytes: &[u8]) -> Result<Self, RecordError>;
}

/// A managed machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvoyRecord {
    /// Its id.
    pub id: EnvoyId,
    /// The name that it enrolled under.
    pub hostname: Hostname,
    /// What verifies its frames.
    pub identity: IdentityKey,
    /// Where its enrolment came from.
    pub address: ClientAddr,
    /// What it thought its address was.
    pub reported_ip: Option<IpAddr>,
    /// When it enrolled.
    pub enrolled_at: UnixTime,
    /// Its certificates, the newest last; never empty.
    pub certificates: Vec<CertificateRecord>,
    /// The rule that admitted it, as the decision names it.
    pub admitted_by: String,
    /// The agent and its system at enrolment.
    pub platform: Platform,
    /// Why it is no longer in service; `None` while it is.
    pub revocation: Option<Revocation>,
    /// What an operator last wanted it to do.
    pub directive: Option<DirectiveRecord>,
}

/// What an operator wants an envoy to do, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectiveRecord {
    /// What is to be done.
    pub directive: Directive,
    /// Since when.
    pub at: UnixTime,
    /// Who said so.
    pub by: String,
    /// What became of it; `None` while it is pending.
    pub outcome: Option<DirectiveOutcome>,
}

/// What became of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectiveOutcome {
    /// When.
    pub at: UnixTime,
    /// Why it was not carried out; `None` when it was.
    pub failure: Option<Notice>,
}

/// A certificate of an envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Its serial.
    pub serial: Serial,
    /// The pin of its key.
    pub key_pin: Pin,
    /// The end of its validity.
    pub not_after: UnixTime,
}

/// That something was taken out of service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// By what kind of act.
    pub cause: RevocationCause,
    /// When.
    pub at: UnixTime,
    /// By whom.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
}

/// By what kind of act something was taken out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationCause {
    /// An operator revoked it.
    Operator,
    /// Another enrolment of the same hostname replaced it.
    Replaced,
    /// An operator deleted it; the record is kept as its tombstone.
    Deleted,
}

/// Who holds a hostname, or held it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostClaim {
    /// The envoy.
    pub envoy: EnvoyId,
    /// How the name was given up; `None` while it is held.
    pub released: Option<Revocation>,
    /// Until when an operator allows the name to be enrolled anew.
    pub reenroll_until: Option<UnixTime>,
}

/// The result of a registration, for whoever asks the same again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// The key that signed the request.
    pub identity: IdentityKey,
    /// SHA-256 of its certificate request.
    pub csr_digest: [u8; 32],
    /// The name that it asked for.
    pub hostname: Hostname,
    /// The envoy that it became.
    pub envoy: EnvoyId,
    /// The certificate that it was given, DER.
    pub certificate: Vec<u8>,
    /// When.
    pub at: UnixTime,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its public part.
    pub id: TokenId,
    /// The bcrypt hash of its secret.
    pub secret_hash: String,
    /// The hostnames that it admits.
    pub pattern: HostPattern,
    /// The networks that it admits from; empty: any.
    pub cidrs: Vec<Cidr>,
    /// How many enrolments it is good for.
    pub uses_allowed: u32,
    /// The enrolments that it was used for; never forgotten, whatever becomes of the envoys.
    pub uses: Vec<TokenUse>,
    /// When it was made.
    pub created_at: UnixTime,
    /// From when on it is refused.
    pub expires_at: UnixTime,
    /// The operator's words.
    pub note: String,
    /// Whether it may replace an active envoy under a name that its pattern does not spell out.
    pub allow_replace: bool,
    /// Why it is refused; `None` while it is not.
    pub revocation: Option<Revocation>,
    /// Who made it.
    pub created_by: String,
}

/// One use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenUse {
    /// The envoy that enrolled.
    pub envoy: EnvoyId,
    /// Its key.
    pub identity: IdentityKey,
    /// When.
    pub at: UnixTime,
}

/// A hostname pattern that an operator approved beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedRecord {
    /// Its id.
    pub id: ApprovalId,
    /// The hostnames.
    pub pattern: HostPattern,
    /// The operator's words.
    pub note: String,
    /// When.
    pub created_at: UnixTime,
    /// By whom.
    pub created_by: String,
}

/// When the envoys of one page were last seen, written at once by the server process `epoch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPage {
    /// The process that wrote it.
    pub epoch: Epoch,
    /// The envoys.
    pub envoys: Vec<Seen>,
}

/// When and how an envoy was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub envoy: EnvoyId,
    /// When.
    pub at: UnixTime,
    /// From where.
    pub address: ClientAddr,
    /// Its agent and system.
    pub platform: Platform,
    /// The policy that it held.
    pub policy: Option<PolicyState>,
    /// The update that last failed there.
    pub update_failure: Option<UpdateFailure>,
}

impl EnvoyRecord {
    /// The newest certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateRecord> {
        self.certificates.last()
    }
}

impl TokenRecord {
    /// Whether all its uses are spent.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.uses.len() >= self.uses_allowed as usize
    }
}
