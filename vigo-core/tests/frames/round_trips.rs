//! What is signed is what is read, whatever it holds; and whatever is read, nothing panics.

use std::net::IpAddr;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use vigo_core::*;

use crate::scene::{self, Frame, SERVER};

fn value() -> impl Strategy<Value = Value> {
    use proptest::num::f64::{INFINITE, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        // Every number that equals itself.
        (POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO | INFINITE).prop_map(Value::Float),
        any::<String>().prop_map(Value::Text),
    ];
    leaf.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            btree_map(any::<String>(), inner, 0..4).prop_map(Value::Map),
        ]
    })
}

fn resource() -> impl Strategy<Value = Resource> {
    let attributes = btree_map(any::<String>(), value(), 0..4);
    (any::<String>(), "[a-z]{0,8}", "[a-z]{0,8}", attributes).prop_map(|(name, kind, state, attributes)| Resource {
        name,
        kind,
        state,
        attributes,
    })
}

fn bundle() -> impl Strategy<Value = Bundle> {
    let configcrate =
        (any::<String>(), vec(resource(), 0..3)).prop_map(|(name, resources)| Configcrate { name, resources });
    (option::of(".{1,20}"), any::<String>(), vec(any::<String>(), 0..3), vec(configcrate, 0..3)).prop_map(
        |(hostcrate, environment, roles, configcrates)| Bundle { hostcrate, environment, roles, configcrates },
    )
}

fn platform() -> impl Strategy<Value = Platform> {
    ("[ -~]{0,64}", "[ -~]{0,64}", "[ -~]{0,64}").prop_map(|(agent_version, os, arch)| Platform {
        agent_version,
        os,
        arch,
    })
}

fn session() -> impl Strategy<Value = SessionPoint> {
    any::<([u8; 16], u64, u64)>().prop_map(|(epoch, sequence, counter)| SessionPoint {
        epoch: Epoch::from_random(epoch),
        sequence: Sequence::new(sequence),
        challenge: scene::challenge(counter),
    })
}

fn check_in() -> impl Strategy<Value = CheckIn> {
    let policy = ("[!-~]{0,64}", any::<[u8; 32]>()).prop_map(|(version, digest)| PolicyState { version, digest });
    let pins = vec(any::<[u8; 32]>().prop_map(Pin::from), 0..=16);
    let failure = (version(), notice()).prop_map(|(version, why)| UpdateFailure { version, why });
    let result = (any::<[u8; 16]>(), option::of(notice()))
        .prop_map(|(id, failure)| DirectiveResult { id: DirectiveId::from_random(id), failure });
    let report = (any::<(u32, u32)>(), option::of(failure), option::of(result)).prop_map(
        |((configcrates, resources), update_failure, directive)| StateReport {
            configcrates,
            resources,
            update_failure,
            directive,
        },
    );
    (option::of(session()), platform(), option::of(policy), pins, report).prop_map(
        |(session, platform, policy, trusted_roots, report)| CheckIn {
            envoy: scene::envoy(),
            session,
            platform,
            policy,
            trusted_roots,
            report,
        },
    )
}

fn notice() -> impl Strategy<Value = Notice> {
    ("[a-z_]{0,64}", "\\PC{0,200}").prop_map(|(code, message)| Notice { code, message })
}

fn version() -> impl Strategy<Value = AgentVersion> {
    any::<(u16, u16, u16)>().prop_map(|(a, b, c)| format!("{a}.{b}.{c}").parse().unwrap())
}

fn directive() -> impl Strategy<Value = Directive> {
    let action =
        prop_oneof![Just(DirectiveAction::Update), Just(DirectiveAction::Reenroll), Just(DirectiveAction::Unknown)];
    (any::<[u8; 16]>(), action).prop_map(|(id, action)| Directive { id: DirectiveId::from_random(id), action })
}

fn outcome() -> impl Strategy<Value = ReplyOutcome> {
    let policy = prop_oneof![
        Just(PolicyChange::None),
        bundle().prop_map(|bundle| PolicyChange::Bundle(bundle.sign(&scene::server(), &SERVER).unwrap().0)),
    ];
    prop_oneof![
        (any::<(u64, u32)>(), policy, vec(notice(), 0..3), option::of(directive()), option::of(version())).prop_map(
            |((counter, secs), policy, notices, directive, offered)| {
                let (challenge, interval) = (scene::challenge(counter), Duration::from_secs(secs.into()));
                ReplyOutcome::Accepted(Accepted { challenge, interval, policy, notices, directive, offered })
            }
        ),
        session().prop_map(|s| {
            ReplyOutcome::Resync(Resync { epoch: s.epoch, next: s.sequence, challenge: s.challenge })
        }),
    ]
}

proptest! {
    #[test]
    fn bundles(bundle in bundle()) {
        let (signed, state) = bundle.sign(&scene::server(), &SERVER).unwrap();
        prop_assert_eq!(&SignedBundle::from_bytes(&signed.to_bytes()).unwrap(), &signed);
        let verified = signed.verify(&scene::server().public(), &SERVER).unwrap();
        prop_assert_eq!(&verified.bundle, &bundle);
        prop_assert_eq!(&verified.state, &state);
        // Equal bundles have equal bytes, so that one signature serves a whole hostcrate.
        prop_assert_eq!(verified.bundle.sign(&scene::server(), &SERVER).unwrap(), (signed, state));
    }

    #[test]
    fn check_ins(check_in in check_in()) {
        let signed = check_in.sign(&scene::identity(), &SERVER).unwrap();
        let verified = signed.verify(scene::envoy(), &scene::identity().public(), &SERVER);
        prop_assert_eq!(verified, Ok(check_in));
    }

    #[test]
    fn replies(outcome in outcome(), time: u64) {
        let reply = Reply { server_time: UnixTime::from_secs(time), ..scene::reply(outcome) };
        let signed = reply.sign(&scene::server(), &SERVER).unwrap();
        let request = scene::signed_check_in().digest();
        let verified = signed.verify(&scene::server().public(), &SERVER, scene::envoy(), request);
        prop_assert_eq!(verified, Ok(reply));
    }

    #[test]
    fn registrations(
        request: [u8; 16],
        csr: Vec<u8>,
        hostname in "[a-z0-9]{1,20}\\.example",
        token in option::of("[ -~]{1,80}"),
        asked: bool,
        reported_ip: Option<IpAddr>,
        platform in platform(),
    ) {
        let registration = Registration {
            kind: vigo_core::RegistrationKind::Enrol,
            request: RequestId::from_random(request),
            identity: scene::identity().public(),
            csr,
            hostname: hostname.parse().unwrap(),
            token: token.clone().map(TokenText::new),
            takeover: if asked { Takeover::Asked } else { Takeover::No },
            reported_ip,
            platform,
        };
        let verified = scene::signed_registration(&registration).verify(&[scene::root()]).unwrap();
        let read = verified.registration();
        prop_assert_eq!(format!("{read:?}"), format!("{registration:?}"));
        prop_assert_eq!(read.token.as_ref().map(TokenText::reveal), token.as_deref());
        prop_assert!(verified.proves(&scene::old_identity().public()));
    }

    /// Signed, so that they get as far as the parser.
    #[test]
    fn any_body_is_read_without_a_panic(body: Vec<u8>, from in prop::sample::select(&Frame::ALL), at: prop::sample::Index) {
        let mut changed = from.golden().0;
        let at = at.index(changed.len());
        changed.splice(at.., body.iter().copied());
        for frame in Frame::ALL {
            let _ = frame.present_signed(&body);
            let _ = frame.present_signed(&changed);
        }
    }
}
