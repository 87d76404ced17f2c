use std::fmt;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SanType,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use vigo_core::{Pin, Serial, UnixTime};

use crate::SubjectName;

/// A certificate is good from a little before it was made: clocks differ.
pub(crate) const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// Exactly what will be signed: nothing is in a certificate that is not in its plan.
///
/// A plan can be logged, shown and compared. Every certificate of this crate is made from one.
///
/// ```
/// use vigo_ca::{CertificateAuthority, ClientRequest, PeerIdentity, Role, VerifiedCsr};
/// # use vigo_core::{Admission, ClientAddr, EnvoyId, IdentitySecret, Serial, ServerId, UnixTime};
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let identity = IdentitySecret::from_seed(&zeroize::Zeroizing::new([3; 32])).public();
/// # let from = ClientAddr::new("192.0.2.7".parse()?);
/// # let grant = Admission::assertion(EnvoyId::from_random([2; 16]), "web3.example.com".parse()?, identity, from);
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([4; 16]), now)?;
/// # let csr = VerifiedCsr::from_der(ClientRequest::generate()?.csr())?;
/// let serial = Serial::from_random([5; 16]);
/// let plan = authority.profile().plan(&csr, &grant, serial, now);
/// assert!(matches!(&plan.role, Role::Envoy { uri } if uri.starts_with("vigo://")));
/// println!("about to sign: {plan}");
///
/// // What was planned is what is signed.
/// let issued = authority.sign(&csr, grant, serial, now)?;
/// let peer = PeerIdentity::from_certificate(&issued.der)?;
/// assert_eq!((peer.serial, peer.key_pin, peer.not_after), (plan.serial, plan.key_pin, plan.not_after));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The serial, random and given by the caller.
    pub serial: Serial,
    /// The common name, for people who read certificates. Nothing is decided by it.
    pub common_name: String,
    /// What the certificate is for, with the names that go with it.
    pub role: Role,
    /// The pin of the key that it certifies.
    pub key_pin: Pin,
    /// The start of its validity.
    pub not_before: UnixTime,
    /// The end of its validity.
    pub not_after: UnixTime,
}

/// What a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Signs certificates and CRLs, and no other authority.
    Authority {
        /// `vigo://<server id>`
        uri: String,
    },
    /// An envoy's: a TLS client, and nothing else.
    Envoy {
        /// `vigo://<server id>/envoy/<uuid>/<SHA-256 of the identity key>`
        uri: String,
    },
    /// A server's: a TLS server, and nothing else.
    Server {
        /// The names and addresses that clients may dial.
        names: Vec<SubjectName>,
    },
}

/// Why a plan was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A time after the year 9999, which no certificate can say.
    #[error("a certificate's validity ends by the year 9999")]
    Time,
    /// The key to be certified is not the one that was planned for.
    #[error("the key is not the one that the certificate was planned for")]
    OtherKey,
    /// The library that encodes and signs failed.
    #[error("the certificate could not be made")]
    Make(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl PlanError {
    /// Which library that is stays our own affair.
    pub(crate) fn make(error: rcgen::Error) -> Self {
        Self::Make(Box::new(error))
    }
}

impl Plan {
    /// Makes the certificate.
    pub(crate) fn sign<S: rcgen::SigningKey>(
        &self,
        key: &impl rcgen::PublicKeyData,
        issuer: &rcgen::Issuer<'_, S>,
    ) -> Result<CertificateDer<'static>, PlanError> {
        self.check_key(key)?;
        Ok(self.params()?.signed_by(key, issuer).map_err(PlanError::make)?.into())
    }

    /// Makes the certificate of an authority, which is signed by its own key.
    pub(crate) fn self_sign(&self, key: &impl rcgen::SigningKey) -> Result<CertificateDer<'static>, PlanError> {
        self.check_key(key)?;
        Ok(self.params()?.self_signed(key).map_err(PlanError::make)?.into())
    }

    fn check_key(&self, key: &impl rcgen::PublicKeyData) -> Result<(), PlanError> {
        let pin = Pin::of_spki(&key.subject_public_key_info());
        if pin == self.key_pin { Ok(()) } else { Err(PlanError::OtherKey) }
    }

    /// Every field that the library has a default for is set here: its defaults are a serial that is a hash of the
    /// key, and a validity from 1975 to 4096.
    fn params(&self) -> Result<CertificateParams, PlanError> {
        let mut params = CertificateParams::default();
        params.serial_number = Some(rcgen::SerialNumber::from_slice(self.serial.as_bytes()));
        params.not_before = datetime(self.not_before)?;
        params.not_after = datetime(self.not_after)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.common_name.as_str());
        params.use_authority_key_identifier_extension = true;
        let uri = |uri: &str| uri.try_into().map(SanType::URI).map_err(PlanError::make);
        match &self.role {
            Role::Authority { uri: id } => {
                params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
                params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
                params.extended_key_usages = Vec::new();
                params.subject_alt_names = vec![uri(id)?];
            }
            Role::Envoy { uri: id } => {
                params.is_ca = IsCa::ExplicitNoCa;
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                params.subject_alt_names = vec![uri(id)?];
            }
            Role::Server { names } => {
                params.is_ca = IsCa::ExplicitNoCa;
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                params.subject_alt_names =
                    names.iter().map(alternative_name).collect::<Result<_, _>>().map_err(PlanError::make)?;
            }
        }
        Ok(params)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {} for ", self.serial)?;
        match &self.role {
            Role::Authority { uri } => write!(f, "the authority {uri}")?,
            Role::Envoy { uri } => write!(f, "the client {uri}")?,
            Role::Server { names } => {
                f.write_str("the server ")?;
                for (at, name) in names.iter().enumerate() {
                    write!(f, "{}{name}", if at == 0 { "" } else { ", " })?;
                }
            }
        }
        let (from, to) = (self.not_before.as_secs(), self.not_after.as_secs());
        write!(f, ", key {}, valid from {from} to {to} (Unix time)", self.key_pin)
    }
}

fn alternative_name(name: &SubjectName) -> Result<SanType, rcgen::Error> {
    Ok(match name {
        SubjectName::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
        SubjectName::Ip(address) => SanType::IpAddress(*address),
    })
}

fn datetime(time: UnixTime) -> Result<OffsetDateTime, PlanError> {
    let secs = i64::try_from(time.as_secs()).map_err(|_| PlanError::Time)?;
    let time = OffsetDateTime::from_unix_timestamp(secs).map_err(|_| PlanError::Time)?;
    // The calendar library may be built to count further than a certificate can write.
    if time.year() > 9999 { Err(PlanError::Time) } else { Ok(time) }
}
