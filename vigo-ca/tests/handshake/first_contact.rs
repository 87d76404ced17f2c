//! The first contact with a server: what each kind of pin lets through, and what is known after.

use std::sync::Arc;

use rustls::HandshakeKind;
use vigo_ca::tls::{Contact, ContactError, FirstContact, TrustedBy};
use vigo_ca::{CertificateAuthority, ServerLeaf};
use vigo_core::{Pin, UnixTime};

use crate::fleet::{self, DAY, NOW, authority};
use crate::pump::{Meeting, NAME, VERSIONS, any_server, grpc, meet, meet_at, provider, root_of, shown};

const OTHER_NAME: &str = "other.example.com";

fn met(authority: &CertificateAuthority, leaf: &ServerLeaf, by: TrustedBy, name_matches: bool) -> Contact {
    let root = authority.root();
    Contact { root_der: root.der.clone(), root_pin: root.pin, leaf_pin: leaf.pin(), by, name_matches }
}

/// Dials a server that shows this leaf, in both versions of TLS, with these pins and at this time.
#[track_caller]
fn check_at(now: UnixTime, pins: &[Pin], leaf: &ServerLeaf, name: &str, expected: &Result<Contact, ContactError>) {
    for version in VERSIONS {
        let first = FirstContact::new(provider(), pins.to_vec());
        let server = any_server(version, shown(leaf.chain().to_vec(), &leaf.key()));
        let meeting = meet_at(now, &first.client_config().unwrap(), &server, name);
        assert_eq!(meeting.talked, expected.is_ok());
        let found = match (first.verified(), first.failure()) {
            (Some(contact), None) => Ok(contact),
            (None, Some(failure)) => Err(failure),
            other => panic!("{other:?}"),
        };
        match (&found, expected) {
            // rustls does not compare the contexts of its errors: the words have all of it.
            (Err(found), Err(expected)) => assert_eq!(found.to_string(), expected.to_string()),
            _ => assert_eq!(&found, expected),
        }
    }
}

#[track_caller]
fn check(pins: &[Pin], leaf: &ServerLeaf, name: &str, expected: &Result<Contact, ContactError>) {
    check_at(NOW, pins, leaf, name, expected);
}

#[test]
fn rule_01_a_pinned_ca() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    let by_ca = Ok(met(&authority, &leaf, TrustedBy::CaPin, true));
    let (ca, other) = (authority.root().pin, Pin::from([1; 32]));
    for name in [NAME, "127.0.0.1", "::1"] {
        check(&[ca], &leaf, name, &by_ca);
    }
    check(&[other, ca], &leaf, NAME, &by_ca);
    check(&[ca, leaf.pin()], &leaf, NAME, &by_ca);
    // As curl writes it.
    check(&[ca.to_curl().parse().unwrap()], &leaf, NAME, &by_ca);
}

#[test]
fn rule_01_a_pinned_ca_and_another_name() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    for name in [OTHER_NAME, "127.0.0.2"] {
        let first = FirstContact::new(provider(), vec![authority.root().pin]);
        let server = grpc(&authority, &leaf, &Arc::default());
        let meeting = meet(&first.client_config().unwrap(), &server, name);
        meeting.server_refused(&format!("not valid for name {name:?}"));
        let failure = first.failure().unwrap();
        assert!(matches!(failure, ContactError::Certificate(_)), "{failure:?}");
        assert!(failure.to_string().starts_with("the server's certificate is refused: "), "{failure}");
        assert_eq!(first.verified(), None);
    }
}

#[test]
fn rule_01_another_pin() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    let expected = vec![Pin::from([1; 32]), Pin::from([2; 32])];
    let failure =
        ContactError::PinMismatch { expected: expected.clone(), roots: vec![authority.root().pin], leaf: leaf.pin() };
    let text = failure.to_string();
    assert_eq!(
        text,
        format!(
            "the server is not the one that was pinned: expected sha256:{} or sha256:{}, found the CA {} and the server \
             key {}",
            "01".repeat(32),
            "02".repeat(32),
            authority.root().pin,
            leaf.pin()
        )
    );
    for name in [NAME, OTHER_NAME] {
        check(&expected, &leaf, name, &Err(failure.clone()));
    }
    // Pins are of keys: a pin of the whole certificate is none.
    let whole = Pin::of_spki(&authority.root().der);
    let failure =
        ContactError::PinMismatch { expected: vec![whole], roots: vec![authority.root().pin], leaf: leaf.pin() };
    check(&[whole], &leaf, NAME, &Err(failure));
}

#[test]
fn rule_01_a_pinned_server_key() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    check(&[leaf.pin()], &leaf, NAME, &Ok(met(&authority, &leaf, TrustedBy::LeafPin, true)));
    let by_leaf = Ok(met(&authority, &leaf, TrustedBy::LeafPin, false));
    check(&[leaf.pin()], &leaf, OTHER_NAME, &by_leaf);
    check(&[leaf.pin()], &leaf, "192.0.2.7", &by_leaf);
    // With both pins the name decides which one it was.
    check(&[authority.root().pin, leaf.pin()], &leaf, OTHER_NAME, &by_leaf);
}

