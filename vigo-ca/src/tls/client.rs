use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{TlsError, root_store};
use crate::pem;

/// An envoy's certificate and its key, to show to the server.
pub struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientIdentity {
    /// The certificate, DER, with what the server needs to check it (nothing, in a fleet of ours), and its key.
    #[must_use]
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }

    /// Reads both from PEM.
    ///
    /// # Errors
    /// When one of them is no PEM.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, TlsError> {
        Ok(Self { chain: pem::certificates(cert_pem)?, key: pem::private_key(key_pem)? })
    }
}

/// The configuration of an enrolled agent: the server must chain to one of `roots`, be in its validity, and have the
/// name or address that was dialled. HTTP/2, no resumption.
///
/// # Errors
/// `NoRoots` without roots, `Rustls` when a root, the identity or the provider cannot be used.
pub fn client_config(
    provider: Arc<CryptoProvider>,
    roots: &[CertificateDer<'_>],
    identity: Option<ClientIdentity>,
) -> Result<ClientConfig, TlsError> {
    let roots = root_store(roots.iter().map(AsRef::as_ref))?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|_| TlsError::NoRoots)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_webpki_verifier(verifier);
    let mut config = match identity {
        Some(ClientIdentity { chain, key }) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
