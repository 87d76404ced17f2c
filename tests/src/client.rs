//! An envoy made by hand from the SDK's parts: it says what no agent of ours would.

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use vigo_ca::tls::{ClientIdentity, FirstContact, client_config};
use vigo_ca::{ClientRequest, PeerIdentity};
use vigo_core::frame::Audience;
use vigo_core::wire::fleet_client::FleetClient;
use vigo_core::{
    Accepted, CheckIn, EnvoyId, IdentitySecret, OldEnvoy, Pin, Platform, Registration, Reply, ReplyOutcome, RequestId,
    ServerId, ServerKey, SessionPoint, SignedCheckIn, SignedRegistration, SignedReply, StateReport, Takeover,
    TokenText, wire,
};
use zeroize::Zeroizing;

/// An enrolled envoy, and where its conversation stands.
pub struct Client {
    /// Its id.
    pub envoy: EnvoyId,
    /// Its identity.
    pub identity: IdentitySecret,
    /// The fleet.
    pub server: ServerId,
    /// What verifies replies.
    pub server_key: ServerKey,
    /// The roots.
    pub roots: Vec<CertificateDer<'static>>,
    /// Its certificate.
    pub certificate: CertificateDer<'static>,
    /// That certificate's key, PEM.
    pub tls_key: Zeroizing<String>,
    /// The point of its next frame.
    pub point: Option<SessionPoint>,
    /// What it says of itself.
    pub platform: Platform,
    address: String,
}

/// A refusal: the stable code, gRPC's code, the sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `vigo-code`; empty where there is none: then it is no refusal of the server's.
    pub code: String,
    /// gRPC's.
    pub grpc: Code,
    /// The sentence.
    pub message: String,
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let code = status.metadata().get("vigo-code").and_then(|code| code.to_str().ok()).unwrap_or_default();
        Self { code: code.to_owned(), grpc: status.code(), message: format!("{status:?}") }
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Connects by a TLS configuration.
///
/// # Errors
/// When TCP, TLS or HTTP/2 does not come about.
pub async fn dial(address: &str, tls: ClientConfig) -> Result<FleetClient<Channel>, String> {
    let tcp = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    tcp.set_nodelay(true).map_err(|error| error.to_string())?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await.map_err(|error| error.to_string())?;
    let mut once = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        std::future::ready(once.take().ok_or_else(|| std::io::Error::other("the connection ended")))
    });
    let endpoint = Endpoint::from_shared(format!("https://{address}")).map_err(|error| error.to_string())?;
    let channel = endpoint.connect_with_connector(connector).await.map_err(|error| format!("{error:?}"))?;
    Ok(FleetClient::new(channel).max_decoding_message_size(64 * 1024 * 1024))
}

/// A registration that nothing is wrong with, to be changed before it is signed.
///
/// # Panics
/// When no key can be made.
#[must_use]
pub fn registration(hostname: &str, seed: u8, token: Option<&str>) -> (Registration, IdentitySecret, ClientRequest) {
    let identity = IdentitySecret::from_seed(&Zeroizing::new([seed; 32]));
    let request = ClientRequest::generate().unwrap();
    let registration = Registration {
        kind: vigo_core::RegistrationKind::Enrol,
        request: RequestId::from_random([seed; 16]),
        identity: identity.public(),
        csr: request.csr().to_vec(),
        hostname: hostname.parse().unwrap(),
        token: token.map(|token| TokenText::new(token.to_owned())),
        takeover: Takeover::No,
        reported_ip: None,
        platform: Platform { agent_version: "0.0.1".into(), os: "linux".into(), arch: "x86_64".into() },
    };
    (registration, identity, request)
}

/// Signs a registration for the server at this address.
///
/// # Panics
/// When it cannot be met, or the frame cannot be signed.
pub async fn signed(
    address: &str,
    registration: &Registration,
    identity: &IdentitySecret,
    old: Option<&OldEnvoy<'_>>,
) -> SignedRegistration {
    registration.sign(identity, old, Audience::root(&root_of(address).await)).unwrap()
}

/// The pin of the root that a server shows.
///
/// # Panics
/// When it cannot be met.
pub async fn root_of(address: &str) -> Pin {
    let first = FirstContact::new(provider(), Vec::new());
    let _connection = dial(address, first.client_config().unwrap()).await.unwrap();
    first.verified().unwrap().root_pin
}

/// Sends a registration, however it is made.
///
/// # Errors
/// With the server's refusal.
///
/// # Panics
/// When it cannot be met.
pub async fn register(address: &str, frame: wire::SignedRegistration) -> Result<wire::Registered, Refusal> {
    let first = FirstContact::new(provider(), Vec::new());
    let mut client = dial(address, first.client_config().unwrap()).await.unwrap();
    Ok(client.register(frame).await?.into_inner())
}

