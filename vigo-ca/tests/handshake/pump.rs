//! Two rustls connections with nothing between them but memory, at a time that does not pass.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, Error, RootCertStore, ServerConfig, ServerConnection, SideData,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use vigo_ca::tls::{ClientIdentity, DenySet, grpc_server_config};
use vigo_ca::{CertificateAuthority, ServerLeaf};
use vigo_core::UnixTime;

use crate::fleet::{self, NOW};

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// One of the names of [`fleet::leaf`].
pub(crate) const NAME: &str = "vigo.example.com";

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[derive(Debug)]
struct Clock(UnixTime);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        let since = std::time::Duration::from_secs(self.0.as_secs());
        Some(rustls_pki_types::UnixTime::since_unix_epoch(since))
    }
}

/// What became of a handshake, and of the first words after it.
pub(crate) struct Meeting {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    pub(crate) client_error: Option<Error>,
    pub(crate) server_error: Option<Error>,
    /// Both said something and both heard it.
    pub(crate) talked: bool,
}

/// Lets a client dial a server under a name. Both look at a clock that shows `now`.
pub(crate) fn meet_at(now: UnixTime, client: &ClientConfig, server: &ServerConfig, name: &str) -> Meeting {
    let (mut client, mut server) = (client.clone(), server.clone());
    client.time_provider = Arc::new(Clock(now));
    server.time_provider = Arc::new(Clock(now));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut meeting = Meeting {
        client: ClientConnection::new(Arc::new(client), name).unwrap(),
        server: ServerConnection::new(Arc::new(server)).unwrap(),
        client_error: None,
        server_error: None,
        talked: false,
    };
    meeting.exchange();
    meeting.talked = meeting.talk();
    meeting
}

pub(crate) fn meet(client: &ClientConfig, server: &ServerConfig, name: &str) -> Meeting {
    meet_at(NOW, client, server, name)
}

impl Meeting {
    fn exchange(&mut self) {
        let Self { client, server, client_error, server_error, .. } = self;
        while deliver(client, server, server_error) | deliver(server, client, client_error) {}
    }

    pub(crate) fn talk(&mut self) -> bool {
        if self.client_error.is_some() || self.server_error.is_some() {
            return false;
        }
        let mut heard = [0; 4];
        self.client.writer().write_all(b"ping").unwrap();
        self.exchange();
        if self.server.is_handshaking() || self.server.reader().read(&mut heard).ok() != Some(4) || heard != *b"ping" {
            return false;
        }
        self.server.writer().write_all(b"pong").unwrap();
        self.exchange();
        self.client.reader().read(&mut heard).ok() == Some(4) && heard == *b"pong"
    }

    #[track_caller]
    pub(crate) fn accepted(self) -> Self {
        let Self { client_error, server_error, talked, .. } = &self;
        assert!(*talked, "the client says {client_error:?}, the server says {server_error:?}");
        self
    }

    /// The client refused the server, with these words.
    #[track_caller]
    pub(crate) fn server_refused(&self, says: &str) {
        assert!(!self.talked);
        let error = self.client_error.as_ref().expect("the client minds nothing").to_string();
        assert!(error.contains(says), "{error}");
    }

    /// The server refused the client, with these words.
    #[track_caller]
    pub(crate) fn client_refused(&self, says: &str) {
        assert!(!self.talked);
        let error = self.server_error.as_ref().expect("the server minds nothing").to_string();
        assert!(error.contains(says), "{error}");
        assert!(matches!(self.client_error, Some(Error::AlertReceived(_))), "{:?}", self.client_error);
    }
}

/// Hands over all that one side wants to send; whether there was anything.
fn deliver<A: SideData, B: SideData>(
    from: &mut ConnectionCommon<A>,
    to: &mut ConnectionCommon<B>,
    error: &mut Option<Error>,
) -> bool {
    let mut sent = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut sent).unwrap();
    }
    let mut rest = sent.as_slice();
    while !rest.is_empty() && error.is_none() {
        to.read_tls(&mut rest).unwrap();
        *error = to.process_new_packets().err();
    }
    !sent.is_empty()
}

pub(crate) fn root_of(authority: &CertificateAuthority) -> CertificateDer<'static> {
    CertificateDer::from(authority.root().der.clone())
}

/// The port that envoys talk to.
pub(crate) fn grpc(authority: &CertificateAuthority, leaf: &ServerLeaf, deny: &Arc<DenySet>) -> ServerConfig {
    let roots = [authority.root().clone()];
    grpc_server_config(provider(), leaf, &roots, authority.server(), Arc::clone(deny)).unwrap()
}

/// What a peer shows: any chain with any key, fitting or not.
pub(crate) fn shown(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'static>) -> CertifiedKey {
    CertifiedKey::new(chain, aws_lc_rs::sign::any_supported_type(key).unwrap())
}

/// An envoy's certificate, issued now.
pub(crate) fn envoy_identity(authority: &CertificateAuthority, byte: u8) -> CertifiedKey {
    let (issued, key) = fleet::issue(authority, byte, NOW);
    shown(vec![issued.der.into()], &vigo_ca::pem::private_key(&key).unwrap())
}

/// The same for [`vigo_ca::tls::client_config`].
pub(crate) fn client_identity(authority: &CertificateAuthority, byte: u8) -> ClientIdentity {
    let (issued, key) = fleet::issue(authority, byte, NOW);
    ClientIdentity::from_pem(&vigo_ca::pem::encode_certificate(&issued.der), &key).unwrap()
}

/// A server that speaks one version, asks for nothing and shows what it was given.
pub(crate) fn any_server(version: &'static SupportedProtocolVersion, shows: CertifiedKey) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shows)))
}

/// A client that speaks one version, trusts this authority, resumes what it can and shows what it was given.
pub(crate) fn any_client(
    version: &'static SupportedProtocolVersion,
    authority: &CertificateAuthority,
    shows: Option<CertifiedKey>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root_of(authority)).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_webpki_verifier(verifier);
    match shows {
        Some(shows) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shows))),
        None => builder.with_no_client_auth(),
    }
}
