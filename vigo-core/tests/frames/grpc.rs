//! Signed frames as the gRPC service carries them: there and back, and what no frame is made of.

use prost::Message as _;
use vigo_core::{FrameError, Notice, PolicyChange, SignedBundle, SignedCheckIn, SignedRegistration, SignedReply, wire};

use crate::hand::bytes;
use crate::scene::{self, SERVER};

const SIGNATURE: FrameError = FrameError::Malformed("a signature is 64 bytes");
const PROOF: FrameError = FrameError::Unsupported("this kind of reply signature");

/// The message of a frame has exactly these bytes, is the same message when it is read, and gives the same frame.
#[track_caller]
fn check<W, F>(frame: &F, to_wire: impl Fn(F) -> W, expected: &[u8])
where
    W: prost::Message + Default + PartialEq,
    F: TryFrom<W, Error = FrameError> + Clone + std::fmt::Debug + PartialEq,
{
    let message = to_wire(frame.clone());
    assert_eq!(hex::encode(message.encode_to_vec()), hex::encode(expected));
    assert!(W::decode(expected).unwrap() == message);
    assert_eq!(F::try_from(message).as_ref(), Ok(frame));
}

fn signed_reply() -> SignedReply {
    let outcome = scene::accepted(PolicyChange::None, vec![scene::notice()]);
    scene::reply(outcome).sign(&scene::server(), &SERVER).unwrap()
}

#[test]
fn there_and_back() {
    let registration = scene::signed_registration(&scene::registration());
    let proof = registration.proof.unwrap();
    let signed = [bytes(1, &registration.body), bytes(2, registration.signature.as_bytes())].concat();
    let proof = [bytes(1, proof.envoy.as_bytes()), bytes(2, proof.signature.as_bytes())].concat();
    let expected = [signed.clone(), bytes(3, proof)].concat();
    check(&registration, SignedRegistration::into_wire, &expected);
    check(&SignedRegistration { proof: None, ..registration }, SignedRegistration::into_wire, &signed);

    let check_in = scene::signed_check_in();
    let expected = [bytes(1, &check_in.body), bytes(2, check_in.signature.as_bytes())].concat();
    check(&check_in, wire::SignedCheckIn::from, &expected);

    let reply = signed_reply();
    let vigo_core::ReplyProof::Single(signature) = &reply.proof else { panic!("{reply:?}") };
    let expected = [bytes(1, &reply.body), bytes(2, signature.as_bytes())].concat();
    check(&reply, wire::SignedReply::from, &expected);

    let bundle = scene::signed_bundle().0;
    check(&bundle, |bundle| wire::SignedBundle::from(&bundle), &bundle.to_bytes());
}

#[test]
fn unknown_reply_proofs_are_refused() {
    let read = |message: &[u8]| SignedReply::try_from(wire::SignedReply::decode(message).unwrap()).map(drop);
    let body = bytes(1, &signed_reply().body);
    assert_eq!(read(&body), Err(PROOF), "none");
    let path = [bytes(1, [1; 64]), bytes(2, [1; 32])].concat();
    assert_eq!(read(&[body.clone(), bytes(3, path)].concat()), Err(PROOF), "a Merkle path");
    assert_eq!(read(&[body.clone(), bytes(4, [1; 64])].concat()), Err(PROOF), "one of a later version");
    assert_eq!(read(&[body, bytes(2, [1; 64])].concat()), Ok(()), "a signature");
}

#[test]
fn signatures_have_their_length() {
    for length in [0, 1, 63, 65, 128] {
        let signature = vec![1; length];
        let registration = wire::SignedRegistration { signature: signature.clone(), ..Default::default() };
        assert_eq!(SignedRegistration::try_from(registration), Err(SIGNATURE), "{length}");
        let proof = wire::Proof { envoy: scene::old_envoy().as_bytes().to_vec(), signature: signature.clone() };
        let registration =
            wire::SignedRegistration { signature: vec![1; 64], proof: Some(proof), ..Default::default() };
        assert_eq!(SignedRegistration::try_from(registration), Err(SIGNATURE), "{length}");
        let check_in = wire::SignedCheckIn { signature: signature.clone(), ..Default::default() };
        assert_eq!(SignedCheckIn::try_from(check_in), Err(SIGNATURE), "{length}");
        let bundle = wire::SignedBundle { signature: signature.clone(), ..Default::default() };
        assert_eq!(SignedBundle::try_from(bundle), Err(SIGNATURE), "{length}");
        let proof = Some(wire::signed_reply::Proof::Single(signature));
        assert_eq!(
            SignedReply::try_from(wire::SignedReply { proof, ..Default::default() }),
            Err(SIGNATURE),
            "{length}"
        );
    }
}

#[test]
fn a_proof_names_an_envoy() {
    for envoy in [vec![], vec![7; 15], vec![0; 16], vec![7; 16]] {
        let proof = Some(wire::Proof { envoy: envoy.clone(), signature: vec![1; 64] });
        let registration = wire::SignedRegistration { signature: vec![1; 64], proof, ..Default::default() };
        let expected = FrameError::Malformed("a proof names an envoy by 16 bytes");
        assert_eq!(SignedRegistration::try_from(registration), Err(expected), "{envoy:?}");
    }
}

/// The answer to a registration carries notices outside any signed body: the same rules.
#[test]
fn notices_are_fit_for_a_terminal() {
    #[track_caller]
    fn check(code: &str, message: &str, good: bool) {
        let notice = Notice { code: code.into(), message: message.into() };
        let read = Notice::from_wire(notice.to_wire());
        assert_eq!(read, good.then_some(notice).ok_or(NOTICE));
    }
    const NOTICE: FrameError = FrameError::Malformed("a notice has control characters or is too long");
    check("policy_empty", "No hostcrate takes web3.example.com.", true);
    check("", "", true);
    check(&"c".repeat(64), &"m".repeat(1024), true);
    check(&"c".repeat(65), "m", false);
    check("c", &"m".repeat(1025), false);
    for control in ["\0", "\n", "\r", "\t", "\x1b[2J", "\x7f", "\u{9b}2J"] {
        check("c", control, false);
        check(control, "m", false);
    }
}
