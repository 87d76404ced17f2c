use rcgen::{CertificateParams, DistinguishedName};
use zeroize::Zeroizing;

use crate::PrivateKeyError;
use crate::key::P256Key;

/// What an envoy sends to get a certificate, and the key that it keeps: a new one for every certificate.
///
/// ```
/// use vigo_ca::{ClientRequest, VerifiedCsr};
/// let request = ClientRequest::generate()?;
/// // An agent keeps the key until it has the certificate, so that it can ask for the same one again.
/// let again = ClientRequest::from_key_pem(&request.key_pem())?;
/// let pin = |request: &ClientRequest| VerifiedCsr::from_der(request.csr()).map(|csr| csr.key_pin());
/// assert_eq!(pin(&again)?, pin(&request)?);
/// assert_ne!(pin(&ClientRequest::generate()?)?, pin(&request)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ClientRequest {
    csr: Vec<u8>,
    key: P256Key,
}

impl ClientRequest {
    /// A new P-256 key and the request for it (PKCS#10). The request holds nothing but the key and the proof that the
    /// sender has it: the rest of the certificate is for the authority to say.
    ///
    /// # Errors
    /// `Generate`, when the system's random generator fails.
    pub fn generate() -> Result<Self, PrivateKeyError> {
        Self::for_key(P256Key::generate()?)
    }

    /// The request for a key that was made before: the same key, asked for again.
    ///
    /// # Errors
    /// When the text is no P-256 key.
    pub fn from_key_pem(key_pem: &str) -> Result<Self, PrivateKeyError> {
        Self::for_key(P256Key::from_pem(key_pem)?)
    }

    fn for_key(key: P256Key) -> Result<Self, PrivateKeyError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let csr = params.serialize_request(&key).map_err(|_| PrivateKeyError::Generate)?.der().to_vec();
        Ok(Self { csr, key })
    }

    /// The request, DER.
    #[must_use]
    pub fn csr(&self) -> &[u8] {
        &self.csr
    }

    /// The key as PEM, for a file that only its owner may read.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        self.key.to_pem()
    }
}

impl std::fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClientRequest(for {})", self.key.pin())
    }
}
