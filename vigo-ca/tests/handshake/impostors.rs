//! Whoever sits between a new machine and its server: certificates can be copied, keys cannot.

use rcgen::{BasicConstraints, DnType, IsCa, KeyUsagePurpose};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use vigo_ca::tls::{ContactError, FirstContact, client_config};
use vigo_core::Pin;

use crate::fleet::{self, authority, server_id};
use crate::forge::{self, Forged, leaf_params};
use crate::pump::{NAME, VERSIONS, any_server, envoy_identity, meet, provider, root_of, shown};

/// A new machine with these pins refuses whoever shows this, in both versions of TLS, and learns nothing.
#[track_caller]
fn refused(pins: &[Pin], shows: &CertifiedKey, says: &str) {
    for version in VERSIONS {
        let first = FirstContact::new(provider(), pins.to_vec());
        let server = any_server(version, shows.clone());
        let meeting = meet(&first.client_config().unwrap(), &server, NAME);
        assert!(!meeting.talked && meeting.client_error.is_some());
        assert_eq!(first.verified(), None);
        let failure = first.failure().unwrap().to_string();
        assert!(failure.contains(says), "{failure}");
    }
}

fn a_key() -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(forge::p256().serialize_der()).unwrap()
}

/// A root with the subject of ours, and a leaf below it.
fn copy() -> (Forged, Forged) {
    let mut params = forge::ca_params("");
    params.distinguished_name.push(DnType::CommonName, format!("Vigo CA {}", server_id()));
    params.subject_alt_names = vec![forge::uri(&format!("vigo://{}", server_id()))];
    let root = forge::self_signed(&params);
    let leaf = forge::signed_under(&root, &leaf_params(&[NAME]));
    (root, leaf)
}

#[test]
fn rule_01_our_ca_shown_beside_a_leaf_of_their_own() {
    let authority = authority();
    let (ours, ca_pin) = (root_of(&authority), authority.root().pin);
    let (fake_root, fake) = copy();
    let chain = |rest: &[&_]| shown([&fake.der].iter().chain(rest).copied().cloned().collect(), &fake.key_der());
    // The CA with the pinned key did not sign it, and the CA that signed it is not the pinned one.
    refused(&[ca_pin], &chain(&[&ours]), "BadSignature");
    refused(&[ca_pin], &chain(&[&ours, &fake_root.der]), "BadSignature");
    refused(&[ca_pin], &chain(&[&fake_root.der, &ours]), "BadSignature");
    refused(&[ca_pin], &chain(&[&fake_root.der]), "the server is not the one that was pinned");
    refused(&[ca_pin], &chain(&[]), "the server is not the one that was pinned");
    let own = forge::self_signed(&leaf_params(&[NAME]));
    refused(&[ca_pin], &shown(vec![own.der.clone(), ours.clone()], &own.key_der()), "UnknownIssuer");
    // A CA that calls itself a server, too.
    let mut params = forge::ca_params("Both");
    params.subject_alt_names = leaf_params(&[NAME]).subject_alt_names;
    let both = forge::self_signed(&params);
    refused(&[ca_pin], &shown(vec![both.der.clone(), ours], &both.key_der()), "refused");
}

#[test]
fn rule_01_certificates_copied_without_their_keys() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    let copied = shown(leaf.chain().to_vec(), &a_key());
    for pins in [vec![], vec![authority.root().pin], vec![leaf.pin()]] {
        refused(&pins, &copied, "the server's certificate is refused: invalid peer certificate: BadSignature");
    }
}

/// What was found out about the real server before, by a handshake that an impostor spoiled, is not kept for later.
#[test]
fn rule_01_an_impostor_leaves_nothing_behind() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    let first = FirstContact::new(provider(), vec![]);
    let config = first.client_config().unwrap();
    let [tls13, _] = VERSIONS;
    // More of them than a verifier remembers.
    for _ in 0..20 {
        let copied = shown(fleet::leaf(&authority).chain().to_vec(), &a_key());
        assert!(!meet(&config, &any_server(tls13, copied), NAME).talked);
        assert_eq!(first.verified(), None);
    }
    meet(&config, &any_server(tls13, shown(leaf.chain().to_vec(), &leaf.key())), NAME).accepted();
    assert_eq!(first.verified().unwrap().leaf_pin, leaf.pin());
    assert_eq!(first.failure(), None);
    assert!(!meet(&config, &any_server(tls13, shown(leaf.chain().to_vec(), &a_key())), NAME).talked);
    assert!(matches!(first.failure(), Some(ContactError::Certificate(_))));
    assert_eq!(first.verified().unwrap().leaf_pin, leaf.pin());
}

#[test]
fn rule_01_an_envoy_is_no_server() {
    let authority = authority();
    // Its certificate is signed by the pinned CA.
    let mut envoy = envoy_identity(&authority, 1);
    envoy.cert.push(root_of(&authority));
    let pin = Pin::of_spki(&envoy.key.public_key().unwrap());
    for pins in [vec![], vec![authority.root().pin], vec![pin]] {
        refused(&pins, &envoy, "does not allow extended key usage for server authentication");
    }
}

/// A certificate that an envoy signs with its own key, with its own as the link to the pinned CA.
#[test]
fn rule_01_nobody_stands_between_the_ca_and_the_server() {
    let authority = authority();
    let root = root_of(&authority);
    let envoy = forge::signed_by(&authority, &forge::envoy_params(&server_id(), 1));
    let below = forge::signed_under(&envoy, &leaf_params(&[NAME]));
    let chain = shown(vec![below.der.clone(), envoy.der.clone(), root.clone()], &below.key_der());
    refused(&[authority.root().pin], &chain, "UnknownIssuer");

    let mut params = forge::ca_params("Below");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let middle = forge::signed_by(&authority, &params);
    let below = forge::signed_under(&middle, &leaf_params(&[NAME]));
    let chain = shown(vec![below.der.clone(), middle.der, root], &below.key_der());
    refused(&[authority.root().pin], &chain, "UnknownIssuer");
}

/// The same tricks on an enrolled machine, which knows the root.
#[test]
fn an_enrolled_machine_is_not_fooled_either() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    let client = client_config(provider(), &[root_of(&authority)], None).unwrap();
    let (fake_root, fake) = copy();
    for version in VERSIONS {
        for (shows, says) in [
            (shown(leaf.chain().to_vec(), &a_key()), "BadSignature"),
            (shown(vec![fake.der.clone(), root_of(&authority)], &fake.key_der()), "BadSignature"),
            (shown(vec![fake.der.clone(), fake_root.der.clone()], &fake.key_der()), "BadSignature"),
        ] {
            meet(&client, &any_server(version, shows), NAME).server_refused(says);
        }
    }
}
