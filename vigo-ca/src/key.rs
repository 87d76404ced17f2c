use rcgen::PublicKeyData as _;
use rustls_pki_types::PrivateKeyDer;
use vigo_core::Pin;
use zeroize::{Zeroize, Zeroizing};

use crate::pem::{self, PemError};

/// Why a text is no private key that a fleet's authority or server may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateKeyError {
    /// Not the PEM of a private key.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A key of another kind, or a broken one.
    #[error("not an ECDSA P-256 private key, the one kind that the CA and the server use")]
    NotP256,
    /// The system's random generator failed.
    #[error("no key could be generated")]
    Generate,
}

/// A P-256 private key, of the authority or of the server. Wiped when dropped.
pub(crate) struct P256Key(rcgen::KeyPair);

impl P256Key {
    /// A new random key.
    pub(crate) fn generate() -> Result<Self, PrivateKeyError> {
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map(Self).map_err(|_| PrivateKeyError::Generate)
    }

    /// Reads PKCS#8 or SEC 1 PEM.
    pub(crate) fn from_pem(text: &str) -> Result<Self, PrivateKeyError> {
        let mut der = pem::private_key(text)?;
        let pair = rcgen::KeyPair::from_der_and_sign_algo(&der, &rcgen::PKCS_ECDSA_P256_SHA256);
        der.zeroize();
        pair.map(Self).map_err(|_| PrivateKeyError::NotP256)
    }

    /// The same form that it was read in, or PKCS#8.
    pub(crate) fn to_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.0.serialized_der())
            .expect("these bytes were generated as PKCS#8, or were read as a private key before")
            .clone_key()
    }

    /// PEM, for a file that only its owner may read.
    pub(crate) fn to_pem(&self) -> Zeroizing<String> {
        let mut der = self.to_der();
        let text = pem::encode_key(&der);
        der.zeroize();
        text
    }

    /// The pin of the public half.
    pub(crate) fn pin(&self) -> Pin {
        Pin::of_spki(&self.0.subject_public_key_info())
    }
}

impl rcgen::PublicKeyData for P256Key {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl rcgen::SigningKey for P256Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

impl Drop for P256Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