impl Client {
    /// Enrols with a token.
    ///
    /// # Panics
    /// When it is not let in.
    pub async fn enrol(address: &str, hostname: &str, seed: u8, token: &str) -> Self {
        let (registration, identity, request) = registration(hostname, seed, Some(token));
        let frame = signed(address, &registration, &identity, None).await;
        let answer = register(address, frame.into_wire()).await.unwrap();
        Self {
            envoy: EnvoyId::try_from(answer.envoy.as_slice()).unwrap(),
            server: ServerId::try_from(answer.server.as_slice()).unwrap(),
            server_key: ServerKey::try_from(answer.signing_key.as_slice()).unwrap(),
            roots: answer.roots.into_iter().map(CertificateDer::from).collect(),
            certificate: CertificateDer::from(answer.certificate),
            tls_key: request.key_pem(),
            identity,
            point: None,
            platform: Platform { agent_version: "0.0.1".into(), os: "linux".into(), arch: "x86_64".into() },
            address: address.to_owned(),
        }
    }

    /// Its TLS configuration.
    ///
    /// # Panics
    /// When its files do not make one.
    #[must_use]
    pub fn tls(&self) -> ClientConfig {
        let key = vigo_ca::pem::private_key(&self.tls_key).unwrap();
        let identity = ClientIdentity::new(vec![self.certificate.clone()], key);
        client_config(provider(), &self.roots, Some(identity)).unwrap()
    }

    /// The configuration of somebody who knows the fleet's roots and has no certificate.
    ///
    /// # Panics
    /// When the roots do not make one.
    #[must_use]
    pub fn anonymous_tls(&self) -> ClientConfig {
        client_config(provider(), &self.roots, None).unwrap()
    }

    /// A connection.
    ///
    /// # Errors
    /// When none comes about.
    pub async fn connect(&self) -> Result<FleetClient<Channel>, String> {
        dial(&self.address, self.tls()).await
    }

    /// What it would say next.
    #[must_use]
    pub fn facts(&self) -> CheckIn {
        CheckIn {
            envoy: self.envoy,
            session: self.point.clone(),
            platform: self.platform.clone(),
            policy: None,
            trusted_roots: Vec::new(),
            report: StateReport::default(),
        }
    }

    /// Signs what it would say next.
    ///
    /// # Panics
    /// When it is too large.
    #[must_use]
    pub fn sign(&self, facts: &CheckIn) -> SignedCheckIn {
        facts.sign(&self.identity, &self.server).unwrap()
    }

    /// Sends a frame, and verifies the reply.
    ///
    /// # Errors
    /// With the server's refusal.
    ///
    /// # Panics
    /// When the reply is not the server's answer to the frame.
    pub async fn send(&self, line: &mut FleetClient<Channel>, frame: &SignedCheckIn) -> Result<Reply, Refusal> {
        let answer = line.check_in(wire::SignedCheckIn::from(frame.clone())).await?.into_inner();
        let reply = SignedReply::try_from(answer).unwrap();
        Ok(reply.verify(&self.server_key, &self.server, self.envoy, frame.digest()).unwrap())
    }

    /// One check-in as an honest agent makes it; `policy` as held.
    ///
    /// # Errors
    /// With the server's refusal.
    ///
    /// # Panics
    /// When the server never takes a frame.
    pub async fn check_in(
        &mut self,
        line: &mut FleetClient<Channel>,
        policy: Option<vigo_core::PolicyState>,
    ) -> Result<Accepted, Refusal> {
        for _ in 0..3 {
            let frame = self.sign(&CheckIn { policy: policy.clone(), ..self.facts() });
            let reply = self.send(line, &frame).await?;
            match reply.outcome {
                ReplyOutcome::Accepted(accepted) => {
                    if let Some(point) = &mut self.point {
                        point.sequence = point.sequence.next();
                        point.challenge = accepted.challenge;
                    }
                    return Ok(accepted);
                }
                ReplyOutcome::Resync(resync) => {
                    self.point =
                        Some(SessionPoint { epoch: resync.epoch, sequence: resync.next, challenge: resync.challenge });
                }
            }
        }
        panic!("the server takes no frame");
    }

    /// What its certificate says.
    ///
    /// # Panics
    /// When it is no envoy's.
    #[must_use]
    pub fn peer(&self) -> PeerIdentity {
        PeerIdentity::from_certificate(&self.certificate).unwrap()
    }
}
