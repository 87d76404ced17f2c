//! PEM (RFC 7468) in and out. The only module that names `rustls-pemfile`.

use pem_rfc7468::LineEnding;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// Why a text is not the PEM that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// A section is cut off, or its base64 is broken.
    #[error("broken PEM: a section is cut off or is not base64")]
    Broken,
    /// No `-----BEGIN CERTIFICATE-----`.
    #[error("no certificate found (a section `-----BEGIN CERTIFICATE-----` is expected)")]
    NoCertificate,
    /// No private key that is not encrypted.
    #[error("no private key found (a section `-----BEGIN PRIVATE KEY-----`, not encrypted, is expected)")]
    NoKey,
    /// Two private keys, and no way to know which is meant.
    #[error("more than one private key found: leave one")]
    ManyKeys,
}

/// Every certificate of the text, in its order; other sections are passed over.
///
/// ```
/// use vigo_ca::pem::{PemError, certificates};
/// # use vigo_ca::CertificateAuthority;
/// # use vigo_core::{Serial, ServerId, UnixTime};
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// let (cert, key) = (authority.cert_pem(), authority.key_pem().expect("the key is here"));
/// // As some tools write them: all in one file.
/// let found = certificates(&format!("{}{cert}{cert}", *key))?;
/// assert_eq!(found.len(), 2);
/// assert_eq!(found[0].as_ref(), authority.root().der);
/// assert_eq!(certificates(&key), Err(PemError::NoCertificate));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `Broken`, or `NoCertificate` when there is none.
pub fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Vec<_> =
        rustls_pemfile::certs(&mut text.as_bytes()).collect::<Result<_, _>>().map_err(|_| PemError::Broken)?;
    if found.is_empty() { Err(PemError::NoCertificate) } else { Ok(found) }
}

/// The one private key of the text: PKCS#8, SEC 1 or PKCS#1; other sections are passed over.
///
/// ```
/// use vigo_ca::{ClientRequest, pem::{PemError, private_key}};
/// let key = ClientRequest::generate()?.key_pem();
/// assert!(private_key(&key).is_ok());
/// assert_eq!(private_key(&format!("{}{}", *key, *key)).unwrap_err(), PemError::ManyKeys);
/// assert_eq!(private_key("").unwrap_err(), PemError::NoKey);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `Broken`, `NoKey`, or `ManyKeys`.
pub fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, PemError> {
    let mut key = None;
    for item in rustls_pemfile::read_all(&mut text.as_bytes()) {
        let found = match item.map_err(|_| PemError::Broken)? {
            rustls_pemfile::Item::Pkcs8Key(key) => PrivateKeyDer::from(key),
            rustls_pemfile::Item::Sec1Key(key) => PrivateKeyDer::from(key),
            rustls_pemfile::Item::Pkcs1Key(key) => PrivateKeyDer::from(key),
            _ => continue,
        };
        if key.replace(found).is_some() {
            return Err(PemError::ManyKeys);
        }
    }
    key.ok_or(PemError::NoKey)
}

/// A certificate as PEM.
///
/// ```
/// use vigo_ca::pem::{certificates, encode_certificate};
/// # use vigo_ca::CertificateAuthority;
/// # use vigo_core::{Serial, ServerId, UnixTime};
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// let der = &authority.root().der;
/// let text = encode_certificate(der);
/// assert!(text.starts_with("-----BEGIN CERTIFICATE-----\n"));
/// assert_eq!(certificates(&text)?[0].as_ref(), der);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn encode_certificate(der: &[u8]) -> String {
    encode("CERTIFICATE", der).to_string()
}

/// A private key as PEM, for a file that only its owner may read.
pub(crate) fn encode_key(key: &PrivateKeyDer<'_>) -> Zeroizing<String> {
    let label = match key {
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    encode(label, key.secret_der())
}

fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    const REASON: &str = "the label is one of ours, and a value in memory never overflows a length";
    let length = pem_rfc7468::encoded_len(label, LineEnding::LF, der).expect(REASON);
    let mut buffer = Zeroizing::new(vec![0; length]);
    let text = pem_rfc7468::encode(label, LineEnding::LF, der, &mut buffer).expect(REASON);
    Zeroizing::new(text.to_owned())
}
