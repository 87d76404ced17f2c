//! The most that each kind of frame may have, when it is signed and when it is verified.

use vigo_core::frame::{MAX_BUNDLE, MAX_CHECK_IN, MAX_REGISTER, MAX_REPLY};
use vigo_core::{Audience, Bundle, CheckIn, FrameError, Notice, PolicyChange, Registration};

use crate::hand::bytes;
use crate::scene::{self, Frame, SERVER};

/// The golden body of a kind, made longer by a field that readers pass over.
fn padded(frame: Frame, length: usize) -> Vec<u8> {
    let mut body = frame.golden().0;
    let rest = length - body.len();
    let field = (rest - 10..rest).map(|padding| bytes(99, vec![0; padding])).find(|field| field.len() == rest);
    body.extend(field.unwrap());
    assert_eq!(body.len(), length);
    body
}

#[track_caller]
fn check(frame: Frame, limit: usize) {
    assert_eq!(frame.present_signed(&padded(frame, limit)), Ok(()));
    let too_large = Err(FrameError::TooLarge { limit }.into());
    assert_eq!(frame.present_signed(&padded(frame, limit + 1)), too_large);
    // Refused for its size before anything else is looked at.
    assert_eq!(frame.present(&vec![0xff; limit + 1], &[0; 64]), too_large);
}

#[test]
fn bodies_are_limited_when_verified() {
    check(Frame::Registration, MAX_REGISTER);
    check(Frame::Proof, MAX_REGISTER);
    check(Frame::CheckIn, MAX_CHECK_IN);
    check(Frame::Reply, MAX_REPLY);
    check(Frame::Bundle, MAX_BUNDLE);
    assert_eq!([MAX_REGISTER, MAX_CHECK_IN], [64 * 1024, 1024 * 1024]);
}

#[test]
fn bodies_are_limited_when_signed() {
    let registration = Registration { csr: vec![0; MAX_REGISTER], ..scene::registration() };
    let signed = registration.sign(&scene::identity(), None, Audience::root(&scene::root())).map(drop);
    assert_eq!(signed, Err(FrameError::TooLarge { limit: MAX_REGISTER }));

    let mut check_in: CheckIn = scene::check_in();
    check_in.platform.os = "x".repeat(MAX_CHECK_IN);
    let signed = check_in.sign(&scene::identity(), &SERVER).map(drop);
    assert_eq!(signed, Err(FrameError::TooLarge { limit: MAX_CHECK_IN }));

    let notice = Notice { code: "x".into(), message: "x".repeat(MAX_REPLY) };
    let reply = scene::reply(scene::accepted(PolicyChange::None, vec![notice]));
    let signed = reply.sign(&scene::server(), &SERVER).map(drop);
    assert_eq!(signed, Err(FrameError::TooLarge { limit: MAX_REPLY }));

    let bundle = Bundle { environment: "x".repeat(MAX_BUNDLE), ..Bundle::default() };
    let signed = bundle.sign(&scene::server(), &SERVER).map(drop);
    assert_eq!(signed, Err(FrameError::TooLarge { limit: MAX_BUNDLE }));
}

#[test]
fn the_largest_bundle_fits_a_reply() {
    let body = padded(Frame::Bundle, MAX_BUNDLE);
    let signature = Frame::Bundle.purpose().sign(Frame::Bundle.seed(), &body);
    let signature = signature.as_slice().try_into().unwrap();
    let bundle = vigo_core::SignedBundle { body, signature };
    let reply = scene::reply(scene::accepted(PolicyChange::Bundle(bundle), vec![scene::notice()]));
    assert!(reply.sign(&scene::server(), &SERVER).is_ok());
}
