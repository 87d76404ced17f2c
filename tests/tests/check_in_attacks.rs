//! Check-ins that no honest agent makes: replayed, reordered, flipped, in another's name, from before a restart.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use vigo_core::{CheckIn, ReplyOutcome, Sequence, ServerId, SessionPoint, Signature, SignedCheckIn, wire};
use vigo_tests::Server;
use vigo_tests::client::{self, Client, Refusal};

async fn enrolled(server: &Server, name: &str, seed: u8) -> Client {
    let token = server.token(name, &[]);
    Client::enrol(&server.grpc(), name, seed, &token).await
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>, code: &str) {
    assert_eq!(result.unwrap_err().code, code);
}

#[tokio::test]
async fn a_frame_is_taken_once_and_never_after_a_newer_one() {
    let server = Server::start();
    let mut envoy = enrolled(&server, "web1.example.com", 1).await;
    let mut line = envoy.connect().await.unwrap();
    let _ = envoy.check_in(&mut line, None).await.unwrap();

    let first = envoy.sign(&envoy.facts());
    let _ = envoy.send(&mut line, &first).await.unwrap();
    refused(envoy.send(&mut line, &first).await, "replayed");
    // On another connection it is as old as on this one.
    let mut second = envoy.connect().await.unwrap();
    refused(envoy.send(&mut second, &first).await, "replayed");

    let at = |envoy: &Client, sequence: u64| {
        let point = envoy.point.clone().unwrap();
        envoy.sign(&CheckIn {
            session: Some(SessionPoint { sequence: Sequence::new(sequence), ..point }),
            ..envoy.facts()
        })
    };
    let (older, newer) = (at(&envoy, 10), at(&envoy, 11));
    let _ = envoy.send(&mut line, &newer).await.unwrap();
    refused(envoy.send(&mut line, &older).await, "replayed");
}

#[tokio::test]
async fn every_flipped_bit_of_a_frame_is_refused() {
    let server = Server::start();
    let mut envoy = enrolled(&server, "web1.example.com", 1).await;
    let mut line = envoy.connect().await.unwrap();
    let _ = envoy.check_in(&mut line, None).await.unwrap();
    let frame = envoy.sign(&envoy.facts());
    // Each bit of the signature and of the body's first bytes; the frames' own tests do all of it.
    for bit in 0..(64 + 24) * 8 {
        let mut body = frame.body.clone();
        let mut signature = *frame.signature.as_bytes();
        match bit / 8 {
            byte @ 0..64 => signature[byte] ^= 1 << (bit % 8),
            byte => body[byte - 64] ^= 1 << (bit % 8),
        }
        let flipped = SignedCheckIn { body, signature: Signature::try_from(signature.as_slice()).unwrap() };
        refused(envoy.send(&mut line, &flipped).await, "bad_signature");
    }
    let _ = envoy.send(&mut line, &frame).await.unwrap();
}

#[tokio::test]
async fn a_challenge_of_nobody_is_refused() {
    let server = Server::start();
    let mut envoy = enrolled(&server, "web1.example.com", 1).await;
    let mut line = envoy.connect().await.unwrap();
    let _ = envoy.check_in(&mut line, None).await.unwrap();
    let mut point = envoy.point.clone().unwrap();
    let mut bytes = *point.challenge.as_bytes();
    bytes[39] ^= 1;
    point.challenge = bytes.as_slice().try_into().unwrap();
    let frame = envoy.sign(&CheckIn { session: Some(point), ..envoy.facts() });
    refused(envoy.send(&mut line, &frame).await, "forged_challenge");
}

#[tokio::test]
async fn nobody_speaks_for_another_envoy() {
    let server = Server::start();
    let one = enrolled(&server, "web1.example.com", 1).await;
    let two = enrolled(&server, "web2.example.com", 2).await;
    let mut line = one.connect().await.unwrap();
    // Another's whole frame over one's own connection; then the mixtures.
    let foreign = two.sign(&two.facts());
    refused(one.send(&mut line, &foreign).await, "bad_signature");
    let named = one.sign(&CheckIn { envoy: two.envoy, ..one.facts() });
    refused(one.send(&mut line, &named).await, "malformed");
    let signed = CheckIn { envoy: one.envoy, ..one.facts() }.sign(&two.identity, &one.server).unwrap();
    refused(one.send(&mut line, &signed).await, "bad_signature");
    // For another fleet.
    let other = one.facts().sign(&one.identity, &ServerId::from_random([9; 16])).unwrap();
    refused(one.send(&mut line, &other).await, "bad_signature");
    let mut own = one;
    let _ = own.check_in(&mut line, None).await.unwrap();
}

