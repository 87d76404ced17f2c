//! Signed frames: what is verified is what was signed, and a signature is worth nothing anywhere else.
//!
//! The first byte chooses the kind of frame, the second what the signature is made wrong in; the rest is the body. It
//! is signed as the design spells it, not with the crate.

use vigo_core::{
    FrameError, Proof, RegistrationError, ReplyProof, SignedBundle, SignedCheckIn, SignedRegistration, SignedReply,
    TokenText,
};

use crate::Seed;
use crate::scene::{self, Kind, Purpose, SERVER};

/// Longer than any limit that a smaller input could not reach is not worth the time.
const LONGEST: usize = 80 * 1024;

/// The target.
pub fn check(data: &[u8]) {
    let [kind, wrong, body @ ..] = data else { return };
    let kind = Kind::ALL[usize::from(*kind) % Kind::ALL.len()];
    let body = &body[..body.len().min(LONGEST)];
    if let Ok(shown) = present(kind, body, &kind.purpose().sign(kind.seed(), body)) {
        let (again, shown_again) = shown.signed_again();
        assert_eq!(shown.text, shown_again.text, "another value than the one that was signed");
        assert_eq!(again, shown_again.signed_again().0, "another body for the same value");
    }
    let signature = wrong_in(kind, *wrong, body);
    if let Ok(shown) = present(kind, body, &signature) {
        panic!("a {kind:?} was taken with the wrong signature {wrong}: {}", shown.text);
    }
}

/// A signature over the body with one thing wrong.
fn wrong_in(kind: Kind, wrong: u8, body: &[u8]) -> [u8; 64] {
    let mut purpose = kind.purpose();
    let mut seed = kind.seed();
    match wrong % 4 {
        0 => {
            let others =
                ["vigo/register/v1", "vigo/proof/v1", "vigo/checkin/v1", "vigo/reply/v1", "vigo/bundle/v1", ""];
            let mut others = others.into_iter().filter(|label| *label != purpose.label);
            purpose.label = others.nth(usize::from(wrong / 4) % 5).expect("there are five others");
        }
        1 => purpose.audience[usize::from(wrong / 4) % 32] ^= 1,
        2 => purpose.method = if purpose.method == "Bundle" { "CheckIn" } else { "Bundle" },
        _ => seed ^= (wrong / 4) | 1,
    }
    purpose.sign(seed, body)
}

/// What a frame said, as text that tells values apart, and the way to say it again.
struct Shown {
    text: String,
    again: Again,
}

enum Again {
    Registration(Box<vigo_core::VerifiedRegistration>),
    CheckIn(vigo_core::CheckIn),
    Reply(vigo_core::Reply),
    Bundle(vigo_core::Bundle),
}

impl Shown {
    /// Signed by the crate and verified once more.
    fn signed_again(&self) -> (Vec<u8>, Self) {
        let (kind, body, signature) = match &self.again {
            Again::Registration(verified) => {
                let audience = vigo_core::Audience::root(&scene::root());
                let frame = verified.registration().sign(scene::identity(), None, audience).expect("it fitted before");
                (Kind::Registration, frame.body, *frame.signature.as_bytes())
            }
            Again::CheckIn(check_in) => {
                let frame = check_in.sign(scene::identity(), &SERVER).expect("it fitted before");
                (Kind::CheckIn, frame.body, *frame.signature.as_bytes())
            }
            Again::Reply(reply) => {
                let frame = reply.sign(scene::server(), &SERVER).expect("it fitted before");
                let ReplyProof::Single(signature) = frame.proof else { panic!("another kind of proof") };
                (Kind::Reply, frame.body, *signature.as_bytes())
            }
            Again::Bundle(bundle) => {
                let frame = bundle.sign(scene::server(), &SERVER).expect("it fitted before").0;
                (Kind::Bundle, frame.body, *frame.signature.as_bytes())
            }
        };
        assert_eq!(signature, kind.purpose().sign(kind.seed(), &body), "{kind:?} is not signed as the design has it");
        let shown = present(kind, &body, &signature).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        (body, shown)
    }
}

