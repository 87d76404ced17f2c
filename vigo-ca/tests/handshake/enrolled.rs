//! An enrolled envoy and its server.

use std::sync::Arc;

use rustls::{HandshakeKind, ProtocolVersion};
use rustls_pki_types::CertificateDer;
use vigo_ca::tls::{
    DenySet, FirstContact, TlsError, client_config, grpc_server_config, public_server_config, web_server_config,
};
use vigo_ca::{CertificateAuthority, PeerIdentity};
use vigo_core::UnixTime;

use crate::fleet::{self, DAY, NOW, authority, authority_of};
use crate::forge;
use crate::pump::{self, NAME, VERSIONS, any_client, grpc, meet, meet_at, provider, root_of};

#[test]
fn an_envoy_and_its_server() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    let server = grpc(&authority, &leaf, &Arc::default());
    let client = client_config(provider(), &[root_of(&authority)], Some(pump::client_identity(&authority, 1))).unwrap();
    for name in [NAME, "VIGO.example.com", "127.0.0.1", "::1"] {
        let meeting = meet(&client, &server, name).accepted();
        assert_eq!(meeting.server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(meeting.server.alpn_protocol(), Some(&b"h2"[..]));
        assert_eq!(meeting.client.peer_certificates().unwrap(), leaf.chain());
        let [certificate] = meeting.server.peer_certificates().unwrap() else { panic!("more than one certificate") };
        let peer = PeerIdentity::from_certificate(certificate).unwrap();
        assert_eq!((peer.server, peer.envoy), (fleet::server_id(), fleet::envoy(1)));
        assert_eq!(peer.identity_digest, PeerIdentity::digest_of(&fleet::identity(1)));
    }
    let post_quantum = meet(&client, &server, NAME);
    let group = post_quantum.client.negotiated_key_exchange_group().unwrap();
    assert_eq!(format!("{:?}", group.name()), "X25519MLKEM768");
}

#[test]
fn an_envoy_keeps_the_root_of_the_first_contact() {
    let authority = authority();
    let server = grpc(&authority, &fleet::leaf(&authority), &Arc::default());
    let first = FirstContact::new(provider(), vec![authority.root().pin]);
    meet(&first.client_config().unwrap(), &server, NAME).accepted();
    let root = CertificateDer::from(first.verified().unwrap().root_der);
    let client = client_config(provider(), &[root], Some(pump::client_identity(&authority, 1))).unwrap();
    meet(&client, &server, NAME).accepted();
}

#[test]
fn a_client_without_a_certificate_gets_in_as_nobody() {
    let authority = authority();
    let server = grpc(&authority, &fleet::leaf(&authority), &Arc::default());
    let client = client_config(provider(), &[root_of(&authority)], None).unwrap();
    assert!(meet(&client, &server, NAME).accepted().server.peer_certificates().is_none());
    for version in VERSIONS {
        let client = any_client(version, &authority, None);
        assert!(meet(&client, &server, NAME).accepted().server.peer_certificates().is_none());
    }
}

#[test]
fn both_versions_of_tls() {
    let authority = authority();
    let server = grpc(&authority, &fleet::leaf(&authority), &Arc::default());
    for version in VERSIONS {
        let client = any_client(version, &authority, Some(pump::envoy_identity(&authority, 1)));
        let meeting = meet(&client, &server, NAME).accepted();
        assert_eq!(meeting.server.protocol_version(), Some(version.version));
        assert_eq!(meeting.server.peer_certificates().map(<[_]>::len), Some(1));
    }
}

/// Dials the server of `authority` with the roots of `trusted`, at a time and under a name.
#[track_caller]
fn refused(trusted: &CertificateAuthority, authority: &CertificateAuthority, at: UnixTime, name: &str, says: &str) {
    let server = grpc(authority, &fleet::leaf(authority), &Arc::default());
    let client = client_config(provider(), &[root_of(trusted)], Some(pump::client_identity(trusted, 1))).unwrap();
    meet_at(at, &client, &server, name).server_refused(says);
}

#[test]
fn servers_that_an_envoy_refuses() {
    let (ours, other) = (authority(), authority_of(vigo_core::ServerId::from_random([0xf2; 16])));
    refused(&ours, &ours, NOW, "other.example.com", "not valid for name \"other.example.com\"");
    refused(&ours, &ours, NOW, "example.com", "not valid for name");
    refused(&ours, &ours, NOW, "127.0.0.2", "not valid for name");
    refused(&ours, &other, NOW, NAME, "UnknownIssuer");
    // Made again under the same name, as after a lost key: the same subject, another key.
    refused(&ours, &authority(), NOW, NAME, "BadSignature");
    refused(&ours, &ours, NOW.before(DAY), NAME, "not valid yet");
    refused(&ours, &ours, NOW.after(DAY * 398), NAME, "expired");
    // Nothing of an authority outlives it, so that its own end needs no look: no certificate of it is good any more.
    refused(&ours, &ours, ours.root().not_after.after(DAY), NAME, "expired");
}

#[test]
fn an_envoy_is_no_server() {
    let authority = authority();
    let client = client_config(provider(), &[root_of(&authority)], None).unwrap();
    for version in VERSIONS {
        let server = pump::any_server(version, pump::envoy_identity(&authority, 1));
        meet(&client, &server, NAME).server_refused("does not allow extended key usage for server authentication");
    }
}

#[test]
fn the_web_port_asks_for_no_certificate() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    let web = web_server_config(provider(), &leaf).unwrap();
    let client = any_client(VERSIONS[0], &authority, Some(pump::envoy_identity(&authority, 1)));
    let meeting = meet(&client, &web, NAME).accepted();
    assert!(meeting.server.peer_certificates().is_none());
    assert_eq!(meeting.server.handshake_kind(), Some(HandshakeKind::Full));
    for protocol in ["h2", "http/1.1"] {
        let mut client = any_client(VERSIONS[0], &authority, None);
        client.alpn_protocols = vec![protocol.into()];
        assert_eq!(meet(&client, &web, NAME).accepted().server.alpn_protocol(), Some(protocol.as_bytes()));
    }
}

#[test]
fn the_web_port_takes_a_certificate_from_elsewhere() {
    let mut params = forge::leaf_params(&["vigo.example.com"]);
    params.not_after = forge::datetime(NOW.after(DAY * 90));
    let ca = forge::self_signed(&forge::ca_params("A public CA"));
    let public = forge::adopted(&ca, fleet::server_id());
    let leaf = forge::signed_under(&ca, &params);
    let chain = vigo_ca::pem::encode_certificate(&leaf.der);
    let web = public_server_config(provider(), &chain, &leaf.key.serialize_pem()).unwrap();
    meet(&any_client(VERSIONS[0], &public, None), &web, NAME).accepted();

    let other = forge::p256().serialize_pem();
    assert!(matches!(public_server_config(provider(), &chain, &other), Err(TlsError::Rustls(_))));
    assert!(matches!(public_server_config(provider(), "", &other), Err(TlsError::Pem(_))));
    assert!(matches!(public_server_config(provider(), &chain, ""), Err(TlsError::Pem(_))));
}

#[test]
fn configurations_that_trust_nobody_are_not_made() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    assert!(matches!(client_config(provider(), &[], None), Err(TlsError::NoRoots)));
    let deny = Arc::new(DenySet::new());
    let server = grpc_server_config(provider(), &leaf, &[], fleet::server_id(), deny);
    assert!(matches!(server, Err(TlsError::NoRoots)));
}
