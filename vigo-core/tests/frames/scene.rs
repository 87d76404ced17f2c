//! One fleet, one envoy, and one frame of each kind between them, made by the crate.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use vigo_core::*;
use zeroize::Zeroizing;

use crate::hand::{Purpose, section};

pub(crate) const IDENTITY_SEED: u8 = 0x1d;
pub(crate) const OLD_SEED: u8 = 0x01;
pub(crate) const SERVER_SEED: u8 = 0x5e;
pub(crate) const SERVER: ServerId = ServerId::from_random([0xf1; 16]);
pub(crate) const ROOT: [u8; 32] = [0xa0; 32];
pub(crate) const EPOCH: Epoch = Epoch::from_random([0xe0; 16]);

pub(crate) fn identity() -> IdentitySecret {
    IdentitySecret::from_seed(&Zeroizing::new([IDENTITY_SEED; 32]))
}

pub(crate) fn old_identity() -> IdentitySecret {
    IdentitySecret::from_seed(&Zeroizing::new([OLD_SEED; 32]))
}

pub(crate) fn server() -> ServerSecret {
    ServerSecret::from_seed(&Zeroizing::new([SERVER_SEED; 32]))
}

pub(crate) fn envoy() -> EnvoyId {
    EnvoyId::from_random([7; 16])
}

pub(crate) fn old_envoy() -> EnvoyId {
    EnvoyId::from_random([6; 16])
}

pub(crate) fn root() -> Pin {
    Pin::from(ROOT)
}

pub(crate) fn challenge(counter: u64) -> Challenge {
    ChallengeKey::derive(&[0xcc; 32]).issue(envoy(), EPOCH, counter)
}

pub(crate) fn platform() -> Platform {
    Platform { agent_version: "0.1.0".into(), os: "linux".into(), arch: "x86_64".into() }
}

pub(crate) fn registration() -> Registration {
    Registration {
        kind: vigo_core::RegistrationKind::Enrol,
        request: RequestId::from_random([0x2e; 16]),
        identity: identity().public(),
        csr: vec![0x30, 3, 2, 1, 0x2a],
        hostname: "web3.example.com".parse().unwrap(),
        token: Some(TokenText::new("vgt1.a.b.c.d".into())),
        takeover: Takeover::Asked,
        reported_ip: Some("192.0.2.7".parse().unwrap()),
        platform: platform(),
    }
}

/// Signed by the identity, and by the old one under the label of a proof.
pub(crate) fn signed_registration(registration: &Registration) -> SignedRegistration {
    let old = old_identity();
    let old = OldEnvoy { id: old_envoy(), secret: &old };
    registration.sign(&identity(), Some(&old), Audience::root(&root())).unwrap()
}

pub(crate) fn bundle() -> Bundle {
    let text = |text: &str| Value::Text(text.into());
    let attributes = [
        ("content", text("hello")),
        ("depth", Value::Int(-2)),
        ("list", Value::List(vec![Value::Bool(true), Value::Bool(false)])),
        ("map", Value::Map(BTreeMap::from([("k".into(), Value::Null)]))),
        ("ratio", Value::Float(0.5)),
    ];
    let resource = Resource {
        name: "motd".into(),
        kind: "file".into(),
        state: "present".into(),
        attributes: attributes.map(|(name, value)| (name.into(), value)).into(),
    };
    Bundle {
        hostcrate: Some("*.example.com".into()),
        environment: "production".into(),
        roles: vec!["web".into(), "edge".into()],
        configcrates: vec![Configcrate { name: "base".into(), resources: vec![resource] }],
    }
}

pub(crate) fn signed_bundle() -> (SignedBundle, PolicyState) {
    bundle().sign(&server(), &SERVER).unwrap()
}

pub(crate) fn check_in() -> CheckIn {
    CheckIn {
        envoy: envoy(),
        session: Some(SessionPoint { epoch: EPOCH, sequence: Sequence::new(300), challenge: challenge(5) }),
        platform: platform(),
        policy: Some(signed_bundle().1),
        trusted_roots: vec![root(), Pin::from([0xa1; 32])],
        report: StateReport { configcrates: 1, resources: 150, ..StateReport::default() },
    }
}

