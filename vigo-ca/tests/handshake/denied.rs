//! Envoys that were denied, and sessions that outlive a handshake.

use std::sync::Arc;

use rustls::HandshakeKind;
use vigo_ca::PeerIdentity;
use vigo_ca::tls::DenySet;

use crate::fleet::{self, authority};
use crate::pump::{NAME, VERSIONS, any_client, any_server, envoy_identity, grpc, meet, shown};

const REVOKED: &str = "Revoked";

#[test]
fn rule_13_a_denied_envoy_is_refused() {
    #[track_caller]
    fn check(deny_one: impl Fn(&DenySet, u8)) {
        let authority = authority();
        for version in VERSIONS {
            let deny = Arc::new(DenySet::new());
            let server = grpc(&authority, &fleet::leaf(&authority), &deny);
            let client = |byte| any_client(version, &authority, Some(envoy_identity(&authority, byte)));
            let (one, other) = (client(1), client(2));
            deny_one(&deny, 3);
            let mut open = meet(&one, &server, NAME).accepted();
            deny_one(&deny, 1);
            meet(&one, &server, NAME).client_refused(REVOKED);
            meet(&other, &server, NAME).accepted();
            // The connection from before is still open: closing it is what a server does with this answer.
            assert!(open.talk());
            let peer = PeerIdentity::from_certificate(&open.server.peer_certificates().unwrap()[0]).unwrap();
            assert!(deny.denies(&peer));
        }
    }
    check(|deny, byte| deny.deny_envoy(fleet::envoy(byte)));
    check(|deny, byte| deny.deny_serial(fleet::serial(byte)));
    check(|deny, byte| deny.deny_identity(&fleet::identity(byte)));
}

/// The second certificate of one envoy: another key, another serial, the same identity.
#[test]
fn rule_13_a_denied_envoy_has_no_other_certificate() {
    let authority = authority();
    let deny = Arc::new(DenySet::new());
    let server = grpc(&authority, &fleet::leaf(&authority), &deny);
    let renewed = any_client(VERSIONS[0], &authority, Some(envoy_identity(&authority, 1)));
    deny.deny_serial(fleet::serial(9));
    meet(&renewed, &server, NAME).accepted();
    deny.deny_identity(&fleet::identity(1));
    meet(&renewed, &server, NAME).client_refused(REVOKED);
    let again = any_client(VERSIONS[0], &authority, Some(envoy_identity(&authority, 1)));
    meet(&again, &server, NAME).client_refused(REVOKED);
}

#[test]
fn rule_13_no_session_is_resumed() {
    let authority = authority();
    let full = |kind| matches!(kind, Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest));
    for version in VERSIONS {
        let deny = Arc::new(DenySet::new());
        let server = grpc(&authority, &fleet::leaf(&authority), &deny);
        assert!(server.send_tls13_tickets == 0 && !server.ticketer.enabled());
        // One configuration, so that the client remembers what it could resume.
        let client = any_client(version, &authority, Some(envoy_identity(&authority, 1)));
        for _ in 0..3 {
            let meeting = meet(&client, &server, NAME).accepted();
            assert_eq!(meeting.client.tls13_tickets_received(), 0);
            assert!(full(meeting.client.handshake_kind()), "{:?}", meeting.client.handshake_kind());
        }
        deny.deny_envoy(fleet::envoy(1));
        meet(&client, &server, NAME).client_refused(REVOKED);
    }
}

/// That the test above would see a resumption: the same client does resume where the server lets it.
#[test]
fn these_clients_resume_where_they_can() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    for version in VERSIONS {
        let server = any_server(version, shown(leaf.chain().to_vec(), &leaf.key()));
        let client = any_client(version, &authority, None);
        meet(&client, &server, NAME).accepted();
        let meeting = meet(&client, &server, NAME).accepted();
        assert_eq!(meeting.client.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}");
    }
}
