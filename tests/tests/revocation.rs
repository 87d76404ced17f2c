//! A revocation counts at once: on open connections, on new ones, for requests under way, after a restart.

use vigo_tests::client::Client;
use vigo_tests::{Machine, Server, until};

#[tokio::test]
async fn rule_13_an_open_connection_is_closed_and_no_request_on_it_is_answered() {
    let server = Server::start();
    let token = server.token("web1.example.com", &[]);
    let mut client = Client::enrol(&server.grpc(), "web1.example.com", 1, &token).await;
    let mut line = client.connect().await.unwrap();
    let _ = client.check_in(&mut line, None).await.unwrap();
    let _ = server.cli(&["--yes", "envoys", "revoke", "web1.example.com"]).ok();
    let refused = client.check_in(&mut line, None).await.unwrap_err();
    // Closed before the request, or the request was refused: it depends on which comes first, and neither lets it in.
    assert!(refused.code == "envoy_revoked" || refused.code.is_empty(), "{refused:?}");
    let refused = client.check_in(&mut line, None).await.unwrap_err();
    assert_eq!(refused.code, "", "the connection is gone: {refused:?}");
}

#[tokio::test]
async fn rule_13_a_new_connection_is_refused_in_its_handshake() {
    let server = Server::start();
    let token = server.token("web1.example.com", &[]);
    let mut client = Client::enrol(&server.grpc(), "web1.example.com", 1, &token).await;
    let _ = server.cli(&["--yes", "envoys", "revoke", &client.envoy.to_string()]).ok();
    // TLS 1.3 tells the client on its first read, so the connection may seem to come about.
    let error = match client.connect().await {
        Err(error) => error,
        Ok(mut line) => client.check_in(&mut line, None).await.unwrap_err().message,
    };
    assert!(error.contains("CertificateRevoked") || error.contains("certificate revoked"), "{error}");
}

#[tokio::test]
async fn rule_13_no_session_is_resumed() {
    let server = Server::start();
    let token = server.token("web1.example.com", &[]);
    let mut client = Client::enrol(&server.grpc(), "web1.example.com", 1, &token).await;
    // A client that keeps whatever it is given to resume by.
    let mut tls = client.tls();
    tls.resumption = rustls::client::Resumption::in_memory_sessions(16);
    for _ in 0..2 {
        let mut line = vigo_tests::client::dial(&server.grpc(), tls.clone()).await.unwrap();
        client.point = None;
        let _ = client.check_in(&mut line, None).await.unwrap();
    }
    let _ = server.cli(&["--yes", "envoys", "revoke", "web1.example.com"]).ok();
    let refused = match vigo_tests::client::dial(&server.grpc(), tls).await {
        Err(error) => error,
        Ok(mut line) => client.check_in(&mut line, None).await.unwrap_err().message,
    };
    assert!(refused.contains("CertificateRevoked") || refused.contains("certificate revoked"), "{refused}");
}

#[test]
fn rule_13_a_daemon_is_told_and_stays_away() {
    let server = Server::with_bootstrap("checkin:\n  interval: 1s\n");
    let machine = Machine::enrolled("web1.example.com", &server);
    let mut daemon = machine.daemon();
    daemon.says("checked in");
    let _ = server.cli(&["--yes", "envoys", "revoke", "web1.example.com"]).ok();
    daemon.says("envoy_revoked");
    let status = until("status shows it", || {
        let status = machine.status();
        status["revoked_at"].is_string().then_some(status)
    });
    assert_eq!(status["last_failure"]["code"], "envoy_revoked");
    let text = machine.vigo(&["status"]).run().ok();
    assert!(text.contains("Revoked: yes, known since"), "{text}");
    daemon.stop();
    assert_eq!(server.envoys(), [("web1.example.com".to_owned(), "revoked".to_owned())], "it never enrols by itself");
}

#[test]
fn rule_13_a_revocation_outlives_a_restart() {
    let mut server = Server::start();
    let machine = Machine::enrolled("web1.example.com", &server);
    let _ = server.cli(&["--yes", "envoys", "revoke", "web1.example.com"]).ok();
    server.kill();
    server.run();
    let refused = machine.check_in().failed(4);
    assert!(refused.contains("revoked"), "{refused}");
    assert_eq!(server.envoys()[0].1, "revoked");
}

