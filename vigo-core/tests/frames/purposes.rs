//! A signature is worth something for one label, one audience and one method, and nothing anywhere else.

use sha2::{Digest as _, Sha256};
use vigo_core::{EnvoyId, FrameError, IdentitySecret, Pin, Registration, RegistrationError, ServerId, ServerSecret};
use zeroize::Zeroizing;

use crate::hand::{Purpose, sign};
use crate::scene::{self, Frame, SERVER};

const BAD: Result<(), RegistrationError> = Err(RegistrationError::Frame(FrameError::BadSignature));

#[test]
fn one_label_one_audience_one_method() {
    let labels = Frame::ALL.map(|frame| frame.purpose().label);
    let audiences = [
        Sha256::digest([0xf1; 16]).into(),
        Sha256::digest([0xf2; 16]).into(), // another server
        scene::ROOT,
        [0xa1; 32], // another root
        Sha256::digest(scene::ROOT).into(),
        [0; 32],
    ];
    for frame in Frame::ALL {
        let body = frame.golden().0;
        let mut good = 0;
        for label in labels.into_iter().chain(["vigo/checkin/v2", "vigo/checkin", ""]) {
            for audience in audiences {
                for method in ["Register", "CheckIn", "Bundle", "checkin", ""] {
                    let purpose = Purpose { label, audience, method };
                    let result = frame.present(&body, &purpose.sign(frame.seed(), &body));
                    if purpose == frame.purpose() {
                        assert_eq!(result, Ok(()), "{frame:?}");
                        good += 1;
                    } else {
                        assert_eq!(result, BAD, "{frame:?} signed as {purpose:?}");
                    }
                }
            }
        }
        assert_eq!(good, 1, "{frame:?}");
    }
}

/// Other ways to write down label, audience, method and body sign something else.
#[test]
fn one_way_to_write_it_down() {
    #[track_caller]
    fn check(frame: Frame, what: &str, change: impl Fn(&Purpose, &[u8]) -> Vec<u8>) {
        let body = frame.golden().0;
        let signature = sign(frame.seed(), &change(&frame.purpose(), &body));
        assert_eq!(frame.present(&body, &signature), BAD, "{frame:?}: {what}");
    }
    for frame in Frame::ALL {
        let label = |p: &Purpose| p.label.len();
        check(frame, "the body alone", |_, body| body.to_vec());
        check(frame, "its hash", |p, body| Sha256::digest(p.signed(body)).to_vec());
        check(frame, "a label without its end", |p, body| {
            let mut bytes = p.signed(body);
            bytes.remove(label(p));
            bytes
        });
        check(frame, "no audience", |p, body| {
            let mut bytes = p.signed(body);
            bytes.drain(label(p) + 1..label(p) + 33);
            bytes
        });
        check(frame, "little-endian lengths", |p, body| {
            let mut bytes = p.signed(body);
            let at = label(p) + 33;
            bytes[at..at + 2].reverse();
            let at = at + 2 + p.method.len();
            bytes[at..at + 4].reverse();
            bytes
        });
        check(frame, "no length of the body", |p, body| {
            let mut bytes = p.signed(body);
            let at = label(p) + 35 + p.method.len();
            bytes.drain(at..at + 4);
            bytes
        });
        check(frame, "something after the body", |p, body| [p.signed(body).as_slice(), b"\0"].concat());
    }
}

#[test]
fn only_the_key_of_the_sender() {
    for frame in Frame::ALL {
        let body = frame.golden().0;
        for seed in 0..=u8::MAX {
            let result = frame.present(&body, &frame.purpose().sign(seed, &body));
            assert_eq!(result, if seed == frame.seed() { Ok(()) } else { BAD }, "{frame:?} by the seed {seed}");
        }
    }
}

/// With the right signature for its purpose, but the body of another kind.
#[test]
fn a_body_of_another_kind_is_refused() {
    for frame in Frame::ALL {
        for other in Frame::ALL {
            let body = other.golden().0;
            let result = frame.present_signed(&body);
            assert_eq!(result.is_ok(), body == frame.golden().0, "a {other:?} as {frame:?}: {result:?}");
        }
    }
}

