//! What the store keeps, as types that cannot be wrong. Each encodes to protobuf and refuses what it cannot read.

use std::net::IpAddr;

use prost::Message;

use crate::{
    ApprovalId, Cidr, ClientAddr, EnvoyId, Epoch, HostPattern, Hostname, IdentityKey, Pin, Platform, PolicyState,
    Serial, TokenId, UnixTime, wire,
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

fn address_bytes(address: ClientAddr) -> Vec<u8> {
    match address.ip() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// Reads the fields of one kind of record, naming it in every error.
#[derive(Clone, Copy)]
struct Reader(&'static str);

impl Reader {
    fn message<M: Message + Default>(self, bytes: &[u8]) -> Result<M, RecordError> {
        M::decode(bytes).map_err(|_| self.error("not such a message"))
    }

    fn error(self, what: &'static str) -> RecordError {
        RecordError::new(self.0, what)
    }

    fn field<T, E>(self, what: &'static str, parsed: Result<T, E>) -> Result<T, RecordError> {
        parsed.map_err(|_| self.error(what))
    }

    fn envoy(self, bytes: &[u8]) -> Result<EnvoyId, RecordError> {
        self.field("envoy", EnvoyId::try_from(bytes))
    }

    fn identity(self, bytes: &[u8]) -> Result<IdentityKey, RecordError> {
        self.field("identity key", IdentityKey::try_from(bytes))
    }

    fn hostname(self, text: &str) -> Result<Hostname, RecordError> {
        self.field("hostname", text.parse())
    }

    fn pattern(self, text: &str) -> Result<HostPattern, RecordError> {
        self.field("pattern", text.parse())
    }

    fn address(self, bytes: &[u8]) -> Result<ClientAddr, RecordError> {
        let ip = match bytes.len() {
            4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
            _ => None,
        };
        ip.map(ClientAddr::new).ok_or(self.error("address"))
    }

    fn platform(self, wire: Option<wire::Platform>) -> Result<Platform, RecordError> {
        self.field("platform", Platform::from_wire(wire))
    }

    fn digest(self, bytes: Vec<u8>) -> Result<[u8; 32], RecordError> {
        self.field("digest", bytes.try_into())
    }

    fn revocation(self, wire: Option<wire::Revocation>) -> Result<Option<Revocation>, RecordError> {
        let Some(wire) = wire else { return Ok(None) };
        use wire::revocation::Cause;
        let cause = match wire.cause() {
            Cause::Operator => RevocationCause::Operator,
            Cause::Replaced => RevocationCause::Replaced,
            Cause::Deleted => RevocationCause::Deleted,
            Cause::Unspecified => return Err(self.error("cause of a revocation")),
        };
        Ok(Some(Revocation { cause, at: UnixTime::from_secs(wire.at), by: wire.by, reason: wire.reason }))
    }
}

fn revocation_to_wire(revocation: Option<&Revocation>) -> Option<wire::Revocation> {
    use wire::revocation::Cause;
    revocation.map(|r| wire::Revocation {
        cause: match r.cause {
            RevocationCause::Operator => Cause::Operator.into(),
            RevocationCause::Replaced => Cause::Replaced.into(),
            RevocationCause::Deleted => Cause::Deleted.into(),
        },
        at: r.at.as_secs(),
        by: r.by.clone(),
        reason: r.reason.clone(),
    })
}

impl Record for EnvoyRecord {
    fn encode(&self) -> Vec<u8> {
        wire::EnvoyRecord {
            id: self.id.as_bytes().to_vec(),
            hostname: self.hostname.to_string(),
            identity_key: self.identity.as_bytes().to_vec(),
            address: address_bytes(self.address),
            reported_ip: self.reported_ip.map(|ip| ip.to_string()).unwrap_or_default(),
            enrolled_at: self.enrolled_at.as_secs(),
            certificates: self
                .certificates
                .iter()
                .map(|c| wire::CertificateRecord {
                    serial: c.serial.as_bytes().to_vec(),
                    key_pin: c.key_pin.as_bytes().to_vec(),
                    not_after: c.not_after.as_secs(),
                })
                .collect(),
            admitted_by: self.admitted_by.clone(),
            platform: Some(self.platform.to_wire()),
            revocation: revocation_to_wire(self.revocation.as_ref()),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let read = Reader("envoy");
        let wire: wire::EnvoyRecord = read.message(bytes)?;
        let certificate = |c: wire::CertificateRecord| {
            Ok(CertificateRecord {
                serial: read.field("serial", Serial::try_from(c.serial.as_slice()))?,
                key_pin: read.field("pin", Pin::try_from(c.key_pin.as_slice()))?,
                not_after: UnixTime::from_secs(c.not_after),
            })
        };
        Ok(Self {
            id: read.envoy(&wire.id)?,
            hostname: read.hostname(&wire.hostname)?,
            identity: read.identity(&wire.identity_key)?,
            address: read.address(&wire.address)?,
            reported_ip: match wire.reported_ip.as_str() {
                "" => None,
                text => Some(read.field("reported address", text.parse())?),
            },
            enrolled_at: UnixTime::from_secs(wire.enrolled_at),
            certificates: wire.certificates.into_iter().map(certificate).collect::<Result<_, RecordError>>()?,
            admitted_by: wire.admitted_by,
            platform: read.platform(wire.platform)?,
            revocation: read.revocation(wire.revocation)?,
        })
    }
}

impl Record for HostClaim {
    fn encode(&self) -> Vec<u8> {
        wire::HostClaim {
            envoy: self.envoy.as_bytes().to_vec(),
            released: revocation_to_wire(self.released.as_ref()),
            reenroll_until: self.reenroll_until.map_or(0, UnixTime::as_secs),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let read = Reader("host claim");
        let wire: wire::HostClaim = read.message(bytes)?;
        Ok(Self {
            envoy: read.envoy(&wire.envoy)?,
            released: read.revocation(wire.released)?,
            reenroll_until: (wire.reenroll_until > 0).then(|| UnixTime::from_secs(wire.reenroll_until)),
        })
    }
}

impl Record for RequestRecord {
    fn encode(&self) -> Vec<u8> {
        wire::RequestRecord {
            identity_key: self.identity.as_bytes().to_vec(),
            csr_digest: self.csr_digest.to_vec(),
            hostname: self.hostname.to_string(),
            envoy: self.envoy.as_bytes().to_vec(),
            certificate: self.certificate.clone(),
            at: self.at.as_secs(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let read = Reader("registration result");
        let wire: wire::RequestRecord = read.message(bytes)?;
        Ok(Self {
            identity: read.identity(&wire.identity_key)?,
            csr_digest: read.digest(wire.csr_digest)?,
            hostname: read.hostname(&wire.hostname)?,
            envoy: read.envoy(&wire.envoy)?,
            certificate: wire.certificate,
            at: UnixTime::from_secs(wire.at),
        })
    }
}

impl Record for TokenRecord {
    fn encode(&self) -> Vec<u8> {
        wire::TokenRecord {
            id: self.id.as_bytes().to_vec(),
            secret_hash: self.secret_hash.clone(),
            pattern: self.pattern.to_string(),
            cidrs: self.cidrs.iter().map(ToString::to_string).collect(),
            uses_allowed: self.uses_allowed,
            uses: self
                .uses
                .iter()
                .map(|u| wire::TokenUse {
                    envoy: u.envoy.as_bytes().to_vec(),
                    identity_key: u.identity.as_bytes().to_vec(),
                    at: u.at.as_secs(),
                })
                .collect(),
            created_at: self.created_at.as_secs(),
            expires_at: self.expires_at.as_secs(),
            note: self.note.clone(),
            allow_replace: self.allow_replace,
            revocation: revocation_to_wire(self.revocation.as_ref()),
            created_by: self.created_by.clone(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let read = Reader("token");
        let wire: wire::TokenRecord = read.message(bytes)?;
        let cidrs = wire.cidrs.iter().map(|c| read.field("network", c.parse())).collect::<Result<_, RecordError>>()?;
        let one_use = |u: wire::TokenUse| {
            Ok(TokenUse {
                envoy: read.envoy(&u.envoy)?,
                identity: read.identity(&u.identity_key)?,
                at: UnixTime::from_secs(u.at),
            })
        };
        Ok(Self {
            id: read.field("token id", TokenId::try_from(wire.id.as_slice()))?,
            secret_hash: wire.secret_hash,
            pattern: read.pattern(&wire.pattern)?,
            cidrs,
            uses_allowed: wire.uses_allowed,
            uses: wire.uses.into_iter().map(one_use).collect::<Result<_, RecordError>>()?,
            created_at: UnixTime::from_secs(wire.created_at),
            expires_at: UnixTime::from_secs(wire.expires_at),
            note: wire.note,
            allow_replace: wire.allow_replace,
            revocation: read.revocation(wire.revocation)?,
            created_by: wire.created_by,
        })
    }
}

impl Record for ApprovedRecord {
    fn encode(&self) -> Vec<u8> {
        wire::ApprovedRecord {
            id: self.id.as_bytes().to_vec(),
            pattern: self.pattern.to_string(),
            note: self.note.clone(),
            created_at: self.created_at.as_secs(),
            created_by: self.created_by.clone(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let read = Reader("approved pattern");
        let wire: wire::ApprovedRecord = read.message(bytes)?;
        Ok(Self {
            id: read.field("approval id", ApprovalId::try_from(wire.id.as_slice()))?,
            pattern: read.pattern(&wire.pattern)?,
            note: wire.note,
            created_at: UnixTime::from_secs(wire.created_at),
            created_by: wire.created_by,
        })
    }
}

impl Record for SeenPage {
    fn encode(&self) -> Vec<u8> {
        let seen = |s: &Seen| wire::Seen {
            envoy: s.envoy.as_bytes().to_vec(),
            at: s.at.as_secs(),
            address: address_bytes(s.address),
            platform: Some(s.platform.to_wire()),
            policy: s.policy.as_ref().map(PolicyState::to_wire),
        };
        wire::SeenPage { epoch: self.epoch.as_bytes().to_vec(), envoys: self.envoys.iter().map(seen).collect() }
            .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let read = Reader("last-seen page");
        let wire: wire::SeenPage = read.message(bytes)?;
        let seen = |s: wire::Seen| {
            Ok(Seen {
                envoy: read.envoy(&s.envoy)?,
                at: UnixTime::from_secs(s.at),
                address: read.address(&s.address)?,
                platform: read.platform(s.platform)?,
                policy: read.field("policy", s.policy.map(PolicyState::from_wire).transpose())?,
            })
        };
        Ok(Self {
            epoch: read.field("epoch", Epoch::try_from(wire.epoch.as_slice()))?,
            envoys: wire.envoys.into_iter().map(seen).collect::<Result<_, RecordError>>()?,
        })
    }
}