#[test]
fn rule_01_no_pin() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    check(&[], &leaf, NAME, &Ok(met(&authority, &leaf, TrustedBy::FirstUse, true)));
    let first = FirstContact::new(provider(), vec![]);
    let server = grpc(&authority, &leaf, &Arc::default());
    meet(&first.client_config().unwrap(), &server, OTHER_NAME).server_refused("not valid for name");
    assert_eq!(first.verified(), None);
}

#[test]
fn rule_01_the_server_shows_its_root() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    let alone = vigo_ca::pem::encode_certificate(&leaf.chain()[0]);
    let alone = ServerLeaf::load(&alone, &leaf.key_pem()).unwrap();
    check(&[], &alone, NAME, &Err(ContactError::NoRoot));
    check(&[leaf.pin()], &alone, NAME, &Err(ContactError::NoRoot));
    let pin = authority.root().pin;
    let failure = ContactError::PinMismatch { expected: vec![pin], roots: vec![], leaf: leaf.pin() };
    assert!(failure.to_string().contains("found the CA none and the server key sha256:"));
    check(&[pin], &alone, NAME, &Err(failure));
}

#[test]
fn rule_01_expired_servers() {
    #[track_caller]
    fn check_all(now: UnixTime, leaf: &ServerLeaf, authority: &CertificateAuthority, says: &str) {
        for pins in [vec![], vec![authority.root().pin], vec![leaf.pin()]] {
            let first = FirstContact::new(provider(), pins);
            let server = grpc(authority, leaf, &Arc::default());
            let meeting = meet_at(now, &first.client_config().unwrap(), &server, NAME);
            assert!(!meeting.talked);
            assert_eq!(first.verified(), None);
            let failure = first.failure().unwrap().to_string();
            assert!(failure.contains(says), "{failure}");
        }
    }
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    check_all(NOW.after(DAY * 398), &leaf, &authority, "expired");
    let clock = "the server's CA certificate is not valid now: check this machine's clock";
    check_all(authority.root().not_after.after(DAY), &leaf, &authority, clock);
    check_all(NOW.before(DAY), &leaf, &authority, clock);
    // A certificate that claims to outlive its authority.
    let mut params = crate::forge::leaf_params(&[NAME]);
    params.not_after = crate::forge::datetime(authority.root().not_after.after(DAY * 365));
    let forged = crate::forge::signed_by(&authority, &params);
    let chain = [vigo_ca::pem::encode_certificate(&forged.der), authority.cert_pem()].concat();
    let outliving = ServerLeaf::load(&chain, &forged.key.serialize_pem()).unwrap();
    check_all(authority.root().not_after.after(DAY), &outliving, &authority, clock);
    check(&[], &outliving, NAME, &Ok(met(&authority, &outliving, TrustedBy::FirstUse, true)));
}

fn dial(first: &Arc<FirstContact>, authority: &CertificateAuthority, leaf: &ServerLeaf) -> Meeting {
    meet(&first.client_config().unwrap(), &grpc(authority, leaf, &Arc::default()), NAME)
}

#[test]
fn rule_01_the_second_server_is_the_first() {
    let (one, two) = (authority(), authority());
    let (leaf_of_one, leaf_of_two) = (fleet::leaf(&one), fleet::leaf(&two));
    let changed = ContactError::Changed { before: one.root().pin, now: two.root().pin };
    for pins in [vec![], vec![one.root().pin, two.root().pin], vec![leaf_of_one.pin(), leaf_of_two.pin()]] {
        let first = FirstContact::new(provider(), pins);
        dial(&first, &one, &leaf_of_one).accepted();
        let before = first.verified().unwrap();
        assert_eq!(before.root_der, root_of(&one).as_ref());
        assert!(!dial(&first, &two, &leaf_of_two).talked);
        assert_eq!(first.failure(), Some(changed.clone()));
        assert_eq!(first.verified(), Some(before.clone()));
        // The first is still welcome, and so is a server with another certificate of its root.
        let meeting = dial(&first, &one, &leaf_of_one).accepted();
        assert_ne!(meeting.client.handshake_kind(), Some(HandshakeKind::Resumed));
        assert_eq!(first.failure(), None);
    }
    let first = FirstContact::new(provider(), vec![]);
    dial(&first, &one, &leaf_of_one).accepted();
    dial(&first, &one, &fleet::leaf(&one)).accepted();
}

#[test]
fn nothing_is_known_before_a_handshake() {
    let first = FirstContact::new(provider(), vec![]);
    assert_eq!((first.verified(), first.failure()), (None, None));
    let config = first.client_config().unwrap();
    assert_eq!(config.alpn_protocols, [b"h2"]);
    assert!(!config.client_auth_cert_resolver.has_certs());
}