#[test]
fn a_registration_is_for_one_of_the_live_roots() {
    let (other, own) = (Pin::from([0xa1; 32]), scene::root());
    let verify = |roots: &[Pin]| scene::signed_registration(&scene::registration()).verify(roots);
    for roots in [&[own][..], &[other, own], &[own, other]] {
        assert!(verify(roots).unwrap().proves(&scene::old_identity().public()), "{roots:?}");
    }
    for roots in [&[][..], &[other]] {
        assert_eq!(verify(roots).unwrap_err(), FrameError::BadSignature.into(), "{roots:?}");
    }
}

#[test]
fn a_proof_and_its_registration_are_for_one_root() {
    let other = Pin::from([0xa1; 32]);
    let mut mixed = scene::signed_registration(&scene::registration());
    let old = scene::old_identity();
    let old = vigo_core::OldEnvoy { id: scene::old_envoy(), secret: &old };
    let elsewhere = scene::registration().sign(&scene::identity(), Some(&old), vigo_core::Audience::root(&other));
    mixed.proof = elsewhere.unwrap().proof;
    let verified = mixed.verify(&[scene::root(), other]).unwrap();
    assert!(!verified.proves(&scene::old_identity().public()));
}

#[test]
fn a_registration_is_signed_by_the_key_that_it_names() {
    let other = IdentitySecret::from_seed(&Zeroizing::new([9; 32]));
    let audience = vigo_core::Audience::root(&scene::root());
    assert_eq!(scene::registration().sign(&other, None, audience), Err(FrameError::BadSignature));
    let named = Registration { identity: other.public(), ..scene::registration() };
    let mut signed = named.sign(&other, None, audience).unwrap();
    signed.signature = scene::signed_registration(&scene::registration()).signature;
    assert_eq!(signed.verify(&[scene::root()]).unwrap_err(), FrameError::BadSignature.into());
}

#[test]
fn the_parties_of_a_check_in_and_its_reply_are_these() {
    let frame = scene::signed_check_in();
    let key = scene::identity().public();
    let (other_envoy, other_server) = (EnvoyId::from_random([8; 16]), ServerId::from_random([0xf2; 16]));
    let other_key = IdentitySecret::from_seed(&Zeroizing::new([9; 32])).public();
    assert!(frame.verify(scene::envoy(), &key, &SERVER).is_ok());
    let for_another = FrameError::Malformed("the frame speaks for another envoy");
    assert_eq!(frame.verify(other_envoy, &key, &SERVER), Err(for_another));
    assert_eq!(frame.verify(scene::envoy(), &other_key, &SERVER), Err(FrameError::BadSignature));
    assert_eq!(frame.verify(scene::envoy(), &key, &other_server), Err(FrameError::BadSignature));

    let request = frame.digest();
    let mut next = scene::check_in();
    next.session = None;
    let other_request = next.sign(&scene::identity(), &SERVER).unwrap().digest();
    let outcome = scene::accepted(vigo_core::PolicyChange::None, vec![]);
    let reply = scene::reply(outcome).sign(&scene::server(), &SERVER).unwrap();
    let key = scene::server().public();
    let other_key = ServerSecret::from_seed(&Zeroizing::new([9; 32])).public();
    assert!(reply.verify(&key, &SERVER, scene::envoy(), request).is_ok());
    assert_eq!(reply.verify(&key, &SERVER, other_envoy, request), Err(FrameError::OtherRequest));
    assert_eq!(reply.verify(&key, &SERVER, scene::envoy(), other_request), Err(FrameError::OtherRequest));
    assert_eq!(reply.verify(&key, &other_server, scene::envoy(), request), Err(FrameError::BadSignature));
    assert_eq!(reply.verify(&other_key, &SERVER, scene::envoy(), request), Err(FrameError::BadSignature));
}
