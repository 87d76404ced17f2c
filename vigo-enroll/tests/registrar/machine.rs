//! Machines that ask to join.

use std::sync::atomic::{AtomicU64, Ordering};

use vigo_core::frame::Audience;
use vigo_core::{
    EnvoyId, IdentityKey, IdentitySecret, OldEnvoy, Pin, Platform, Registration, RequestId, SignedRegistration,
    Takeover, TokenText,
};
use vigo_enroll::Enrolled;
use zeroize::Zeroizing;

/// 16 bytes that no other call of this process gives.
pub(crate) fn draw() -> [u8; 16] {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&DRAWN.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes
}

/// The root that machines verify their server by.
pub(crate) fn root() -> Pin {
    Pin::from([0xca; 32])
}

/// A machine with all that it sends.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) seed: u32,
    pub(crate) old: Option<(EnvoyId, u32)>,
    pub(crate) token: Option<String>,
    pub(crate) hostname: String,
    pub(crate) request: RequestId,
    pub(crate) csr: Vec<u8>,
    pub(crate) takeover: Takeover,
    pub(crate) root: Pin,
}

impl Machine {
    /// A new machine: the seed stands for its identity key.
    pub(crate) fn new(seed: u32, hostname: &str) -> Self {
        Self {
            seed,
            old: None,
            token: None,
            hostname: hostname.to_owned(),
            request: RequestId::from_random(draw()),
            csr: format!("csr {seed}").into_bytes(),
            takeover: Takeover::No,
            root: root(),
        }
    }

    pub(crate) fn token(self, token: &TokenText) -> Self {
        Self { token: Some(token.reveal().to_owned()), ..self }
    }

    pub(crate) fn token_text(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// As the bootstrap script asks, always.
    pub(crate) fn forced(self) -> Self {
        Self { takeover: Takeover::Asked, ..self }
    }

    /// Claims to continue an envoy, with the key of the machine that enrolled as it.
    pub(crate) fn proving(self, envoy: &Enrolled, key: &Machine) -> Self {
        self.claiming(envoy.record.id, key)
    }

    pub(crate) fn claiming(self, envoy: EnvoyId, key: &Machine) -> Self {
        Self { old: Some((envoy, key.seed)), ..self }
    }

    /// The same with another request id, as after `pending/` was thrown away and the keys were kept.
    pub(crate) fn anew(&self) -> Self {
        Self { request: RequestId::from_random(draw()), ..self.clone() }
    }

    pub(crate) fn identity(&self) -> IdentityKey {
        secret(self.seed).public()
    }

    /// What it sends.
    pub(crate) fn signed(&self) -> SignedRegistration {
        let registration = Registration {
            kind: vigo_core::RegistrationKind::Enrol,
            request: self.request,
            identity: self.identity(),
            csr: self.csr.clone(),
            hostname: self.hostname.parse().expect("a hostname"),
            token: self.token.clone().map(TokenText::new),
            takeover: self.takeover,
            reported_ip: Some([10, 9, 8, 7].into()),
            platform: Platform { agent_version: "0.1.0".into(), os: "linux".into(), arch: "x86_64".into() },
        };
        let old = self.old.map(|(id, seed)| (id, secret(seed)));
        let old = old.as_ref().map(|(id, secret)| OldEnvoy { id: *id, secret });
        registration.sign(&secret(self.seed), old.as_ref(), Audience::root(&self.root)).expect("it is small enough")
    }
}

pub(crate) fn seed_bytes(seed: u32) -> [u8; 32] {
    let mut bytes = [0x5e; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    bytes
}

fn secret(seed: u32) -> IdentitySecret {
    IdentitySecret::from_seed(&Zeroizing::new(seed_bytes(seed)))
}
