//! One fleet, one envoy and the frames between them: fixed keys, fixed ids.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};
use vigo_core::{
    Accepted, Audience, Bundle, Challenge, ChallengeKey, CheckIn, Configcrate, Directive, DirectiveAction, DirectiveId,
    DirectiveResult, EnvoyId, Epoch, IdentitySecret, Notice, OldEnvoy, Pin, Platform, PolicyChange, PolicyState,
    Registration, Reply, ReplyOutcome, RequestDigest, RequestId, Resource, Resync, Sequence, ServerId, ServerSecret,
    SessionPoint, SignedBundle, SignedCheckIn, SignedRegistration, SignedReply, StateReport, Takeover, TokenText,
    UnixTime, UpdateFailure, Value,
};
use zeroize::Zeroizing;

pub(crate) const SERVER: ServerId = ServerId::from_random([0xf1; 16]);
const ROOT: [u8; 32] = [0xa0; 32];
const EPOCH: Epoch = Epoch::from_random([0xe0; 16]);

/// The kinds of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Registration,
    Proof,
    CheckIn,
    Reply,
    Bundle,
}

/// What a signature is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    pub(crate) label: &'static str,
    pub(crate) audience: [u8; 32],
    pub(crate) method: &'static str,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Registration, Self::Proof, Self::CheckIn, Self::Reply, Self::Bundle];

    /// Its place in [`ALL`](Self::ALL).
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn purpose(self) -> Purpose {
        let server = Sha256::digest(SERVER.as_bytes()).into();
        match self {
            Self::Registration => Purpose::REGISTRATION,
            Self::Proof => Purpose { label: "vigo/proof/v1", ..Purpose::REGISTRATION },
            Self::CheckIn => Purpose { label: "vigo/checkin/v1", audience: server, method: "CheckIn" },
            Self::Reply => Purpose { label: "vigo/reply/v1", audience: server, method: "CheckIn" },
            Self::Bundle => Purpose { label: "vigo/bundle/v1", audience: server, method: "Bundle" },
        }
    }

    /// The byte that the seed of the rightful signer's key is made of.
    pub(crate) fn seed(self) -> u8 {
        match self {
            Self::Registration | Self::CheckIn => 0x1d,
            Self::Proof => 0x01,
            Self::Reply | Self::Bundle => 0x5e,
        }
    }
}

/// The key of each seed: to make one takes as long as to sign with it.
static KEYS: LazyLock<Vec<SigningKey>> =
    LazyLock::new(|| (0..=u8::MAX).map(|seed| SigningKey::from_bytes(&[seed; 32])).collect());

impl Purpose {
    pub(crate) const REGISTRATION: Self = Self { label: "vigo/register/v1", audience: ROOT, method: "Register" };

    /// Signs label (NUL-terminated), audience (32 bytes), method (u16 length, bytes), body (u32 length, bytes).
    pub(crate) fn sign(&self, seed: u8, body: &[u8]) -> [u8; 64] {
        let length = |bytes: usize| u32::try_from(bytes).expect("inputs are small").to_be_bytes();
        let parts: [&[u8]; 7] = [
            self.label.as_bytes(),
            &[0],
            &self.audience,
            &length(self.method.len())[2..],
            self.method.as_bytes(),
            &length(body.len()),
            body,
        ];
        KEYS[usize::from(seed)].sign(&parts.concat()).to_bytes()
    }
}

fn secret(kind: Kind) -> Zeroizing<[u8; 32]> {
    Zeroizing::new([kind.seed(); 32])
}

pub(crate) fn identity() -> &'static IdentitySecret {
    static SECRET: LazyLock<IdentitySecret> = LazyLock::new(|| IdentitySecret::from_seed(&secret(Kind::CheckIn)));
    &SECRET
}

pub(crate) fn old_identity() -> &'static IdentitySecret {
    static SECRET: LazyLock<IdentitySecret> = LazyLock::new(|| IdentitySecret::from_seed(&secret(Kind::Proof)));
    &SECRET
}

pub(crate) fn server() -> &'static ServerSecret {
    static SECRET: LazyLock<ServerSecret> = LazyLock::new(|| ServerSecret::from_seed(&secret(Kind::Reply)));
    &SECRET
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

pub(crate) fn platform() -> Platform {
    Platform { agent_version: "0.1.0".into(), os: "linux".into(), arch: "x86_64".into() }
}

fn challenge(counter: u64) -> Challenge {
    ChallengeKey::derive(&[0xcc; 32]).issue(envoy(), EPOCH, counter)
}

fn registration() -> Registration {
    Registration {
        kind: vigo_core::RegistrationKind::Enrol,
        request: RequestId::from_random([0x2e; 16]),
        identity: identity().public(),
        csr: vec![0x30, 3, 2, 1, 0x2a],
        hostname: "web3.example.com".parse().expect("a name"),
        token: Some(TokenText::new("vgt1.a.b.c.d".into())),
        takeover: Takeover::Asked,
        reported_ip: Some([192, 0, 2, 7].into()),
        platform: platform(),
    }
}

/// With the proof of an older identity.
pub(crate) fn signed_registration() -> SignedRegistration {
    let old = OldEnvoy { id: old_envoy(), secret: old_identity() };
    registration().sign(identity(), Some(&old), Audience::root(&root())).expect("it is small")
}

