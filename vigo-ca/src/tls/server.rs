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
/// ```
/// # use std::sync::Arc;
/// # use rustls_pki_types::CertificateDer;
/// # use rustls::{ClientConfig, ClientConnection, ConnectionCommon, ServerConfig, ServerConnection, SideData};
/// use vigo_ca::tls::{ClientIdentity, DenySet, client_config, grpc_server_config};
/// # use vigo_ca::{CertificateAuthority, ClientRequest, PeerIdentity, VerifiedCsr, pem};
/// # use vigo_core::{Admission, ClientAddr, EnvoyId, IdentitySecret, Serial, ServerId, UnixTime};
/// # fn pass<A: SideData, B: SideData>(
/// #     from: &mut ConnectionCommon<A>,
/// #     to: &mut ConnectionCommon<B>,
/// # ) -> Result<(), rustls::Error> {
/// #     let mut bytes = Vec::new();
/// #     while from.wants_write() {
/// #         from.write_tls(&mut bytes).expect("a vector takes all");
/// #     }
/// #     let mut rest = bytes.as_slice();
/// #     while !rest.is_empty() {
/// #         to.read_tls(&mut rest).expect("there is some");
/// #         to.process_new_packets()?;
/// #     }
/// #     Ok(())
/// # }
/// # /// A handshake in memory: the server's connection after it.
/// # fn dial(
/// #     client: ClientConfig,
/// #     server: ServerConfig,
/// #     name: &'static str,
/// # ) -> Result<ServerConnection, rustls::Error> {
/// #     let mut client = ClientConnection::new(Arc::new(client), name.try_into().expect("a name"))?;
/// #     let mut server = ServerConnection::new(Arc::new(server))?;
/// #     while client.is_handshaking() || server.is_handshaking() {
/// #         pass(&mut client, &mut server)?;
/// #         pass(&mut server, &mut client)?;
/// #     }
/// #     Ok(server)
/// # }
/// # let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
/// # let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(since.as_secs()));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// # let leaf = authority.issue_leaf(&["vigo.example.com".parse()?], None, Serial::from_random([3; 16]), now)?;
/// # let identity = IdentitySecret::from_seed(&zeroize::Zeroizing::new([4; 32])).public();
/// # let from = ClientAddr::new("192.0.2.7".parse()?);
/// # let grant = Admission::assertion(EnvoyId::from_random([5; 16]), "web3.example.com".parse()?, identity, from);
/// # let request = ClientRequest::generate()?;
/// # let csr = VerifiedCsr::from_der(request.csr())?;
/// # let issued = authority.sign(&csr, grant, Serial::from_random([6; 16]), now)?;
/// # let (cert_pem, key_pem) = (pem::encode_certificate(&issued.der), request.key_pem());
/// # let roots = [CertificateDer::from(authority.root().der.clone())];
/// # let agent = client_config(provider.clone(), &roots, Some(ClientIdentity::from_pem(&cert_pem, &key_pem)?))?;
/// let deny = Arc::new(DenySet::new());
/// let server = grpc_server_config(provider, &leaf, &[authority.root().clone()], server, Arc::clone(&deny))?;
/// let connection = dial(agent.clone(), server.clone(), "vigo.example.com")?;
/// let [shown] = connection.peer_certificates().expect("one was sent") else { panic!("more than one") };
/// let peer = PeerIdentity::from_certificate(shown)?;
///
/// // From this moment on it gets no further than the handshake.
/// deny.deny_envoy(peer.envoy);
/// let refused = dial(agent, server, "vigo.example.com").unwrap_err();
/// assert_eq!(refused, rustls::CertificateError::Revoked.into());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// ```
/// # use std::sync::Arc;
/// use vigo_ca::tls::web_server_config;
/// # use vigo_ca::CertificateAuthority;
/// # use vigo_core::{Serial, ServerId, UnixTime};
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// let leaf = authority.issue_leaf(&["vigo.example.com".parse()?], None, Serial::from_random([3; 16]), now)?;
/// let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
/// let config = web_server_config(provider, &leaf)?;
/// assert_eq!(config.alpn_protocols, [&b"h2"[..], b"http/1.1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `Rustls` when the leaf or the provider cannot be used.
pub fn web_server_config(provider: Arc<CryptoProvider>, leaf: &ServerLeaf) -> Result<ServerConfig, TlsError> {
    web(provider, leaf.chain().to_vec(), leaf.key())
}

/// The configuration of the HTTPS port with a certificate from elsewhere, as a public CA gives it: any kind of key.
///
/// ```
/// # use std::sync::Arc;
/// use vigo_ca::tls::{TlsError, public_server_config};
/// # use vigo_ca::{CertificateAuthority, ClientRequest};
/// # use vigo_core::{Serial, ServerId, UnixTime};
/// # let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// # let leaf = authority.issue_leaf(&["vigo.example.com".parse()?], None, Serial::from_random([3; 16]), now)?;
/// # let (chain_pem, key_pem) = (leaf.cert_pem(), leaf.key_pem());
/// assert!(public_server_config(provider.clone(), &chain_pem, &key_pem).is_ok());
/// // A key that is not the certificate's is found now, not at the first connection.
/// let other = ClientRequest::generate()?.key_pem();
/// assert!(matches!(public_server_config(provider.clone(), &chain_pem, &other), Err(TlsError::Rustls(_))));
/// assert!(matches!(public_server_config(provider, "", &key_pem), Err(TlsError::Pem(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
