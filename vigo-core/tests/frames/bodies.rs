//! Bodies that their rightful sender signed, and that are refused all the same for what is in them.
//!
//! Of a field that comes twice the last one counts, so a golden body and one more field is a changed body.

use vigo_core::{FrameError, HostnameError, KeyError, RegistrationError};

use crate::hand::{bytes, number};
use crate::scene::{self, Frame};

#[track_caller]
fn check(frame: Frame, body: &[u8], expected: impl Into<RegistrationError>) {
    assert_eq!(frame.present_signed(body), Err(expected.into()));
}

/// The golden body with one more field.
fn with(frame: Frame, field: &[u8]) -> Vec<u8> {
    [frame.golden().0.as_slice(), field].concat()
}

/// The golden body with one more field is refused.
#[track_caller]
fn changed(frame: Frame, field: &[u8], expected: impl Into<RegistrationError>) {
    check(frame, &with(frame, field), expected);
}

/// What must not get onto a page or a terminal: too long, or not printable ASCII.
fn unprintable() -> Vec<String> {
    let mut texts: Vec<String> = (0..0x20u8).chain([0x7f]).map(|byte| format!("a{}b", char::from(byte))).collect();
    texts.extend(["\x1b[2J", "é", "\u{9b}2J", "\u{202e}", "\u{feff}"].map(String::from));
    texts.push("x".repeat(65));
    texts
}

const PLATFORM: FrameError = FrameError::Malformed("a platform field is at most 64 printable ASCII characters");
const NOTICE: FrameError = FrameError::Malformed("a notice has control characters or is too long");
const VERSION: FrameError = FrameError::Malformed("a policy version is at most 64 printable ASCII characters");
const CHALLENGE: FrameError = FrameError::Malformed("a challenge is 40 bytes");
const EPOCH: FrameError = FrameError::Malformed("an epoch is 16 bytes");

#[test]
fn unknown_kinds_of_registrations() {
    let kind = |kind| with(Frame::Registration, &number(1, kind));
    // u64::MAX is how -1 is written.
    for unknown in [0, 2, 99, u64::MAX, i32::MAX as u64, 1 << 31] {
        check(Frame::Registration, &kind(unknown), FrameError::Unsupported("this kind of registration"));
    }
    assert_eq!(Frame::Registration.present_signed(&kind(1)), Ok(()));
    let takeover = |takeover| with(Frame::Registration, &number(7, takeover));
    for unknown in [0, 3, 99, u64::MAX] {
        check(Frame::Registration, &takeover(unknown), FrameError::Unsupported("this kind of takeover"));
    }
    assert_eq!(Frame::Registration.present_signed(&takeover(1)), Ok(()));
    assert_eq!(Frame::Registration.present_signed(&takeover(2)), Ok(()));
}

#[test]
fn fields_of_registrations() {
    for length in [0, 15, 17, 32] {
        changed(Frame::Registration, &bytes(2, vec![1; length]), FrameError::Malformed("a request id is 16 bytes"));
    }
    for (name, error) in [
        ("", HostnameError::Empty),
        ("web_3", HostnameError::Character(b'_')),
        ("web3\n", HostnameError::Character(b'\n')),
        ("10.1.0.2", HostnameError::Address),
        ("a..b", HostnameError::EmptyLabel),
        ("*.example.com", HostnameError::Character(b'*')),
    ] {
        changed(Frame::Registration, &bytes(5, name), error);
    }
    for address in ["localhost", "192.0.2.7:22", "192.0.2.7 ", "192.0.2.256", "::1%eth0"] {
        changed(Frame::Registration, &bytes(8, address), FrameError::Malformed("the reported address"));
    }
    for text in unprintable() {
        for field in 1..=3 {
            changed(Frame::Registration, &bytes(9, bytes(field, &text)), PLATFORM);
        }
    }
    // Protobuf's texts are UTF-8.
    let not_text = FrameError::Malformed("not the message that this method takes");
    changed(Frame::Registration, &bytes(6, [0xff]), not_text);
    changed(Frame::Registration, &bytes(5, [0xc0, 0x80]), not_text);
}