#[tokio::test]
async fn a_frame_from_before_a_restart_gets_a_new_start_and_nothing_of_it_is_taken() {
    let mut server = Server::start();
    let mut envoy = enrolled(&server, "web1.example.com", 1).await;
    let mut line = envoy.connect().await.unwrap();
    let _ = envoy.check_in(&mut line, None).await.unwrap();
    let captured = envoy.sign(&envoy.facts());
    server.kill();
    server.run();
    let mut line = envoy.connect().await.unwrap();
    let seen = server.json(&["envoys", "show", "web1.example.com"])["last_seen_at"].clone();
    for _ in 0..3 {
        let reply = envoy.send(&mut line, &captured).await.unwrap();
        assert!(matches!(reply.outcome, ReplyOutcome::Resync(_)), "{reply:?}");
    }
    assert_eq!(server.json(&["envoys", "show", "web1.example.com"])["last_seen_at"], seen);
    envoy.point = None;
    let _ = envoy.check_in(&mut line, None).await.unwrap();
}

#[tokio::test]
async fn two_machines_with_one_identity_are_told_of() {
    let server = Server::start();
    let mut envoy = enrolled(&server, "web1.example.com", 1).await;
    let mut line = envoy.connect().await.unwrap();
    let _ = envoy.check_in(&mut line, None).await.unwrap();
    let original = envoy.point.clone();
    // The copy starts: it has the keys and no point.
    envoy.point = None;
    let _ = envoy.check_in(&mut line, None).await.unwrap();
    envoy.point = original;
    let reply = envoy.send(&mut line, &envoy.sign(&envoy.facts())).await;
    // Its sequence may be behind the copy's already; then it is a replay. Further on it is a clone.
    if reply.is_err() {
        let point = envoy.point.as_mut().unwrap();
        point.sequence = Sequence::new(point.sequence.get() + 10);
        let _ = envoy.send(&mut line, &envoy.sign(&envoy.facts())).await.unwrap();
    }
    assert_eq!(server.last_audit("envoy.clone_suspected").0, "ok");
    assert_eq!(server.json(&["envoys", "list"])[0]["possible_clone"], true);
}

#[tokio::test]
async fn rule_13_without_a_certificate_only_registering_is_open() {
    let server = Server::start();
    let envoy = enrolled(&server, "web1.example.com", 1).await;
    let mut line = client::dial(&server.grpc(), envoy.anonymous_tls()).await.unwrap();
    let frame = wire::SignedCheckIn::from(envoy.sign(&envoy.facts()));
    refused(line.check_in(frame).await.map_err(Refusal::from), "certificate_required");
}

#[tokio::test]
async fn a_check_in_too_large_and_one_that_is_none_are_refused() {
    let server = Server::start();
    let envoy = enrolled(&server, "web1.example.com", 1).await;
    let mut line = envoy.connect().await.unwrap();
    let frame = envoy.sign(&envoy.facts());
    for (body, signature) in [
        (Vec::new(), frame.signature.as_bytes().to_vec()),
        (frame.body.clone(), Vec::new()),
        (frame.body.clone(), vec![0; 63]),
        (vec![0xff; 4096], frame.signature.as_bytes().to_vec()),
        (vec![0; 1024 * 1024 + 1], frame.signature.as_bytes().to_vec()),
        (vec![0; 2 * 1024 * 1024], frame.signature.as_bytes().to_vec()),
    ] {
        let length = body.len();
        let refusal = line.check_in(wire::SignedCheckIn { body, signature }).await.map_err(Refusal::from).unwrap_err();
        assert!(["malformed", "bad_signature", ""].contains(&refusal.code.as_str()), "{length}: {refusal:?}");
        assert_ne!(refusal.grpc, tonic::Code::Internal, "{length}: {refusal:?}");
    }
    let mut own = envoy;
    let _ = own.check_in(&mut line, None).await.unwrap();
}
