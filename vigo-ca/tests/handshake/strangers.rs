//! Client certificates that are none of an envoy of this fleet.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, SanType};
use rustls::sign::CertifiedKey;
use vigo_ca::CertificateAuthority;
use vigo_core::{ServerId, UnixTime};

use crate::fleet::{self, DAY, NOW, authority, authority_of, server_id};
use crate::forge::{self, Forged, envoy_params, uri};
use crate::pump::{self, NAME, VERSIONS, any_client, envoy_identity, grpc, meet_at, shown};

/// The server of `authority` refuses a client that shows this, in both versions of TLS.
#[track_caller]
fn refused_at(now: UnixTime, authority: &CertificateAuthority, client: &CertifiedKey, says: &str) {
    // Good for as long as its authority, so that the server is never what is wrong.
    let names = fleet::names(&[NAME]);
    let leaf = authority.issue_leaf(&names, None, fleet::serial(0x1e), now.max(NOW)).unwrap();
    let server = grpc(authority, &leaf, &Arc::default());
    for version in VERSIONS {
        let client = any_client(version, authority, Some(client.clone()));
        meet_at(now, &client, &server, NAME).client_refused(says);
    }
}

#[track_caller]
fn refused(authority: &CertificateAuthority, client: &CertifiedKey, says: &str) {
    refused_at(NOW, authority, client, says);
}

fn alone(forged: &Forged) -> CertifiedKey {
    shown(vec![forged.der.clone()], &forged.key_der())
}

fn other_fleet() -> ServerId {
    ServerId::from_random([0xf2; 16])
}

/// What is refused below is refused for what was changed: unchanged, it gets in.
#[test]
fn a_forged_certificate_with_nothing_wrong_gets_in() {
    let authority = authority();
    let server = grpc(&authority, &fleet::leaf(&authority), &Arc::default());
    for version in VERSIONS {
        let forged = forge::signed_by(&authority, &envoy_params(&server_id(), 1));
        let client = any_client(version, &authority, Some(alone(&forged)));
        pump::meet(&client, &server, NAME).accepted();
    }
}

#[test]
fn certificates_of_other_authorities() {
    let ours = authority();
    refused(&ours, &envoy_identity(&authority_of(other_fleet()), 1), "UnknownIssuer");
    // Made again under the same name.
    refused(&ours, &envoy_identity(&authority(), 1), "BadSignature");
    let params = envoy_params(&server_id(), 1);
    refused(&ours, &alone(&forge::self_signed(&params)), "UnknownIssuer");
    // With the other root, as if it would be taken for trusted by being sent.
    let other = authority_of(other_fleet());
    let forged = forge::signed_by(&other, &params);
    refused(&ours, &shown(vec![forged.der.clone(), pump::root_of(&other)], &forged.key_der()), "UnknownIssuer");
    refused(&ours, &shown(vec![forged.der.clone(), pump::root_of(&ours)], &forged.key_der()), "UnknownIssuer");
}

#[test]
fn certificates_of_another_fleet_under_one_root() {
    let ca = forge::self_signed(&forge::ca_params("A CA of the house"));
    let (ours, other) = (forge::adopted(&ca, server_id()), forge::adopted(&ca, other_fleet()));
    let server = grpc(&ours, &fleet::leaf(&ours), &Arc::default());
    let client = any_client(VERSIONS[0], &ours, Some(envoy_identity(&ours, 1)));
    pump::meet(&client, &server, NAME).accepted();
    refused(&ours, &envoy_identity(&other, 1), "ApplicationVerificationFailure");
}

#[test]
fn certificates_for_other_things() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    let client_auth = "does not allow extended key usage for client authentication";
    refused(&authority, &shown(leaf.chain().to_vec(), &leaf.key()), client_auth);
    let ca_key = vigo_ca::pem::private_key(&authority.key_pem().unwrap()).unwrap();
    refused(&authority, &shown(vec![pump::root_of(&authority)], &ca_key), "CaUsedAsEndEntity");
}