/// With nothing that can be left out.
pub(crate) fn bare_registration() -> SignedRegistration {
    let bare = Registration {
        token: None,
        takeover: Takeover::No,
        reported_ip: None,
        platform: Platform::default(),
        ..registration()
    };
    bare.sign(identity(), None, Audience::root(&root())).expect("it is small")
}

pub(crate) fn bundle() -> Bundle {
    let attributes = [
        ("content", Value::Text("hello".into())),
        ("depth", Value::Int(-2)),
        ("list", Value::List(vec![Value::Bool(true), Value::Bool(false)])),
        ("map", Value::Map(BTreeMap::from([("k".into(), Value::Null)]))),
        ("ratio", Value::Float(0.5)),
    ];
    bundle_of(attributes.map(|(name, value)| (name.into(), value)).into())
}

/// Nested as deep as policy files may be.
pub(crate) fn deep_bundle() -> Bundle {
    let around = |inner, depth: usize| match depth % 2 {
        0 => Value::List(vec![inner]),
        _ => Value::Map(BTreeMap::from([("k".into(), inner)])),
    };
    let deep = (0..vigo_policy::MAX_DEPTH).fold(Value::Null, around);
    bundle_of(BTreeMap::from([("deep".into(), deep)]))
}

fn bundle_of(attributes: BTreeMap<String, Value>) -> Bundle {
    let resource = Resource { name: "motd".into(), kind: "file".into(), state: "present".into(), attributes };
    Bundle {
        hostcrate: Some("*.example.com".into()),
        environment: "production".into(),
        roles: vec!["web".into(), "edge".into()],
        configcrates: vec![Configcrate { name: "base".into(), resources: vec![resource] }],
    }
}

pub(crate) fn signed_bundle(bundle: &Bundle) -> SignedBundle {
    bundle.sign(server(), &SERVER).expect("it is small").0
}

fn check_in() -> CheckIn {
    CheckIn {
        envoy: envoy(),
        session: Some(SessionPoint { epoch: EPOCH, sequence: Sequence::new(300), challenge: challenge(5) }),
        platform: platform(),
        policy: Some(PolicyState { version: "0123456789ab".into(), digest: [0xd1; 32] }),
        trusted_roots: vec![root(), Pin::from([0xa1; 32])],
        report: StateReport { configcrates: 1, resources: 150, ..StateReport::default() },
    }
}

pub(crate) fn signed_check_in() -> SignedCheckIn {
    check_in().sign(identity(), &SERVER).expect("it is small")
}

/// Of [`signed_check_in`].
pub(crate) fn request() -> RequestDigest {
    static DIGEST: LazyLock<RequestDigest> = LazyLock::new(|| signed_check_in().digest());
    *DIGEST
}

/// One that tells of what failed.
pub(crate) fn failed_check_in() -> SignedCheckIn {
    let why = Notice { code: "update_failed".into(), message: "It ended at once.".into() };
    let report = StateReport {
        update_failure: Some(UpdateFailure { version: "0.2.0".parse().expect("a version"), why: why.clone() }),
        directive: Some(DirectiveResult { id: DirectiveId::from_random([8; 16]), failure: Some(why) }),
        ..StateReport::default()
    };
    CheckIn { report, ..check_in() }.sign(identity(), &SERVER).expect("it is small")
}

/// Of a process that knows no challenge and holds no policy.
pub(crate) fn first_check_in() -> SignedCheckIn {
    let first = CheckIn { session: None, policy: None, trusted_roots: vec![], ..check_in() };
    first.sign(identity(), &SERVER).expect("it is small")
}

/// To [`signed_check_in`].
pub(crate) fn signed_reply(outcome: ReplyOutcome) -> SignedReply {
    let reply = Reply { request: request(), envoy: envoy(), server_time: UnixTime::from_secs(1_780_272_000), outcome };
    reply.sign(server(), &SERVER).expect("it is small")
}

pub(crate) fn accepted(bundle: Option<Bundle>) -> ReplyOutcome {
    let notice = Notice { code: "policy_empty".into(), message: "No hostcrate takes web3.example.com.".into() };
    ReplyOutcome::Accepted(Accepted {
        challenge: challenge(6),
        interval: Duration::from_secs(300),
        policy: bundle.map_or(PolicyChange::None, |bundle| PolicyChange::Bundle(signed_bundle(&bundle))),
        notices: vec![notice],
        directive: None,
        offered: None,
    })
}

/// With all that an accepted check-in may bring.
pub(crate) fn directed() -> ReplyOutcome {
    let ReplyOutcome::Accepted(plain) = accepted(None) else { unreachable!("it is accepted") };
    let directive = Some(Directive { id: DirectiveId::from_random([8; 16]), action: DirectiveAction::Update });
    ReplyOutcome::Accepted(Accepted { directive, offered: Some("0.2.0".parse().expect("a version")), ..plain })
}

pub(crate) fn resync() -> ReplyOutcome {
    ReplyOutcome::Resync(Resync { epoch: EPOCH, next: Sequence::new(301), challenge: challenge(7) })
}
