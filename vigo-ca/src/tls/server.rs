use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use vigo_core::ServerId;

use super::envoy_verifier::EnvoyVerifier;
use super::{DenySet, TlsError, root_store};
use crate::{Root, ServerLeaf, pem};

/// The configuration of the port that envoys talk to: HTTP/2, and a client certificate that is asked for, not demanded.
///
/// One that is sent must chain to a root of `roots`, be in its validity, name an envoy of `server`, and not be in
/// `deny` at that moment. There is no resumption: a resumed session would not be verified again.
///
/// # Errors
/// `NoRoots` without roots, `Rustls` when the leaf or the provider cannot be used.
pub fn grpc_server_config(
    provider: Arc<CryptoProvider>,
    leaf: &ServerLeaf,
    roots: &[Root],
    server: ServerId,
    deny: Arc<DenySet>,
) -> Result<ServerConfig, TlsError> {
    let roots = root_store(roots.iter().map(|root| root.der.as_slice()))?;
    let chain = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .allow_unauthenticated()
        .clear_root_hint_subjects()
        .build()
        .map_err(|_| TlsError::NoRoots)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(EnvoyVerifier::new(chain, server, deny)))
        .with_single_cert(leaf.chain().to_vec(), leaf.key())?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// The configuration of the HTTPS port with the fleet's own certificate: HTTP/2 and HTTP/1.1, no client certificate is
/// asked for, so browsers do not prompt.
///
/// # Errors
/// `Rustls` when the leaf or the provider cannot be used.
pub fn web_server_config(provider: Arc<CryptoProvider>, leaf: &ServerLeaf) -> Result<ServerConfig, TlsError> {
    web(provider, leaf.chain().to_vec(), leaf.key())
}

/// The configuration of the HTTPS port with a certificate from elsewhere, as a public CA gives it: any kind of key.
///
/// # Errors
/// `Pem` when a text is no PEM, `Rustls` when certificate and key do not belong together or cannot be used.
pub fn public_server_config(
    provider: Arc<CryptoProvider>,
    chain_pem: &str,
    key_pem: &str,
) -> Result<ServerConfig, TlsError> {
    web(provider, pem::certificates(chain_pem)?, pem::private_key(key_pem)?)
}

fn web(
    provider: Arc<CryptoProvider>,
    chain: Vec<rustls_pki_types::CertificateDer<'static>>,
    key: rustls_pki_types::PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
