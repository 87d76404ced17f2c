use vigo_core::{Pin, ServerId, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

/// A CA certificate that others may be checked against: self-signed, CA:TRUE, allowed to sign certificates.
///
/// It says nothing of whether this is the *right* CA: that is what its pin is for.
///
/// ```
/// use vigo_ca::{CertificateAuthority, Root, RootError};
/// # use vigo_core::{Serial, ServerId, UnixTime};
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// # let leaf = authority.issue_leaf(&["vigo.example.com".parse()?], None, Serial::from_random([3; 16]), now)?;
/// // What an agent kept of its first contact.
/// let root = Root::from_der(&authority.root().der)?;
/// assert_eq!((root.pin, root.server), (authority.root().pin, Some(server)));
/// // A server's certificate is none.
/// assert_eq!(Root::from_der(&leaf.chain()[0]), Err(RootError::NotCa));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// DER.
    pub der: Vec<u8>,
    /// The pin of its key.
    pub pin: Pin,
    /// The start of its validity.
    pub not_before: UnixTime,
    /// The end of its validity.
    pub not_after: UnixTime,
    /// The fleet it was made for; none in a CA that was not made by Vigo.
    pub server: Option<ServerId>,
}

/// Why a certificate is no root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// Not one X.509 certificate in DER.
    #[error("not an X.509 certificate")]
    Malformed,
    /// No basic constraint CA:TRUE.
    #[error("not a CA certificate (basic constraint CA:TRUE is missing)")]
    NotCa,
    /// Key usage without keyCertSign and cRLSign.
    #[error("a CA certificate that may not sign certificates and CRLs (key usage keyCertSign and cRLSign are needed)")]
    KeyUsage,
    /// Not signed by its own key.
    #[error("not a root: the certificate is not signed by its own key")]
    NotSelfSigned,
}

impl Root {
    /// Reads a CA certificate and checks its shape and its own signature; its validity is the caller's to check.
    ///
    /// # Errors
    /// What keeps it from being a root.
    pub fn from_der(der: &[u8]) -> Result<Self, RootError> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| RootError::Malformed)?;
        if !rest.is_empty() {
            return Err(RootError::Malformed);
        }
        let constraints = certificate.basic_constraints().map_err(|_| RootError::Malformed)?;
        if !constraints.is_some_and(|constraints| constraints.value.ca) {
            return Err(RootError::NotCa);
        }
        let usage = certificate.key_usage().map_err(|_| RootError::Malformed)?;
        if !usage.is_some_and(|usage| usage.value.key_cert_sign() && usage.value.crl_sign()) {
            return Err(RootError::KeyUsage);
        }
        if certificate.subject.as_raw() != certificate.issuer.as_raw() || certificate.verify_signature(None).is_err() {
            return Err(RootError::NotSelfSigned);
        }
        let (not_before, not_after) = validity(&certificate).ok_or(RootError::Malformed)?;
        Ok(Self {
            der: der.to_vec(),
            pin: Pin::of_spki(certificate.public_key().raw),
            not_before,
            not_after,
            server: server_of(&certificate),
        })
    }

    /// Whether `now` is within its validity.
    #[must_use]
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// Whether its key signed a certificate that names it as the issuer.
    pub(crate) fn signed(&self, der: &[u8]) -> bool {
        let signed = || {
            let (_, certificate) = X509Certificate::from_der(der).ok()?;
            let (_, root) = X509Certificate::from_der(&self.der).ok()?;
            let named = certificate.issuer().as_raw() == root.subject().as_raw();
            Some(named && certificate.verify_signature(Some(root.public_key())).is_ok())
        };
        signed().unwrap_or(false)
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        crate::pem::encode_certificate(&self.der)
    }

    /// The URI that a CA of Vigo's own carries, so that the files of two fleets cannot be mixed up unseen.
    pub(crate) fn uri(server: &ServerId) -> String {
        format!("vigo://{server}")
    }
}

/// Both ends of the validity; none when one is before 1970.
pub(crate) fn validity(certificate: &X509Certificate<'_>) -> Option<(UnixTime, UnixTime)> {
    let time = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).ok().map(UnixTime::from_secs);
    Some((time(certificate.validity.not_before)?, time(certificate.validity.not_after)?))
}

fn server_of(certificate: &X509Certificate<'_>) -> Option<ServerId> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => names.general_names.iter().find_map(|name| match name {
            GeneralName::URI(uri) => uri.strip_prefix("vigo://").and_then(|id| id.parse().ok()),
            _ => None,
        }),
        _ => None,
    })
}
