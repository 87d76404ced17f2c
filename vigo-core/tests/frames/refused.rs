//! A frame with one bit changed, one byte missing or anything added is refused.

use vigo_core::{FrameError, Signature, SignedBundle};

use crate::hand::{bytes, number};
use crate::scene::{self, Frame, SERVER};

fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

#[test]
fn every_flipped_bit_of_a_body() {
    for frame in Frame::ALL {
        let (body, signature) = frame.golden();
        assert_eq!(frame.present(&body, &signature), Ok(()), "{frame:?}");
        for (bit, flipped) in flips(&body).enumerate() {
            assert!(frame.present(&flipped, &signature).is_err(), "{frame:?}, bit {bit}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_signature() {
    for frame in Frame::ALL {
        let (body, signature) = frame.golden();
        for (bit, flipped) in flips(&signature).enumerate() {
            let result = frame.present(&body, flipped.as_slice().try_into().unwrap());
            assert_eq!(result, Err(FrameError::BadSignature.into()), "{frame:?}, bit {bit}");
        }
    }
}

#[test]
fn every_truncation() {
    for frame in Frame::ALL {
        let (body, signature) = frame.golden();
        for length in 0..body.len() {
            assert!(frame.present(&body[..length], &signature).is_err(), "{frame:?}, {length} bytes");
        }
    }
}

#[test]
fn extensions() {
    for frame in Frame::ALL {
        let (body, signature) = frame.golden();
        // The last two are fields that a reader passes over: only the signature can notice them.
        for more in [vec![0], vec![0xff], body.clone(), signature.to_vec(), number(99, 1), bytes(99, "")] {
            assert!(frame.present(&[body.as_slice(), &more].concat(), &signature).is_err(), "{frame:?} and {more:?}");
        }
    }
}

/// An Ed25519 signature is R and s; s + L fits the same equation, so a lax verifier takes two signatures for one.
#[test]
fn rule_11_a_signature_has_one_form() {
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    for frame in Frame::ALL {
        let (body, mut signature) = frame.golden();
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(order.iter().copied()) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert_eq!(carry, 0);
        assert_eq!(frame.present(&body, &signature), Err(FrameError::BadSignature.into()), "{frame:?}");
    }
}

#[test]
fn a_signature_is_64_bytes() {
    for length in (0..64).chain(65..=130) {
        let result = Signature::try_from(vec![0; length].as_slice());
        assert_eq!(result, Err(FrameError::Malformed("a signature is 64 bytes")), "{length}");
    }
}

/// The form in which an agent keeps a bundle on disk.
#[test]
fn every_flipped_bit_and_truncation_of_a_kept_bundle() {
    let signed = scene::signed_bundle().0;
    let kept = signed.to_bytes();
    assert_eq!(SignedBundle::from_bytes(&kept).unwrap(), signed);
    let good = |bytes: &[u8]| {
        SignedBundle::from_bytes(bytes).and_then(|signed| signed.verify(&scene::server().public(), &SERVER)).is_ok()
    };
    assert!(good(&kept));
    for (bit, flipped) in flips(&kept).enumerate() {
        assert!(!good(&flipped), "bit {bit}");
    }
    for length in 0..kept.len() {
        assert!(!good(&kept[..length]), "{length} bytes");
    }
}