#[test]
fn rule_11_weak_identity_keys_do_not_register() {
    let mut torsioned = [0; 32];
    hex::decode_to_slice("98519eadf35b995233b51b5cd23e9cc5a28b639b5a4af0ec903cb960d81b7819", &mut torsioned).unwrap();
    let mut neutral = [0; 32];
    neutral[0] = 1;
    for (key, expected) in [
        (&[0; 32][..], KeyError::Weak),
        (&neutral, KeyError::Weak),
        (&torsioned, KeyError::Torsion),
        (&[0xff; 32], KeyError::NotAPoint),
        (&[], KeyError::Length),
        (&[1; 31], KeyError::Length),
        (&[1; 64], KeyError::Length),
    ] {
        let body = with(Frame::Registration, &bytes(3, key));
        check(Frame::Registration, &body, expected);
        // With the neutral element as key and as R, s = 0 fits every message, for a verifier that lets it.
        let forged = std::array::from_fn(|at| u8::from(at == 0));
        assert_eq!(Frame::Registration.present(&body, &forged), Err(expected.into()));
    }
}

#[test]
fn fields_of_check_ins() {
    let malformed = FrameError::Malformed;
    for id in [&[][..], &[7; 15], &[7; 17], &[0; 16], &[7; 16], &[0xff; 16]] {
        changed(Frame::CheckIn, &bytes(1, id), malformed("an envoy id is a version 4 UUID"));
    }
    changed(Frame::CheckIn, &bytes(1, scene::old_envoy().as_bytes()), malformed("the frame speaks for another envoy"));
    changed(Frame::CheckIn, &bytes(2, bytes(1, [1; 15])), EPOCH);
    for length in [0, 32, 39, 41] {
        changed(Frame::CheckIn, &bytes(2, bytes(3, vec![1; length])), CHALLENGE);
    }
    // A session that says nothing is not the same as none.
    check(Frame::CheckIn, &[bytes(1, scene::envoy().as_bytes()), bytes(2, "")].concat(), EPOCH);
    for text in unprintable() {
        changed(Frame::CheckIn, &bytes(3, bytes(2, &text)), PLATFORM);
        changed(Frame::CheckIn, &bytes(4, bytes(1, &text)), VERSION);
    }
    changed(Frame::CheckIn, &bytes(4, bytes(1, "1 2")), VERSION);
    changed(Frame::CheckIn, &bytes(4, bytes(2, [1; 31])), malformed("a policy digest is 32 bytes"));
    changed(Frame::CheckIn, &bytes(5, [1; 31]), malformed("a pin is 32 bytes"));
    changed(Frame::CheckIn, &bytes(5, [1; 33]), malformed("a pin is 32 bytes"));
    // Two are in the golden body.
    let roots = |count| with(Frame::CheckIn, &bytes(5, [1; 32]).repeat(count));
    assert_eq!(Frame::CheckIn.present_signed(&roots(14)), Ok(()));
    check(Frame::CheckIn, &roots(15), FrameError::Malformed("at most 16 trusted roots"));
    changed(Frame::CheckIn, &number(1, 7), malformed("not the message that this method takes"));
}

/// The start of a good reply; what became of the request is missing.
fn head() -> Vec<u8> {
    let request = bytes(1, scene::signed_check_in().digest().as_bytes());
    [request, bytes(2, scene::envoy().as_bytes()), number(3, 1)].concat()
}

#[test]
fn unknown_kinds_of_replies() {
    let reply = |fields: &[Vec<u8>], expected| check(Frame::Reply, &[head(), fields.concat()].concat(), expected);
    let unknown = FrameError::Unsupported("this kind of reply");
    reply(&[], unknown);
    reply(&[bytes(6, bytes(1, [1; 40]))], unknown);
    reply(&[number(4, 1)], FrameError::Malformed("not the message that this method takes"));

    let challenge = bytes(1, [1; 40]);
    let unknown = FrameError::Unsupported("this kind of policy change");
    reply(&[bytes(4, &challenge)], unknown);
    reply(&[bytes(4, [challenge.clone(), bytes(7, "")].concat())], unknown);
    let no_change = [head(), bytes(4, [challenge, bytes(3, "")].concat())].concat();
    assert_eq!(Frame::Reply.present_signed(&no_change), Ok(()));
}

