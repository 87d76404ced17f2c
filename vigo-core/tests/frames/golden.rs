//! The bytes of every kind of frame, fixed for ever: agents and servers of different versions meet.
//!
//! The files were written by a program that knows the schema and the layout of signed bytes, and nothing of this crate.

use ed25519_dalek::{SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use vigo_core::audit::ChainLink;
use vigo_core::store::{Entry, Revision};
use vigo_core::{
    Accepted, Audience, Bundle, ChallengeKey, CheckIn, Directive, DirectiveAction, DirectiveId, DirectiveResult,
    EnvoyId, Epoch, Notice, Platform, PolicyChange, Registration, Reply, ReplyOutcome, ReplyProof, Resync, Sequence,
    Signature, StateReport, Takeover, UpdateFailure,
};

use crate::hand::section;
use crate::scene::{self, EPOCH, Frame, SERVER};

/// The crate makes exactly the golden body and signature, and the signature is over exactly the golden bytes.
#[track_caller]
fn check(golden: &str, frame: Frame, body: &[u8], signature: &Signature) {
    assert_eq!(hex::encode(body), hex::encode(section(golden, "body")));
    let signed = section(golden, "signed");
    assert_eq!(hex::encode(frame.purpose().signed(body)), hex::encode(&signed));
    assert_eq!(hex::encode(signature.as_bytes()), hex::encode(section(golden, "signature")));
    let key: VerifyingKey = SigningKey::from_bytes(&[frame.seed(); 32]).verifying_key();
    key.verify_strict(&signed, &ed25519_dalek::Signature::from_bytes(signature.as_bytes())).unwrap();
}

#[track_caller]
fn check_registration(golden: &str, registration: &Registration) {
    let signed = scene::signed_registration(registration);
    check(golden, Frame::Registration, &signed.body, &signed.signature);
    let verified = signed.verify(&[scene::root()]).unwrap();
    // A token has no equality and shows nothing.
    assert_eq!(format!("{:?}", verified.registration()), format!("{registration:?}"));
    let token = |r: &Registration| r.token.as_ref().map(|token| token.reveal().to_owned());
    assert_eq!(token(verified.registration()), token(registration));
}

#[test]
fn registrations() {
    check_registration(include_str!("../golden/registration.txt"), &scene::registration());
    let bare = Registration {
        token: None,
        takeover: Takeover::No,
        reported_ip: None,
        platform: Platform::default(),
        ..scene::registration()
    };
    check_registration(include_str!("../golden/registration_bare.txt"), &bare);
}

#[test]
fn rule_09_proofs() {
    let signed = scene::signed_registration(&scene::registration());
    let proof = signed.proof.unwrap();
    check(include_str!("../golden/proof.txt"), Frame::Proof, &signed.body, &proof.signature);
    let verified = signed.verify(&[scene::root()]).unwrap();
    assert_eq!(verified.claims(), Some(scene::old_envoy()));
    assert!(verified.proves(&scene::old_identity().public()));
    assert!(!verified.proves(&scene::identity().public()), "the signature of the frame itself proves nothing old");
    assert_eq!(verified.csr_digest(), <[u8; 32]>::from(Sha256::digest([0x30, 3, 2, 1, 0x2a])));

    let alone = scene::registration().sign(&scene::identity(), None, Audience::root(&scene::root())).unwrap();
    let verified = alone.verify(&[scene::root()]).unwrap();
    assert!(verified.claims().is_none() && !verified.proves(&scene::old_identity().public()));
}

#[test]
fn check_ins() {
    #[track_caller]
    fn check_one(golden: &str, check_in: &CheckIn) {
        let signed = check_in.sign(&scene::identity(), &SERVER).unwrap();
        check(golden, Frame::CheckIn, &signed.body, &signed.signature);
        assert_eq!(signed.digest().as_bytes(), &<[u8; 32]>::from(Sha256::digest(&signed.body)));
        let verified = signed.verify(scene::envoy(), &scene::identity().public(), &SERVER).unwrap();
        assert_eq!(&verified, check_in);
    }
    check_one(include_str!("../golden/check_in.txt"), &scene::check_in());
    let first = CheckIn {
        envoy: scene::envoy(),
        session: None,
        platform: Platform::default(),
        policy: None,
        trusted_roots: vec![],
        report: StateReport::default(),
    };
    check_one(include_str!("../golden/check_in_first.txt"), &first);
    let id = DirectiveId::from_random([0xd1; 16]);
    let why = Notice { code: "trial_failed".into(), message: "it ended at once".into() };
    let report = StateReport {
        update_failure: Some(UpdateFailure { version: "0.3.0".parse().unwrap(), why: why.clone() }),
        directive: Some(DirectiveResult { id, failure: Some(why) }),
        ..StateReport::default()
    };
    check_one(include_str!("../golden/check_in_failed.txt"), &CheckIn { report, ..first });
}

#[test]
fn replies() {
    #[track_caller]
    fn check_one(golden: &str, outcome: ReplyOutcome) {
        let reply: Reply = scene::reply(outcome);
        let signed = reply.sign(&scene::server(), &SERVER).unwrap();
        let ReplyProof::Single(signature) = &signed.proof else { panic!("{signed:?}") };
        check(golden, Frame::Reply, &signed.body, signature);
        let request = scene::signed_check_in().digest();
        let verified = signed.verify(&scene::server().public(), &SERVER, scene::envoy(), request).unwrap();
        assert_eq!(verified, reply);
    }
    let no_change = scene::accepted(PolicyChange::None, vec![scene::notice()]);
    check_one(include_str!("../golden/reply_no_change.txt"), no_change);
    let bundle = scene::accepted(PolicyChange::Bundle(scene::signed_bundle().0), vec![]);
    check_one(include_str!("../golden/reply_bundle.txt"), bundle);
    let ReplyOutcome::Accepted(plain) = scene::accepted(PolicyChange::None, vec![]) else { panic!() };
    let directive = Some(Directive { id: DirectiveId::from_random([0xd1; 16]), action: DirectiveAction::Reenroll });
    let directed = Accepted { directive, offered: Some("0.3.0".parse().unwrap()), ..plain };
    check_one(include_str!("../golden/reply_directive.txt"), ReplyOutcome::Accepted(directed));
    let resync = Resync { epoch: EPOCH, next: Sequence::new(301), challenge: scene::challenge(6) };
    check_one(include_str!("../golden/reply_resync.txt"), ReplyOutcome::Resync(resync));
}

#[test]
fn bundles() {
    #[track_caller]
    fn check_one(golden: &str, bundle: &Bundle, version: &str) {
        let (signed, state) = bundle.sign(&scene::server(), &SERVER).unwrap();
        check(golden, Frame::Bundle, &signed.body, &signed.signature);
        assert_eq!(state.version, version);
        assert_eq!(state.digest, <[u8; 32]>::from(Sha256::digest(&signed.body)));
        let verified = signed.verify(&scene::server().public(), &SERVER).unwrap();
        assert_eq!((&verified.bundle, verified.state), (bundle, state));
    }
    check_one(include_str!("../golden/bundle.txt"), &scene::bundle(), "f53c61f2b2d8");
    assert_eq!(scene::bundle().resources(), 1);
    // printf '' | sha256sum
    check_one(include_str!("../golden/bundle_empty.txt"), &Bundle::default(), "e3b0c44298fc");
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[test]
fn challenges() {
    let key = ChallengeKey::derive(&[0xcc; 32]);
    let challenge = key.issue(scene::envoy(), EPOCH, 5);
    let golden = "0000000000000005c8e9203bfec4eeddea64271261fada40083ba86a2e8e640cb994a8288752a7a5";
    assert_eq!(hex::encode(challenge.as_bytes()), golden);
    let derived = hmac(&[0xcc; 32], &[b"vigo/challenge-key/v1\0"]);
    let counter = 5u64.to_be_bytes();
    let mac = hmac(&derived, &[b"vigo/challenge/v1\0", scene::envoy().as_bytes(), EPOCH.as_bytes(), &counter]);
    assert_eq!(challenge.as_bytes()[8..], mac);
    assert_eq!(format!("{key:?}"), "ChallengeKey(…)");

    assert_eq!(key.counter(scene::envoy(), EPOCH, &challenge), Some(5));
    assert_eq!(key.counter(EnvoyId::from_random([8; 16]), EPOCH, &challenge), None);
    assert_eq!(key.counter(scene::envoy(), Epoch::from_random([0xe1; 16]), &challenge), None);
    assert_eq!(ChallengeKey::derive(&[0xcd; 32]).counter(scene::envoy(), EPOCH, &challenge), None);
    for bit in 0..40 * 8 {
        let mut flipped = *challenge.as_bytes();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let flipped = flipped.as_slice().try_into().unwrap();
        assert_eq!(key.counter(scene::envoy(), EPOCH, &flipped), None, "bit {bit}");
    }
}

#[test]
fn audit_links() {
    #[track_caller]
    fn check(link: &ChainLink, parts: &[&[u8]], golden: &str) {
        assert_eq!(hex::encode(link.hash), golden);
        assert_eq!(hex::encode(Sha256::digest(parts.concat())), golden);
    }
    let entry = |revision: u64, key: &str, value: &str| Entry {
        key: key.into(),
        value: value.into(),
        revision: Revision::new(revision),
    };
    // Handed over in the order in which a scan finds them; covered in the order in which they were committed.
    let entries = [entry(5, "audit/record/a", "five"), entry(2, "audit/record/b", "two")];
    let first = ChainLink::after(None, Revision::new(5), &entries);
    let parts: [&[u8]; 15] = [
        b"vigo/audit-link/v1\0",
        &1u64.to_be_bytes(),
        &[0; 32],
        &5u64.to_be_bytes(),
        &2u64.to_be_bytes(),
        &2u64.to_be_bytes(),
        &14u64.to_be_bytes(),
        b"audit/record/b",
        &3u64.to_be_bytes(),
        b"two",
        &5u64.to_be_bytes(),
        &14u64.to_be_bytes(),
        b"audit/record/a",
        &4u64.to_be_bytes(),
        b"five",
    ];
    check(&first, &parts, "a687edbe6edaecfacb4b30f9f6f93720c34dcf85b0edf154a930932740e1c0de");

    let second = ChainLink::after(Some(&first), Revision::new(9), &[]);
    let (number, through, count) = (2u64.to_be_bytes(), 9u64.to_be_bytes(), 0u64.to_be_bytes());
    let parts: [&[u8]; 5] = [b"vigo/audit-link/v1\0", &number, &first.hash, &through, &count];
    check(&second, &parts, "1f63d5be76ba88c7d843b30176b88db5f6d928e94a066aa1653a5caf4e2a482f");
}
