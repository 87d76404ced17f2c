use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{TlsError, root_store};
use crate::pem;

/// An envoy's certificate and its key, to show to the server.
///
/// ```
/// # use std::sync::Arc;
/// # use rustls_pki_types::CertificateDer;
/// use vigo_ca::tls::{ClientIdentity, TlsError, client_config};
/// # use vigo_ca::{CertificateAuthority, ClientRequest, VerifiedCsr, pem};
/// # use vigo_core::{Admission, ClientAddr, EnvoyId, IdentitySecret, Serial, ServerId, UnixTime};
/// # let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// # let identity = IdentitySecret::from_seed(&zeroize::Zeroizing::new([4; 32])).public();
/// # let from = ClientAddr::new("192.0.2.7".parse()?);
/// # let grant = Admission::assertion(EnvoyId::from_random([5; 16]), "web3.example.com".parse()?, identity, from);
/// # let request = ClientRequest::generate()?;
/// # let csr = VerifiedCsr::from_der(request.csr())?;
/// # let issued = authority.sign(&csr, grant, Serial::from_random([6; 16]), now)?;
/// # let (cert_pem, key_pem) = (pem::encode_certificate(&issued.der), request.key_pem());
/// let roots = [CertificateDer::from(authority.root().der.clone())];
/// let identity = ClientIdentity::from_pem(&cert_pem, &key_pem)?;
/// assert!(client_config(provider.clone(), &roots, Some(identity)).is_ok());
///
/// // Two files that were mixed up are found before anybody is dialled.
/// let mixed = ClientIdentity::from_pem(&cert_pem, &ClientRequest::generate()?.key_pem())?;
/// assert!(matches!(client_config(provider, &roots, Some(mixed)), Err(TlsError::Rustls(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// ```
/// # use std::sync::Arc;
/// # use rustls_pki_types::CertificateDer;
/// use vigo_ca::tls::{TlsError, client_config};
/// # use vigo_ca::CertificateAuthority;
/// # use vigo_core::{Serial, ServerId, UnixTime};
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
/// // Before it has a certificate, an agent shows none.
/// let roots = [CertificateDer::from(authority.root().der.clone())];
/// let config = client_config(provider.clone(), &roots, None)?;
/// assert_eq!(config.alpn_protocols, [b"h2"]);
/// // Nobody to trust is never "trust anybody".
/// assert!(matches!(client_config(provider, &[], None), Err(TlsError::NoRoots)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