pub(crate) fn signed_check_in() -> SignedCheckIn {
    check_in().sign(&identity(), &SERVER).unwrap()
}

/// To [`check_in`].
pub(crate) fn reply(outcome: ReplyOutcome) -> Reply {
    let server_time = UnixTime::from_secs(1_780_272_000);
    Reply { request: signed_check_in().digest(), envoy: envoy(), server_time, outcome }
}

pub(crate) fn accepted(policy: PolicyChange, notices: Vec<Notice>) -> ReplyOutcome {
    ReplyOutcome::Accepted(Accepted {
        challenge: challenge(6),
        interval: Duration::from_secs(300),
        policy,
        notices,
        directive: None,
        offered: None,
    })
}

pub(crate) fn notice() -> Notice {
    Notice { code: "policy_empty".into(), message: "No hostcrate takes web3.example.com.".into() }
}

/// The kinds of signatures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Frame {
    Registration,
    Proof,
    CheckIn,
    Reply,
    Bundle,
}

impl Frame {
    pub(crate) const ALL: [Self; 5] = [Self::Registration, Self::Proof, Self::CheckIn, Self::Reply, Self::Bundle];

    pub(crate) fn purpose(self) -> Purpose {
        let server = Sha256::digest([0xf1; 16]).into();
        let (label, audience, method) = match self {
            Self::Registration => ("vigo/register/v1", ROOT, "Register"),
            Self::Proof => ("vigo/proof/v1", ROOT, "Register"),
            Self::CheckIn => ("vigo/checkin/v1", server, "CheckIn"),
            Self::Reply => ("vigo/reply/v1", server, "CheckIn"),
            Self::Bundle => ("vigo/bundle/v1", server, "Bundle"),
        };
        Purpose { label, audience, method }
    }

    /// Whose key must have signed.
    pub(crate) fn seed(self) -> u8 {
        match self {
            Self::Registration | Self::CheckIn => IDENTITY_SEED,
            Self::Proof => OLD_SEED,
            Self::Reply | Self::Bundle => SERVER_SEED,
        }
    }

    /// The golden body and signature.
    pub(crate) fn golden(self) -> (Vec<u8>, [u8; 64]) {
        let text = match self {
            Self::Registration => include_str!("../golden/registration.txt"),
            Self::Proof => include_str!("../golden/proof.txt"),
            Self::CheckIn => include_str!("../golden/check_in.txt"),
            Self::Reply => include_str!("../golden/reply_bundle.txt"),
            Self::Bundle => include_str!("../golden/bundle.txt"),
        };
        (section(text, "body"), section(text, "signature").try_into().unwrap())
    }

    /// Hands a frame to whoever verifies its kind, as the party of this scene that it is meant for.
    pub(crate) fn present(self, body: &[u8], signature: &[u8; 64]) -> Result<(), RegistrationError> {
        let (body, signature) = (body.to_vec(), Signature::try_from(signature.as_slice())?);
        match self {
            Self::Registration => SignedRegistration { body, signature, proof: None }.verify(&[root()]).map(drop),
            Self::Proof => {
                let proof = Some(Proof { envoy: old_envoy(), signature });
                // The registration itself is in order, so that the proof alone decides.
                let own = Self::Registration.purpose().sign(IDENTITY_SEED, &body);
                let frame = SignedRegistration { body, signature: own.as_slice().try_into()?, proof };
                let verified = frame.verify(&[root()])?;
                verified.proves(&old_identity().public()).then_some(()).ok_or(FrameError::BadSignature.into())
            }
            Self::CheckIn => {
                let frame = SignedCheckIn { body, signature };
                Ok(frame.verify(envoy(), &identity().public(), &SERVER).map(drop)?)
            }
            Self::Reply => {
                let frame = SignedReply { body, proof: ReplyProof::Single(signature) };
                Ok(frame.verify(&server().public(), &SERVER, envoy(), signed_check_in().digest()).map(drop)?)
            }
            Self::Bundle => Ok(SignedBundle { body, signature }.verify(&server().public(), &SERVER).map(drop)?),
        }
    }

    /// Hands over a body that its rightful sender signed.
    pub(crate) fn present_signed(self, body: &[u8]) -> Result<(), RegistrationError> {
        self.present(body, &self.purpose().sign(self.seed(), body))
    }
}