#[test]
fn fields_of_replies() {
    for length in [0, 31, 33] {
        changed(Frame::Reply, &bytes(1, vec![1; length]), FrameError::Malformed("a request digest is 32 bytes"));
    }
    changed(Frame::Reply, &bytes(1, [1; 32]), FrameError::OtherRequest);
    for id in [&[][..], &[7; 15], &[0; 16]] {
        changed(Frame::Reply, &bytes(2, id), FrameError::Malformed("an envoy id is 16 bytes"));
    }
    changed(Frame::Reply, &bytes(2, scene::old_envoy().as_bytes()), FrameError::OtherRequest);
    changed(Frame::Reply, &bytes(4, bytes(1, [1; 39])), CHALLENGE);
    changed(Frame::Reply, &bytes(4, bytes(4, bytes(2, [1; 63]))), FrameError::Malformed("a signature is 64 bytes"));
    changed(Frame::Reply, &bytes(5, bytes(1, [1; 15])), EPOCH);
    changed(Frame::Reply, &bytes(5, [bytes(1, [1; 16]), bytes(3, [1; 41])].concat()), CHALLENGE);
    for text in unprintable().iter().filter(|text| text.chars().any(char::is_control)) {
        changed(Frame::Reply, &bytes(4, bytes(5, bytes(1, text))), NOTICE);
        changed(Frame::Reply, &bytes(4, bytes(5, bytes(2, text))), NOTICE);
    }
    let notice =
        |code: usize, message: usize| bytes(5, [bytes(1, "x".repeat(code)), bytes(2, "x".repeat(message))].concat());
    changed(Frame::Reply, &bytes(4, notice(65, 1)), NOTICE);
    changed(Frame::Reply, &bytes(4, notice(1, 1025)), NOTICE);
    assert_eq!(Frame::Reply.present_signed(&with(Frame::Reply, &bytes(4, notice(64, 1024)))), Ok(()));
}

/// A bundle whose one attribute has this value.
fn bundle_with(value: &[u8]) -> Vec<u8> {
    let attribute = [bytes(1, "a"), bytes(2, value)].concat();
    bytes(5, bytes(2, bytes(4, attribute)))
}

/// A list in a list in a list …
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(number(2, 1), |inner, _| bytes(6, bytes(1, inner)))
}

#[test]
fn values_of_bundles() {
    let unknown = FrameError::Unsupported("this kind of value");
    check(Frame::Bundle, &bundle_with(&[]), unknown);
    check(Frame::Bundle, &bundle_with(&bytes(8, "x")), unknown);
    check(Frame::Bundle, &bundle_with(&bytes(6, bytes(1, ""))), unknown);
    check(Frame::Bundle, &bundle_with(&bytes(7, bytes(1, bytes(1, "k")))), unknown);
    check(Frame::Bundle, &bytes(5, bytes(2, bytes(4, bytes(1, "a")))), unknown);
    check(Frame::Bundle, &bundle_with(&number(5, 1)), FrameError::Malformed("not the message that this method takes"));
}

#[test]
fn values_are_nested_at_most_32_deep() {
    assert_eq!(Frame::Bundle.present_signed(&bundle_with(&nested(32))), Ok(()));
    let too_deep = FrameError::Malformed("an attribute is nested too deeply");
    check(Frame::Bundle, &bundle_with(&nested(33)), too_deep);
    let map = bytes(7, bytes(1, [bytes(1, "k"), bytes(2, nested(32))].concat()));
    check(Frame::Bundle, &bundle_with(&map), too_deep);
    // Deep enough for a stack to overflow, were it followed.
    let bottomless = bundle_with(&nested(20_000));
    check(Frame::Bundle, &bottomless, FrameError::Malformed("not the message that this method takes"));
}
