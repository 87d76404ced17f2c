//! Messages from the network: nothing that was not signed by the right key is ever taken.
//!
//! The first byte chooses the message, the rest is its protobuf.

use std::fmt::Debug;

use prost::Message;
use vigo_core::{
    FrameError, Notice, ReplyProof, Signature, SignedBundle, SignedCheckIn, SignedRegistration, SignedReply, wire,
};

use crate::Seed;
use crate::scene::{self, Kind, SERVER};

const LONGEST: usize = 80 * 1024;

/// The target.
pub fn check(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    match kind % 5 {
        0 => registration(bytes),
        1 => check_in(bytes),
        2 => reply(bytes),
        3 => bundle(bytes),
        _ => registered(bytes),
    }
}

/// The message and its frame, which gives the same message, and from that the same frame.
fn read<W, F>(bytes: &[u8], to_wire: impl Fn(&F) -> W) -> Option<F>
where
    W: Message + Default + PartialEq + Debug,
    F: TryFrom<W, Error = FrameError> + PartialEq + Debug,
{
    let frame = F::try_from(W::decode(bytes).ok()?).ok()?;
    let message = to_wire(&frame);
    assert!(W::decode(message.encode_to_vec().as_slice()).as_ref() == Ok(&message), "{message:?}");
    assert_eq!(F::try_from(message).as_ref(), Ok(&frame));
    Some(frame)
}

/// Only what the holder of the key said, with the one signature that this key makes, is taken.
#[track_caller]
fn honest(kind: Kind, body: &[u8], signature: &Signature, said: &[Vec<u8>]) {
    assert!(said.iter().any(|honest| honest == body), "a body that nobody signed was taken");
    assert_eq!(*signature.as_bytes(), kind.purpose().sign(kind.seed(), body), "another signature was taken");
}

fn registration(bytes: &[u8]) {
    let to_wire = |frame: &SignedRegistration| frame.clone().into_wire();
    let Some(frame) = read::<wire::SignedRegistration, _>(bytes, to_wire) else { return };
    let said = [scene::signed_registration().body, scene::bare_registration().body];
    let (body, signature, proof) = (frame.body.clone(), frame.signature, frame.proof);
    let Ok(verified) = frame.verify(&[scene::root()]) else { return };
    honest(Kind::Registration, &body, &signature, &said);
    assert_eq!(verified.claims(), proof.map(|proof| proof.envoy));
    if verified.proves(&scene::old_identity().public()) {
        let proof = proof.expect("what proves is there");
        honest(Kind::Proof, &body, &proof.signature, &said[..1]);
    }
}

fn check_in(bytes: &[u8]) {
    let to_wire = |frame: &SignedCheckIn| wire::SignedCheckIn::from(frame.clone());
    let Some(frame) = read::<wire::SignedCheckIn, _>(bytes, to_wire) else { return };
    if frame.verify(scene::envoy(), &scene::identity().public(), &SERVER).is_ok() {
        let said =
            [scene::signed_check_in(), scene::first_check_in(), scene::failed_check_in()].map(|frame| frame.body);
        honest(Kind::CheckIn, &frame.body, &frame.signature, &said);
    }
}

fn reply(bytes: &[u8]) {
    let to_wire = |frame: &SignedReply| wire::SignedReply::from(frame.clone());
    let Some(frame) = read::<wire::SignedReply, _>(bytes, to_wire) else { return };
    if frame.verify(&scene::server().public(), &SERVER, scene::envoy(), scene::request()).is_ok() {
        let ReplyProof::Single(signature) = &frame.proof else { panic!("another kind of proof was taken") };
        honest(Kind::Reply, &frame.body, signature, &replies().map(|reply| reply.body));
    }
}

fn replies() -> [SignedReply; 4] {
    [scene::accepted(None), scene::accepted(Some(scene::bundle())), scene::directed(), scene::resync()]
        .map(scene::signed_reply)
}