/// Hands a frame to whoever verifies its kind.
fn present(kind: Kind, body: &[u8], signature: &[u8; 64]) -> Result<Shown, RegistrationError> {
    let (body, signature) = (body.to_vec(), vigo_core::Signature::try_from(signature.as_slice())?);
    let (text, again) = match kind {
        Kind::Registration => {
            let verified = SignedRegistration { body, signature, proof: None }.verify(&[scene::root()])?;
            let token = verified.registration().token.as_ref().map(TokenText::reveal);
            (format!("{:?} {token:?}", verified.registration()), Again::Registration(Box::new(verified)))
        }
        Kind::Proof => {
            // The registration itself is in order, so that the proof alone decides.
            let own = Purpose::REGISTRATION.sign(Kind::Registration.seed(), &body);
            let proof = Some(Proof { envoy: scene::old_envoy(), signature });
            let frame = SignedRegistration { body, signature: own.as_slice().try_into()?, proof };
            let verified = frame.verify(&[scene::root()])?;
            if !verified.proves(&scene::old_identity().public()) {
                return Err(FrameError::BadSignature.into());
            }
            let token = verified.registration().token.as_ref().map(TokenText::reveal);
            (format!("{:?} {token:?}", verified.registration()), Again::Registration(Box::new(verified)))
        }
        Kind::CheckIn => {
            let frame = SignedCheckIn { body, signature };
            let check_in = frame.verify(scene::envoy(), &scene::identity().public(), &SERVER)?;
            (format!("{check_in:?}"), Again::CheckIn(check_in))
        }
        Kind::Reply => {
            let frame = SignedReply { body, proof: ReplyProof::Single(signature) };
            let reply = frame.verify(&scene::server().public(), &SERVER, scene::envoy(), scene::request())?;
            (format!("{reply:?}"), Again::Reply(reply))
        }
        Kind::Bundle => {
            let verified = SignedBundle { body, signature }.verify(&scene::server().public(), &SERVER)?;
            // Its version is the sender's word; signed again it is this crate's. NaN is not itself, but reads the same.
            (format!("{:?}", verified.bundle), Again::Bundle(verified.bundle))
        }
    };
    Ok(Shown { text, again })
}

/// Honest bodies of each kind, right after the two bytes that choose.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let bodies = [
        ("registration", Kind::Registration, scene::signed_registration().body),
        ("registration-bare", Kind::Registration, scene::bare_registration().body),
        ("proof", Kind::Proof, scene::signed_registration().body),
        ("check-in", Kind::CheckIn, scene::signed_check_in().body),
        ("check-in-first", Kind::CheckIn, scene::first_check_in().body),
        ("check-in-failed", Kind::CheckIn, scene::failed_check_in().body),
        ("reply-no-change", Kind::Reply, scene::signed_reply(scene::accepted(None)).body),
        ("reply-bundle", Kind::Reply, scene::signed_reply(scene::accepted(Some(scene::bundle()))).body),
        ("reply-directed", Kind::Reply, scene::signed_reply(scene::directed()).body),
        ("reply-resync", Kind::Reply, scene::signed_reply(scene::resync()).body),
        ("bundle", Kind::Bundle, scene::signed_bundle(&scene::bundle()).body),
        ("bundle-deep", Kind::Bundle, scene::signed_bundle(&scene::deep_bundle()).body),
        ("bundle-empty", Kind::Bundle, scene::signed_bundle(&vigo_core::Bundle::default()).body),
    ];
    let seed = |(wrong, (name, kind, body)): (u8, (&str, Kind, Vec<u8>))| {
        Seed::new(name, [&[kind.number(), wrong], body.as_slice()].concat())
    };
    (0..).zip(bodies).map(seed).collect()
}
