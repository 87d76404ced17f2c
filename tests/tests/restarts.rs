//! Servers that stop, start, vanish and come back from a backup; agents that live through it.

use vigo_tests::{Machine, Server, until};

fn every_second() -> Server {
    Server::with_bootstrap("checkin:\n  interval: 1s\n")
}

#[test]
fn an_agent_goes_on_after_the_server_was_killed_and_started_again() {
    let mut server = every_second();
    let machine = Machine::enrolled("web1.example.com", &server);
    let mut daemon = machine.daemon();
    daemon.says("checked in");
    server.kill();
    daemon.says("server_unreachable");
    server.run();
    let seen = |server: &Server| server.json(&["envoys", "show", "web1.example.com"])["last_seen_at"].clone();
    let before = seen(&server);
    until("the agent is seen by the new process", || (seen(&server) != before).then_some(()));
    assert_eq!(machine.status()["last_failure"], serde_json::Value::Null);
    daemon.stop();
}

#[test]
fn an_agent_without_its_server_has_its_policy_and_says_what_is_wrong() {
    let mut server = every_second();
    let machine = Machine::enrolled("web1.example.com", &server);
    server.stop();
    let failed = machine.check_in().failed(6);
    assert!(failed.contains("could not be reached") && failed.contains("help: "), "{failed}");
    // A daemon that starts while nobody answers is a daemon all the same.
    let mut daemon = machine.daemon();
    daemon.says("server_unreachable");
    let status = machine.status();
    assert_eq!((&status["service"], &status["policy"]["cached"]), (&"running".into(), &true.into()));
    assert!(status["next_check_in_at"].is_string() && status["last_success_at"].is_string());
    server.run();
    let told = machine.check_in().ok();
    assert!(told.contains("checked in"), "`vigo run` went through the daemon: {told}");
    daemon.stop();
    assert_eq!(machine.status()["service"], "not_running");
}

#[test]
fn one_daemon_at_a_time() {
    let server = every_second();
    let machine = Machine::enrolled("web1.example.com", &server);
    let mut daemon = machine.daemon();
    daemon.says("checked in");
    let second = machine.vigo(&["daemon"]).run().failed(5);
    assert!(second.contains("another vigo holds"), "{second}");
    daemon.kill();
    // A killed one leaves its socket and its lock's file behind; neither is in the way.
    let mut daemon = machine.daemon();
    daemon.says("checked in");
    let _ = machine.check_in().ok();
    daemon.stop();
}

#[test]
fn last_seen_times_outlive_a_restart() {
    let mut server = Server::start();
    let _machine = Machine::enrolled("web1.example.com", &server);
    let seen = server.json(&["envoys", "list"])[0]["last_seen_at"].clone();
    assert!(seen.is_string());
    server.stop();
    server.run();
    assert_eq!(server.json(&["envoys", "list"])[0]["last_seen_at"], seen);
}

#[test]
fn a_server_restored_from_before_an_enrolment_knows_no_such_envoy() {
    let mut server = Server::start();
    let old = Machine::enrolled("web1.example.com", &server);
    server.stop();
    let (store, backup) = (server.file("db/vigo.redb"), server.file("backup"));
    std::fs::copy(&store, &backup).unwrap();
    server.run();
    let young = Machine::enrolled("web2.example.com", &server);
    server.stop();
    std::fs::copy(&backup, &store).unwrap();
    server.run();
    let _ = old.check_in().ok();
    let refused = young.check_in().failed(4);
    assert!(refused.contains("knows no such envoy") && refused.contains("restored"), "{refused}");
    // It never comes back by itself; a token brings it in anew.
    let token = server.token("web2.example.com", &[]);
    let _ = young.bootstrap(&server, Some(&token), &["--force"]).ok();
    assert_eq!(server.envoys().len(), 2);
}

#[test]
fn an_agent_restored_from_a_backup_finds_its_way_back() {
    let server = every_second();
    let machine = Machine::enrolled("web1.example.com", &server);
    for _ in 0..3 {
        let _ = machine.check_in().ok();
    }
    // The conversation lives in memory alone, so a restored folder is like a restart.
    std::fs::remove_dir_all(machine.state_dir()).unwrap();
    let _ = machine.check_in().ok();
    assert_eq!(machine.status()["policy"]["cached"], true);
}

#[test]
fn a_server_that_is_told_to_stop_stops_with_agents_connected() {
    let mut server = every_second();
    let machine = Machine::enrolled("web1.example.com", &server);
    let mut daemon = machine.daemon();
    daemon.says("checked in");
    server.stop();
    daemon.stop();
}