fn bundle(bytes: &[u8]) {
    let Some(frame) = read::<wire::SignedBundle, SignedBundle>(bytes, |frame| wire::SignedBundle::from(frame)) else {
        assert!(SignedBundle::from_bytes(bytes).is_err());
        return;
    };
    assert_eq!(SignedBundle::from_bytes(bytes).as_ref(), Ok(&frame));
    assert_eq!(SignedBundle::from_bytes(&frame.to_bytes()).as_ref(), Ok(&frame));
    if frame.verify(&scene::server().public(), &SERVER).is_ok() {
        honest(Kind::Bundle, &frame.body, &frame.signature, &bundles().map(|bundle| bundle.body));
    }
}

fn bundles() -> [SignedBundle; 2] {
    [scene::bundle(), scene::deep_bundle()].map(|bundle| scene::signed_bundle(&bundle))
}

/// The answer to a registration is not signed: what is said in it must be fit for a terminal, its bundle a server's.
fn registered(bytes: &[u8]) {
    let Ok(message) = wire::Registered::decode(bytes) else { return };
    assert!(wire::Registered::decode(message.encode_to_vec().as_slice()).as_ref() == Ok(&message));
    for notice in message.notices {
        if let Ok(notice) = Notice::from_wire(notice.clone()) {
            assert!(!notice.message.contains(char::is_control) && !notice.code.contains(char::is_control));
            assert!(notice.code.len() <= 64 && notice.message.len() <= 1024);
            assert_eq!(Notice::from_wire(notice.to_wire()).as_ref(), Ok(&notice));
        }
    }
    if let Some(message) = message.bundle {
        bundle(&message.encode_to_vec());
    }
}

/// Honest messages, and some with a signature that is another's.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let registration = scene::signed_registration();
    let swapped =
        SignedRegistration { signature: registration.proof.expect("it has one").signature, ..registration.clone() };
    let registered = wire::Registered {
        envoy: scene::envoy().as_bytes().to_vec(),
        certificate: vec![0x30, 0],
        roots: vec![vec![0x30, 0]],
        server: SERVER.as_bytes().to_vec(),
        signing_key: scene::server().public().as_bytes().to_vec(),
        interval_secs: 300,
        bundle: Some(wire::SignedBundle::from(&bundles()[0])),
        notices: vec![wire::Notice { code: "policy_empty".into(), message: "No hostcrate.".into() }],
    };
    let path = wire::MerklePath { root_signature: vec![1; 64], siblings: vec![vec![2; 32]], index: 3 };
    let merkle =
        wire::SignedReply { body: replies()[0].body.clone(), proof: Some(wire::signed_reply::Proof::MerklePath(path)) };
    let [no_change, with_bundle, directed, resync] =
        replies().map(|reply| wire::SignedReply::from(reply).encode_to_vec());
    let check_in = |frame| wire::SignedCheckIn::from(frame).encode_to_vec();
    let messages = [
        ("registration", 0, registration.into_wire().encode_to_vec()),
        ("registration-bare", 0, scene::bare_registration().into_wire().encode_to_vec()),
        ("registration-swapped", 0, swapped.into_wire().encode_to_vec()),
        ("check-in", 1, check_in(scene::signed_check_in())),
        ("check-in-first", 1, check_in(scene::first_check_in())),
        ("check-in-failed", 1, check_in(scene::failed_check_in())),
        ("reply-no-change", 2, no_change),
        ("reply-bundle", 2, with_bundle),
        ("reply-directed", 2, directed),
        ("reply-resync", 2, resync),
        ("reply-merkle", 2, merkle.encode_to_vec()),
        ("bundle", 3, bundles()[0].to_bytes()),
        ("bundle-deep", 3, bundles()[1].to_bytes()),
        ("registered", 4, registered.encode_to_vec()),
    ];
    messages.into_iter().map(|(name, kind, bytes)| Seed::new(name, [&[kind], bytes.as_slice()].concat())).collect()
}
