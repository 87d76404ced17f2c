use std::cell::Cell;
use std::error::Error;
use std::sync::Arc;

use rcgen::PublicKeyData as _;
use vigo_core::Pin;

use crate::key::P256Key;

/// What a signer says when it does not sign.
type Failure = Box<dyn Error + Send + Sync>;

/// A CA's private key that lies elsewhere: in an HSM, behind a KMS, in another process.
///
/// # Contract
/// - One ECDSA P-256 key, the same for as long as the authority lives.
/// - Signed is what [`sign`](Self::sign) was given and nothing else. It is not trusted in that: no certificate leaves the
///   authority whose signature does not fit its root. A wrong one costs a refused enrolment, never a bad certificate.
/// - It answers soon: it is called in the midst of a registration, on the thread that runs it, and holds that up.
///
/// ```
/// use std::{error::Error, sync::Arc};
/// use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
/// use vigo_ca::{CaSigner, CertificateAuthority};
/// use vigo_core::{Serial, ServerId, UnixTime};
/// /// Stands for a driver: in earnest the key is nowhere in this process.
/// struct Hsm(KeyPair);
///
/// impl CaSigner for Hsm {
///     fn public_key(&self) -> [u8; 65] {
///         self.0.der_bytes().try_into().expect("a P-256 key")
///     }
///     fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
///         Ok(self.0.sign(message)?)
///     }
/// }
/// let hsm = Arc::new(Hsm(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?));
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// let made = CertificateAuthority::create_with_signer(hsm.clone(), &server, Serial::from_random([2; 16]), now)?;
/// let authority = CertificateAuthority::load_with_signer(&made.cert_pem(), hsm, &server, now)?;
/// assert!(authority.can_sign() && authority.key_pem().is_none());
/// # Ok::<(), Box<dyn Error>>(())
/// ```
pub trait CaSigner: Send + Sync {
    /// The public key: an uncompressed point, `04`, X and Y (SEC 1 §2.3.3; what PKCS#11 calls `CKA_EC_POINT`, without the
    /// OCTET STRING around it). Asked for once.
    fn public_key(&self) -> [u8; 65];

    /// Signs with ECDSA and SHA-256. `message` is what is to be signed, not its hash; the answer is the DER of
    /// `Ecdsa-Sig-Value` (RFC 3279 §2.2.3), not PKCS#11's bare `r || s`.
    ///
    /// # Errors
    /// When it cannot, or will not. The text is for the server's log.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}

/// The key of an authority.
pub(crate) enum CaKey {
    /// In this process.
    Held(Box<P256Key>),
    /// Somewhere else.
    Elsewhere { public: [u8; 65], signer: Arc<dyn CaSigner> },
}

impl CaKey {
    pub(crate) fn elsewhere(signer: Arc<dyn CaSigner>) -> Self {
        Self::Elsewhere { public: signer.public_key(), signer }
    }

    /// The pin of the public half.
    pub(crate) fn pin(&self) -> Pin {
        Pin::of_spki(&self.lend().subject_public_key_info())
    }

    /// The key for one signature.
    pub(crate) fn lend(&self) -> Lent<'_> {
        Lent { key: self, failure: Cell::default() }
    }
}

/// A key, lent for one signature. Keeps what a signer says when it fails: the library that encodes has no room for it.
pub(crate) struct Lent<'a> {
    key: &'a CaKey,
    failure: Cell<Option<Failure>>,
}

impl Lent<'_> {
    /// What the signer said when it failed.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.take()
    }
}

impl rcgen::PublicKeyData for Lent<'_> {
    fn der_bytes(&self) -> &[u8] {
        match self.key {
            CaKey::Held(key) => key.der_bytes(),
            CaKey::Elsewhere { public, .. } => public,
        }
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Lent<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match self.key {
            CaKey::Held(key) => key.sign(message),
            CaKey::Elsewhere { signer, .. } => signer.sign(message).map_err(|failure| {
                self.failure.set(Some(failure));
                rcgen::Error::RemoteKeyError
            }),
        }
    }
}

#[cfg(test)]
mod tests;
