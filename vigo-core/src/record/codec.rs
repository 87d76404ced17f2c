//! Records as protobuf, and back. Every field is parsed; what a newer version wrote is refused, never guessed.

use std::net::IpAddr;

use prost::Message;

use super::{
    ApprovedRecord, CertificateRecord, DirectiveOutcome, DirectiveRecord, EnvoyRecord, HostClaim, Record, RecordError,
    RequestRecord, Revocation, RevocationCause, Seen, SeenPage, TokenRecord, TokenUse,
};
use crate::{
    ApprovalId, ClientAddr, Directive, DirectiveAction, EnvoyId, Epoch, HostPattern, Hostname, IdentityKey, Notice,
    Pin, Platform, PolicyState, Serial, TokenId, UnixTime, UpdateFailure, wire,
};

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

    fn directive(self, wire: wire::DirectiveRecord) -> Result<DirectiveRecord, RecordError> {
        let directive = wire.directive.as_ref().ok_or(self.error("directive"))?;
        let directive = self.field("directive", Directive::from_wire(directive))?;
        if directive.action == DirectiveAction::Unknown {
            return Err(self.error("action of a directive"));
        }
        let outcome = wire.outcome.map(|outcome| {
            let failure = self.field("failure", outcome.failure.map(Notice::from_wire).transpose())?;
            Ok(DirectiveOutcome { at: UnixTime::from_secs(outcome.at), failure })
        });
        let at = UnixTime::from_secs(wire.at);
        Ok(DirectiveRecord { directive, at, by: wire.by, outcome: outcome.transpose()? })
    }
}

fn directive_to_wire(record: &DirectiveRecord) -> wire::DirectiveRecord {
    wire::DirectiveRecord {
        directive: Some(record.directive.wire()),
        at: record.at.as_secs(),
        by: record.by.clone(),
        outcome: record.outcome.as_ref().map(|outcome| wire::DirectiveOutcome {
            at: outcome.at.as_secs(),
            failure: outcome.failure.as_ref().map(Notice::wire),
        }),
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
            directive: self.directive.as_ref().map(directive_to_wire),
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
            directive: wire.directive.map(|directive| read.directive(directive)).transpose()?,
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
            update_failure: s.update_failure.as_ref().map(UpdateFailure::wire),
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
                update_failure: read.field("update", s.update_failure.map(UpdateFailure::from_wire).transpose())?,
            })
        };
        Ok(Self {
            epoch: read.field("epoch", Epoch::try_from(wire.epoch.as_slice()))?,
            envoys: wire.envoys.into_iter().map(seen).collect::<Result<_, RecordError>>()?,
        })
    }
}