#[test]
fn certificates_outside_their_validity() {
    let authority = authority();
    let client = envoy_identity(&authority, 1);
    refused_at(NOW.after(DAY * 366), &authority, &client, "expired");
    let mut params = envoy_params(&server_id(), 1);
    params.not_before = forge::datetime(NOW.after(DAY / 2));
    refused(&authority, &alone(&forge::signed_by(&authority, &params)), "not valid yet");
    params.not_before = forge::datetime(NOW.before(DAY));
    params.not_after = forge::datetime(NOW.before(DAY / 24));
    refused(&authority, &alone(&forge::signed_by(&authority, &params)), "expired");
}

#[test]
fn a_certificate_without_its_key() {
    let authority = authority();
    let stolen = envoy_identity(&authority, 1);
    let key = forge::p256();
    let other = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    refused(&authority, &shown(stolen.cert, &other), "BadSignature");
}

#[test]
fn rule_10_certificates_that_our_authority_never_makes() {
    #[track_caller]
    fn check(change: impl Fn(&mut CertificateParams), says: &str) {
        let authority = authority();
        let mut params = envoy_params(&server_id(), 1);
        change(&mut params);
        refused(&authority, &alone(&forge::signed_by(&authority, &params)), says);
    }
    let not_an_envoy = "ApplicationVerificationFailure";
    let name = |name: SanType| move |params: &mut CertificateParams| params.subject_alt_names = vec![name.clone()];
    let own = forge::envoy_uri(&server_id(), 1);
    check(name(uri(&own.to_uppercase())), not_an_envoy);
    check(name(uri(&own.replace("/envoy/", "/server/"))), not_an_envoy);
    check(name(uri(&format!("{own}/"))), not_an_envoy);
    check(name(uri(&format!("{own}?x"))), not_an_envoy);
    check(name(uri(&own.replace("vigo://", "https://"))), not_an_envoy);
    check(name(uri(&own[..own.len() - 1])), not_an_envoy);
    check(name(uri(&format!("vigo://{}", server_id()))), not_an_envoy);
    check(name(uri(&forge::envoy_uri(&other_fleet(), 1))), not_an_envoy);
    check(name(SanType::DnsName("web3.example.com".try_into().unwrap())), not_an_envoy);
    check(|params| params.subject_alt_names = vec![], not_an_envoy);
    check(|params| params.subject_alt_names.push(uri("vigo://other")), not_an_envoy);
    check(|params| params.subject_alt_names.push(params.subject_alt_names[0].clone()), not_an_envoy);
    check(|params| params.subject_alt_names.push(SanType::DnsName("a.example".try_into().unwrap())), not_an_envoy);

    let also = |usage: ExtendedKeyUsagePurpose| {
        move |params: &mut CertificateParams| params.extended_key_usages.push(usage.clone())
    };
    check(also(ExtendedKeyUsagePurpose::ServerAuth), not_an_envoy);
    check(also(ExtendedKeyUsagePurpose::CodeSigning), not_an_envoy);
    check(also(ExtendedKeyUsagePurpose::Any), not_an_envoy);
    check(|params| params.extended_key_usages = vec![], not_an_envoy);
    check(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), "CaUsedAsEndEntity");
    let serial = |bytes: &'static [u8]| {
        move |params: &mut CertificateParams| params.serial_number = Some(rcgen::SerialNumber::from_slice(bytes))
    };
    check(serial(&[1]), not_an_envoy);
    check(serial(&[0x41; 15]), not_an_envoy);
    check(serial(&[0x41; 17]), not_an_envoy);
}

/// An envoy's key signs certificates too, if nobody minds.
#[test]
fn rule_10_an_envoy_is_no_authority() {
    let authority = authority();
    let envoy = forge::signed_by(&authority, &envoy_params(&server_id(), 1));
    let below = forge::signed_under(&envoy, &envoy_params(&server_id(), 2));
    let chain = shown(vec![below.der.clone(), envoy.der, pump::root_of(&authority)], &below.key_der());
    refused(&authority, &chain, "EndEntityUsedAsCa");
}
