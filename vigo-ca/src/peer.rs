use sha2::{Digest, Sha256};
use vigo_core::{EnvoyId, IdentityKey, Pin, Serial, ServerId, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::root::validity;

/// Whom a client certificate names.
///
/// A certificate is only read here. That our authority signed it, and that the peer holds its key, is shown by the TLS
/// handshake; who reads certificates from elsewhere has shown nothing yet.
///
/// ```
/// use vigo_ca::{CertificateAuthority, ClientRequest, PeerError, PeerIdentity, VerifiedCsr};
/// use vigo_core::{Admission, ClientAddr, EnvoyId, IdentitySecret, Serial, ServerId, UnixTime};
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let identity = IdentitySecret::from_seed(&zeroize::Zeroizing::new([3; 32])).public();
/// # let from = ClientAddr::new("192.0.2.7".parse()?);
/// # let grant = Admission::assertion(EnvoyId::from_random([2; 16]), "web3.example.com".parse()?, identity, from);
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([4; 16]), now)?;
/// # let csr = VerifiedCsr::from_der(ClientRequest::generate()?.csr())?;
/// let issued = authority.sign(&csr, grant, Serial::from_random([5; 16]), now)?;
/// let peer = PeerIdentity::from_certificate(&issued.der)?;
/// assert_eq!((peer.server, peer.envoy), (server, EnvoyId::from_random([2; 16])));
/// assert_eq!(peer.identity_digest, PeerIdentity::digest_of(&identity));
///
/// // The authority's own certificate names no envoy.
/// assert_eq!(PeerIdentity::from_certificate(&authority.root().der), Err(PeerError::Purpose));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerIdentity {
    /// The fleet.
    pub server: ServerId,
    /// The envoy.
    pub envoy: EnvoyId,
    /// SHA-256 of the envoy's identity key, the 32 bytes of it.
    pub identity_digest: [u8; 32],
    /// The certificate's serial.
    pub serial: Serial,
    /// The pin of the certificate's key.
    pub key_pin: Pin,
    /// The end of the certificate's validity.
    pub not_after: UnixTime,
}

/// Why a certificate is not an envoy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Not one X.509 certificate in DER.
    #[error("not an X.509 certificate")]
    Malformed,
    /// A CA's, a server's, or one with more uses than a client's.
    #[error("not a certificate for a TLS client and nothing else")]
    Purpose,
    /// Not exactly one name, or not of the form `vigo://<server id>/envoy/<uuid>/<sha256>`.
    #[error("not the certificate of an envoy (its one name is not vigo://<server id>/envoy/<uuid>/<sha256>)")]
    Name,
    /// A serial that this kind of authority does not give.
    #[error("not a serial number of a Vigo authority")]
    Serial,
}

impl PeerIdentity {
    /// Reads an envoy's certificate: its names and uses must be exactly those that this crate's authority gives.
    ///
    /// # Errors
    /// What is different about it.
    pub fn from_certificate(der: &[u8]) -> Result<Self, PeerError> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| PeerError::Malformed)?;
        if !rest.is_empty() {
            return Err(PeerError::Malformed);
        }
        let constraints = certificate.basic_constraints().map_err(|_| PeerError::Malformed)?;
        let usage = certificate.extended_key_usage().map_err(|_| PeerError::Malformed)?;
        let client_only = usage.is_some_and(|usage| {
            let usage = usage.value;
            let others = usage.any
                || usage.server_auth
                || usage.code_signing
                || usage.email_protection
                || usage.time_stamping
                || usage.ocsp_signing
                || !usage.other.is_empty();
            usage.client_auth && !others
        });
        if constraints.is_some_and(|constraints| constraints.value.ca) || !client_only {
            return Err(PeerError::Purpose);
        }
        let names = certificate.subject_alternative_name().map_err(|_| PeerError::Malformed)?.ok_or(PeerError::Name)?;
        let [GeneralName::URI(name)] = names.value.general_names.as_slice() else { return Err(PeerError::Name) };
        let (server, envoy, identity_digest) = parse(name).ok_or(PeerError::Name)?;
        let (_, not_after) = validity(&certificate).ok_or(PeerError::Malformed)?;
        Ok(Self {
            server,
            envoy,
            identity_digest,
            serial: Serial::try_from(certificate.raw_serial()).map_err(|_| PeerError::Serial)?,
            key_pin: Pin::of_spki(certificate.public_key().raw),
            not_after,
        })
    }

    /// SHA-256 of an identity key, as certificates hold it.
    #[must_use]
    pub fn digest_of(identity: &IdentityKey) -> [u8; 32] {
        Sha256::digest(identity.as_bytes()).into()
    }
}

/// The one name in an envoy's certificate.
pub(crate) fn uri(server: &ServerId, envoy: EnvoyId, identity: &IdentityKey) -> String {
    write(server, envoy, &PeerIdentity::digest_of(identity))
}

fn write(server: &ServerId, envoy: EnvoyId, digest: &[u8; 32]) -> String {
    format!("vigo://{server}/envoy/{envoy}/{}", hex::encode(digest))
}

fn parse(uri: &str) -> Option<(ServerId, EnvoyId, [u8; 32])> {
    let mut parts = uri.strip_prefix("vigo://")?.split('/');
    let server = parts.next()?.parse().ok()?;
    if parts.next()? != "envoy" {
        return None;
    }
    let envoy = parts.next()?.parse().ok()?;
    let mut digest = [0; 32];
    hex::decode_to_slice(parts.next()?, &mut digest).ok()?;
    // One identity, one spelling: upper case, other forms of a UUID and anything after are refused.
    (write(&server, envoy, &digest) == uri).then_some((server, envoy, digest))
}
