//! Simulated envoys: real keys, real certificates, real frames.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use prost::Message as _;
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use vigo_ca::ClientRequest;
use vigo_ca::tls::{ClientIdentity, client_config};
use vigo_core::{
    Audience, CheckIn, EnvoyId, IdentitySecret, Pin, Platform, PolicyState, Registration, ReplyOutcome, RequestId,
    ServerId, ServerKey, SessionPoint, SignedReply, StateReport, Takeover, TokenText, wire,
};
use zeroize::Zeroizing;

use crate::{Answer, Line};

/// An enrolled envoy.
pub struct Envoy {
    envoy: EnvoyId,
    identity: IdentitySecret,
    server: ServerId,
    key: ServerKey,
    point: Option<SessionPoint>,
    policy: Option<PolicyState>,
    /// Its TLS configuration.
    pub tls: Arc<ClientConfig>,
}

fn platform() -> Platform {
    Platform { agent_version: "0.1.0".into(), os: "linux".into(), arch: "x86_64".into() }
}

/// An encoded registration, and the keys of it. `number` tells it from all others.
///
/// # Errors
/// When no key can be made.
pub fn registration(
    number: u64,
    token: Option<&str>,
    root: &Pin,
) -> anyhow::Result<(Vec<u8>, IdentitySecret, ClientRequest)> {
    let mut seed = Zeroizing::new([0; 32]);
    seed[..8].copy_from_slice(&number.to_be_bytes());
    let identity = IdentitySecret::from_seed(&seed);
    let request = ClientRequest::generate()?;
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let registration = Registration {
        kind: vigo_core::RegistrationKind::Enrol,
        request: RequestId::from_random(id),
        identity: identity.public(),
        csr: request.csr().to_vec(),
        hostname: format!("bench{number}.example.com").parse()?,
        token: token.map(|token| TokenText::new(token.to_owned())),
        takeover: Takeover::No,
        reported_ip: None,
        platform: platform(),
    };
    let frame = registration.sign(&identity, None, Audience::root(root))?;
    Ok((frame.into_wire().encode_to_vec(), identity, request))
}

impl Envoy {
    /// From the answer to its registration.
    ///
    /// # Errors
    /// When the answer is none.
    pub fn new(answer: Bytes, identity: IdentitySecret, request: &ClientRequest) -> anyhow::Result<Self> {
        let answer = wire::Registered::decode(answer)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots: Vec<CertificateDer<'static>> = answer.roots.into_iter().map(CertificateDer::from).collect();
        let client = ClientIdentity::new(
            vec![CertificateDer::from(answer.certificate)],
            vigo_ca::pem::private_key(&request.key_pem())?,
        );
        Ok(Self {
            envoy: answer.envoy.as_slice().try_into()?,
            identity,
            server: answer.server.as_slice().try_into()?,
            key: answer.signing_key.as_slice().try_into()?,
            point: None,
            policy: None,
            tls: Arc::new(client_config(provider, &roots, Some(client))?),
        })
    }

    /// The next check-in's frame, encoded, and the digest that its reply must carry.
    fn next(&self) -> anyhow::Result<(Vec<u8>, vigo_core::RequestDigest)> {
        let facts = CheckIn {
            envoy: self.envoy,
            session: self.point.clone(),
            platform: platform(),
            policy: self.policy.clone(),
            trusted_roots: vec![Pin::from([7; 32])],
            report: StateReport::default(),
        };
        let frame = facts.sign(&self.identity, &self.server)?;
        let digest = frame.digest();
        Ok((wire::SignedCheckIn::from(frame).encode_to_vec(), digest))
    }

    /// One check-in, as an agent makes it; the sizes of request and reply.
    ///
    /// # Errors
    /// When it is not accepted.
    pub async fn check_in(&mut self, line: &mut Line) -> anyhow::Result<(usize, usize)> {
        for _ in 0..3 {
            let (frame, digest) = self.next()?;
            let answer = match line.call("CheckIn", &frame).await? {
                Answer::Message(answer) => answer,
                Answer::Refused(code) => bail!("refused: {code}"),
            };
            let sizes = (frame.len(), answer.len());
            let reply = SignedReply::try_from(wire::SignedReply::decode(answer)?)?;
            match reply.verify(&self.key, &self.server, self.envoy, digest)?.outcome {
                ReplyOutcome::Accepted(accepted) => {
                    if let vigo_core::PolicyChange::Bundle(bundle) = &accepted.policy {
                        self.policy = Some(bundle.verify(&self.key, &self.server)?.state);
                    }
                    let point = self.point.as_mut().context("accepted without a point")?;
                    point.sequence = point.sequence.next();
                    point.challenge = accepted.challenge;
                    return Ok(sizes);
                }
                ReplyOutcome::Resync(resync) => {
                    self.point =
                        Some(SessionPoint { epoch: resync.epoch, sequence: resync.next, challenge: resync.challenge });
                }
            }
        }
        bail!("the server takes no frame")
    }
}
