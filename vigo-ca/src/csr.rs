use std::fmt;

use rcgen::PublicKeyData as _;
use vigo_core::{IdentityKey, KeyError, Pin};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::der_parser::oid::Oid;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ED25519};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::AlgorithmIdentifier;

/// A certificate request whose sender was shown to hold the key. Of all that it asked for, only the key was kept.
///
/// ```
/// use vigo_ca::{ClientRequest, CsrError, VerifiedCsr};
/// let request = ClientRequest::generate()?;
/// let csr = VerifiedCsr::from_der(request.csr())?;
/// assert!(csr.key_pin().to_string().starts_with("sha256:"));
///
/// // The last bytes are the signature's: with another there, nobody was shown to hold the key.
/// let mut forged = request.csr().to_vec();
/// *forged.last_mut().unwrap() ^= 1;
/// assert_eq!(VerifiedCsr::from_der(&forged), Err(CsrError::BadSignature));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedCsr(RequestKey);

/// Why a certificate request is refused. The sender may be shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrError {
    /// Above [`VerifiedCsr::MAX_LEN`].
    #[error("a certificate request has at most 16384 bytes")]
    TooLong,
    /// Not PKCS#10 in DER, or bytes after it.
    #[error("not a PKCS#10 certificate request in DER")]
    Malformed,
    /// A key of another kind, or one whose encoding is not the usual.
    #[error("the key of a certificate request is Ed25519 or ECDSA P-256")]
    KeyType,
    /// An Ed25519 key that does not tell its holder from others.
    #[error("the key of the certificate request is refused: {0}")]
    Key(#[from] KeyError),
    /// An algorithm that does not go with the key.
    #[error("an Ed25519 key signs its request with Ed25519, a P-256 key with ECDSA and SHA-256")]
    SignatureAlgorithm,
    /// The sender was not shown to hold the key.
    #[error("the certificate request is not signed by its own key")]
    BadSignature,
}

impl VerifiedCsr {
    /// The longest request that is looked at, in bytes.
    pub const MAX_LEN: usize = 16 * 1024;

    /// Reads a request (RFC 2986), checks the kind and strength of its key, and that the sender holds it. Subject,
    /// attributes and requested extensions are not looked at: a certificate never takes anything from them.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub fn from_der(der: &[u8]) -> Result<Self, CsrError> {
        if der.len() > Self::MAX_LEN {
            return Err(CsrError::TooLong);
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| CsrError::Malformed)?;
        if !rest.is_empty() {
            return Err(CsrError::Malformed);
        }
        let spki = &request.certification_request_info.subject_pki;
        if spki.subject_public_key.unused_bits != 0 || request.signature_value.unused_bits != 0 {
            return Err(CsrError::Malformed);
        }
        let key = RequestKey::new(&spki.algorithm, &spki.subject_public_key.data)?;
        // What the sender has the pin of is what the certificate will hold.
        if spki.raw != key.subject_public_key_info() {
            return Err(CsrError::KeyType);
        }
        // Named by the key alone, so that the library below never chooses by what the sender wrote.
        let signed_with = &request.signature_algorithm;
        if signed_with.algorithm != key.signature_oid() || signed_with.parameters.is_some() {
            return Err(CsrError::SignatureAlgorithm);
        }
        // The library takes tags of other classes for these, and what is around the signed part is not signed.
        let info = request.certification_request_info.raw;
        if der != encode(info, key.signature_algorithm(), &request.signature_value.data) {
            return Err(CsrError::Malformed);
        }
        request.verify_signature().map_err(|_| CsrError::BadSignature)?;
        Ok(Self(key))
    }

    /// The pin of the key.
    #[must_use]
    pub fn key_pin(&self) -> Pin {
        self.0.pin()
    }

    /// Whether the request was made with an envoy's identity key, which has another job.
    #[must_use]
    pub fn is_key_of(&self, identity: &IdentityKey) -> bool {
        matches!(&self.0, RequestKey::Ed25519(bytes) if bytes == identity.as_bytes())
    }

    /// The key.
    pub(crate) fn key(&self) -> &RequestKey {
        &self.0
    }
}

impl fmt::Debug for VerifiedCsr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedCsr({:?})", self.0)
    }
}

/// The one DER encoding of a request with these parts.
fn encode(info: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    let content = [info, algorithm, &header(0x03, signature.len() + 1), &[0], signature].concat();
    [header(0x30, content.len()), content].concat()
}

/// Tag and length, in as few bytes as there may be (X.690 §10.1). A request is never longer than two bytes can say.
fn header(tag: u8, length: usize) -> Vec<u8> {
    match length.to_be_bytes() {
        [.., 0, low] if low < 0x80 => vec![tag, low],
        [.., 0, low] => vec![tag, 0x81, low],
        [.., high, low] => vec![tag, 0x82, high, low],
    }
}

/// A public key that may be in a certificate of ours.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum RequestKey {
    Ed25519([u8; 32]),
    P256([u8; 65]),
}

impl RequestKey {
    fn new(algorithm: &AlgorithmIdentifier<'_>, bytes: &[u8]) -> Result<Self, CsrError> {
        if algorithm.algorithm == OID_SIG_ED25519 {
            if algorithm.parameters.is_some() {
                return Err(CsrError::KeyType);
            }
            return Ok(Self::Ed25519(*IdentityKey::try_from(bytes)?.as_bytes()));
        }
        let curve = algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        if algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY || curve != Some(OID_EC_P256) {
            return Err(CsrError::KeyType);
        }
        match <[u8; 65]>::try_from(bytes) {
            // 4: both coordinates written out (SEC 1 §2.3.3). One key, one encoding, one pin.
            Ok(point) if point[0] == 4 => Ok(Self::P256(point)),
            _ => Err(CsrError::KeyType),
        }
    }

    fn signature_oid(&self) -> Oid<'static> {
        match self {
            Self::Ed25519(_) => OID_SIG_ED25519,
            Self::P256(_) => OID_SIG_ECDSA_WITH_SHA256,
        }
    }

    /// The same as an AlgorithmIdentifier, DER: neither has parameters (RFC 8410 §3, RFC 5758 §3.2).
    fn signature_algorithm(&self) -> &'static [u8] {
        match self {
            Self::Ed25519(_) => &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70],
            Self::P256(_) => &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        }
    }

    /// The pin of the key's SubjectPublicKeyInfo, as the certificate will hold it.
    pub(crate) fn pin(&self) -> Pin {
        Pin::of_spki(&self.subject_public_key_info())
    }
}

impl rcgen::PublicKeyData for RequestKey {
    fn der_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(bytes) => bytes,
            Self::P256(bytes) => bytes,
        }
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self {
            Self::Ed25519(_) => &rcgen::PKCS_ED25519,
            Self::P256(_) => &rcgen::PKCS_ECDSA_P256_SHA256,
        }
    }
}

impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Ed25519(_) => "Ed25519",
            Self::P256(_) => "P-256",
        };
        write!(f, "{kind}, {}", self.pin())
    }
}
