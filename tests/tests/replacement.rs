//! A name that is taken: what replaces its envoy, and what does not.

use vigo_tests::{Machine, Server};

const TAKEN: &str = "An active envoy with this hostname already exists";

fn statuses(server: &Server) -> Vec<String> {
    let mut statuses: Vec<String> = server.envoys().into_iter().map(|(_, status)| status).collect();
    statuses.sort();
    statuses
}

#[test]
fn rule_09_asking_alone_proves_nothing() {
    let server = Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.example.com', cidrs: [127.0.0.0/8]}]\n");
    let first = Machine::enrolled("web1.example.com", &server);
    let pin = server.ca_pin();
    let stranger = Machine::new("web1.example.com");
    for more in [&["--ca-pin", pin.as_str()][..], &["--ca-pin", pin.as_str(), "--force"]] {
        let refused = stranger.bootstrap(&server, None, more).failed(5);
        assert!(refused.contains(TAKEN), "{refused}");
        assert!(refused.contains("vigocli envoys allow-reenroll web1.example.com"), "{refused}");
        assert!(refused.contains("vigocli tokens generate --pattern web1.example.com"), "{refused}");
    }
    assert_eq!(statuses(&server), ["active"]);
    let _ = first.check_in().ok();
}

#[test]
fn rule_09_a_wildcard_token_replaces_nobody() {
    let server = Server::start();
    let first = Machine::enrolled("web1.example.com", &server);
    let token = server.token("*.example.com", &[]);
    let refused = Machine::new("web1.example.com").bootstrap(&server, Some(&token), &["--force"]).failed(5);
    assert!(refused.contains(TAKEN), "{refused}");
    let _ = first.check_in().ok();
    // The token was not used up by the refusal.
    let _ = Machine::new("web2.example.com").bootstrap(&server, Some(&token), &["--force"]).ok();
}

#[track_caller]
fn replaced(server: &Server, first: &Machine, token: Option<&str>, more: &[&str]) {
    let pin = server.ca_pin();
    let second = Machine::new("web1.example.com");
    let _ = second.bootstrap(server, token, &[&["--ca-pin", &pin, "--force"], more].concat()).ok();
    assert_eq!(statuses(server), ["active", "revoked"]);
    assert_ne!(first.envoy(), second.envoy());
    let refused = first.check_in().failed(4);
    assert!(refused.contains("revoked"), "{refused}");
    let _ = second.check_in().ok();
}

#[test]
fn rule_09_a_token_for_exactly_that_name_replaces() {
    let server = Server::start();
    let first = Machine::enrolled("web1.example.com", &server);
    let token = server.token("web1.example.com", &[]);
    replaced(&server, &first, Some(&token), &[]);
}

#[test]
fn rule_09_a_token_made_to_replace_replaces() {
    let server = Server::start();
    let first = Machine::enrolled("web1.example.com", &server);
    let token = server.token("*.example.com", &["--allow-replace"]);
    replaced(&server, &first, Some(&token), &[]);
}

#[test]
fn rule_09_an_operators_leave_replaces() {
    let server = Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.example.com', cidrs: [127.0.0.0/8]}]\n");
    let first = Machine::enrolled("web1.example.com", &server);
    let _ = server.cli(&["--yes", "envoys", "allow-reenroll", "web1.example.com"]).ok();
    replaced(&server, &first, None, &[]);
}

#[test]
fn rule_09_the_old_identity_is_a_way_in_and_replaces() {
    let server = Server::start();
    let machine = Machine::enrolled("web1.example.com", &server);
    let before = machine.envoy();
    // The same machine, no token: its identity key is the proof.
    let _ = machine.bootstrap(&server, None, &["--ca-pin", &server.ca_pin(), "--force"]).ok();
    assert_ne!(machine.envoy(), before);
    assert_eq!(statuses(&server), ["active", "revoked"]);
    let _ = machine.check_in().ok();
    let envoys = machine.config_dir().join("envoys").read_dir().unwrap().count();
    assert_eq!(envoys, 1, "what was before is retired");
}

#[test]
fn rule_09_proof_mode_takes_no_token() {
    let server = Server::with_bootstrap("  reenroll: proof\n");
    let machine = Machine::enrolled("web1.example.com", &server);
    let token = server.token("web1.example.com", &[]);
    let refused = Machine::new("web1.example.com").bootstrap(&server, Some(&token), &["--force"]).failed(5);
    assert!(refused.contains(TAKEN) && !refused.contains("tokens generate"), "{refused}");
    let _ = machine.bootstrap(&server, None, &["--ca-pin", &server.ca_pin(), "--force"]).ok();
}

#[test]
fn rule_09_any_mode_takes_whatever_way_in_and_says_so() {
    let server = Server::with_bootstrap(
        "  reenroll: any\n  trusted_enrollment: [{pattern: '*.example.com', cidrs: [127.0.0.0/8]}]\n",
    );
    let first = Machine::enrolled("web1.example.com", &server);
    replaced(&server, &first, None, &[]);
    let (_, detail) = server.last_audit("envoy.enrol");
    assert!(detail.contains("WITHOUT PROOF"), "{detail}");
}

#[test]
fn rule_13_a_revoked_key_proves_nothing_and_its_name_needs_leave() {
    let server = Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.example.com', cidrs: [127.0.0.0/8]}]\n");
    let machine = Machine::enrolled("web1.example.com", &server);
    let _ = server.cli(&["--yes", "envoys", "revoke", "web1.example.com", "--reason", "lost"]).ok();
    let pin = server.ca_pin();
    let refused = machine.bootstrap(&server, None, &["--ca-pin", &pin, "--force"]).failed(5);
    assert!(refused.contains("was revoked by an operator"), "{refused}");
    let _ = server.cli(&["--yes", "envoys", "allow-reenroll", "web1.example.com"]).ok();
    let _ = machine.bootstrap(&server, None, &["--ca-pin", &pin, "--force"]).ok();
    assert_eq!(statuses(&server), ["active", "revoked"]);
}

#[test]
fn rule_04_a_refused_attempt_leaves_the_old_enrolment_as_it_was() {
    let (server, other) = (Server::start(), Server::start());
    let machine = Machine::enrolled("web1.example.com", &server);
    let before = machine.envoy();
    let token = other.token("other.example.com", &[]);
    let _ = machine.bootstrap(&other, Some(&token), &["--force"]).failed(5);
    let _ = machine.bootstrap(&other, None, &["--ca-pin", &server.ca_pin(), "--force"]).failed(4);
    assert_eq!(machine.envoy(), before);
    let _ = machine.check_in().ok();
    // Another fleet lets it in: only then it moves, and nothing of the first is left.
    let token = other.token("web1.example.com", &[]);
    let _ = machine.bootstrap(&other, Some(&token), &["--force"]).ok();
    assert_ne!(machine.envoy(), before);
    let _ = machine.check_in().ok();
    assert_eq!(statuses(&server), ["active"], "the first fleet was not told");
}

#[test]
fn a_deleted_envoy_is_gone_from_the_list_and_its_name_is_not_free_for_the_asking() {
    let server = Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.example.com', cidrs: [127.0.0.0/8]}]\n");
    let machine = Machine::enrolled("web1.example.com", &server);
    let _ = server.cli(&["--yes", "envoys", "delete", "web1.example.com"]).ok();
    assert!(server.envoys().is_empty());
    let _ = machine.check_in().failed(4);
    let token = server.token("web1.example.com", &[]);
    let _ = Machine::new("web1.example.com").bootstrap(&server, Some(&token), &["--force"]).ok();
}