#[test]
fn revoking_twice_and_revoking_nobody() {
    let server = Server::start();
    let _machine = Machine::enrolled("web1.example.com", &server);
    let revoke = |name: &str| server.cli(&["--yes", "envoys", "revoke", name]);
    let _ = revoke("web1.example.com").ok();
    let again = revoke("web1.example.com");
    assert!(again.code == 0 || again.code == 5, "{again:?}");
    let nobody = revoke("web9.example.com").failed(3);
    assert!(nobody.contains("there is no envoy"), "{nobody}");
    let _ = server.cli(&["audit", "verify"]).ok();
}

#[test]
fn rule_13_a_refused_registration_under_another_name_brings_no_revoked_machine_back() {
    let mut options = vigo_tests::Options::default();
    options.sections.push_str(
        "  trusted_enrollment: [{pattern: 'web*.example.com', cidrs: [127.0.0.0/8]}]\ncheckin:\n  interval: 1s\n",
    );
    let server = Server::with(&options);
    let machine = Machine::enrolled("db1.example.com", &server);
    let spent = server.token("*.example.com", &[]);
    let _ = Machine::new("other.example.com").bootstrap(&server, Some(&spent), &[]).ok();
    let mut daemon = machine.daemon();
    daemon.says("checked in");
    let (grpc, api) = (server.grpc(), server.api());
    let arguments = [
        "register",
        "--server",
        &grpc,
        "--api-addr",
        &api,
        "--hostname",
        "web4.example.com",
        "--force",
        "--token-stdin",
    ];
    let _ = machine.vigo(&arguments).input(&spent).run().failed(5);
    assert!(!machine.config_dir().join("pending").exists(), "a request that was refused at once is over");
    let _ = server.cli(&["--yes", "envoys", "revoke", "db1.example.com"]).ok();
    daemon.says("envoy_revoked");
    daemon.stop();
    assert!(server.envoys().iter().all(|(name, _)| name != "web4.example.com"), "{:?}", server.envoys());
}

#[tokio::test]
async fn rule_13_what_was_never_won_is_not_repeated_even_where_a_rule_would_admit_it() {
    use vigo_core::RegistrationKind;
    use vigo_tests::client;
    let server = Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.example.com', cidrs: [127.0.0.0/8]}]\n");
    let (mut registration, identity, _request) = client::registration("web1.example.com", 1, None);
    registration.kind = RegistrationKind::Repeat;
    let repeat = client::signed(&server.grpc(), &registration, &identity, None).await.into_wire();
    assert_eq!(client::register(&server.grpc(), repeat.clone()).await.unwrap_err().code, "never_won");
    registration.kind = RegistrationKind::Enrol;
    let enrol = client::signed(&server.grpc(), &registration, &identity, None).await.into_wire();
    let won = client::register(&server.grpc(), enrol).await.unwrap();
    assert_eq!(client::register(&server.grpc(), repeat).await.unwrap(), won, "the stored answer");
}

#[tokio::test]
async fn a_certificate_that_ends_ends_its_open_connection_too() {
    let server = Server::with_bootstrap("  cert_validity: 2s\n");
    let token = server.token("web1.example.com", &[]);
    let mut client = Client::enrol(&server.grpc(), "web1.example.com", 1, &token).await;
    let mut line = client.connect().await.unwrap();
    let _ = client.check_in(&mut line, None).await.unwrap();
    until("the certificate ends", || (server.envoys()[0].1 == "expired").then_some(()));
    assert_eq!(client.check_in(&mut line, None).await.unwrap_err().code, "certificate_expired");
}

#[tokio::test]
async fn a_registration_without_an_end_is_cut_off() {
    let server = Server::start();
    let frame = vigo_core::wire::SignedRegistration { body: vec![7; 512 * 1024], signature: vec![0; 64], proof: None };
    let refused = vigo_tests::client::register(&server.grpc(), frame).await.unwrap_err();
    assert_eq!(refused.code, "", "cut off before anything was read of it: {refused:?}");
    // And a check-in may be as large as it may be.
    let machine = Machine::enrolled("web1.example.com", &server);
    let _ = machine.check_in().ok();
}
