//! `kill -9` at any point of an enrolment, of the server and of the agent: whoever was told that they are in is in, and
//! whoever was not finishes by typing the same line again.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::time::Duration;

use vigo_tests::{Machine, Server};

/// How many kills each of the first three tests makes: `VIGO_KILLS`, or as many as an ordinary run has time for.
#[expect(clippy::disallowed_methods, reason = "how a longer run is asked for")]
fn kills(usual: u64) -> u64 {
    match std::env::var("VIGO_KILLS") {
        Ok(asked) => asked.parse().expect("VIGO_KILLS is a number"),
        Err(_) => usual,
    }
}

/// A spread of waits that is the same at every run: from nothing to what a whole enrolment takes here.
fn wait(round: u64, longest: Duration) {
    // Knuth's multiplicative hash spreads consecutive numbers evenly.
    let share = round.wrapping_mul(2_654_435_761) % 1000;
    vigo_tests::pause(longest * u32::try_from(share).unwrap() / 1000);
}

/// A configuration whose requests wait at no limit for the number of registrations of one address.
fn server() -> Server {
    Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.trusted.example.com', cidrs: [127.0.0.0/8]}]\n")
}

/// Everything that must hold of a fleet at any moment when nothing is under way.
#[track_caller]
fn whole(server: &Server, acknowledged: &[(String, String)]) {
    let rows = server.json(&["envoys", "list"]);
    let rows = rows.as_array().unwrap();
    for (hostname, envoy) in acknowledged {
        let found = rows.iter().filter(|row| row["hostname"] == hostname.as_str() && row["status"] != "revoked");
        let ids: Vec<&str> = found.map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [envoy], "{hostname} was acknowledged");
    }
    let verified = server.json(&["audit", "verify"]);
    assert!(verified["links"].is_u64(), "{verified}");
}

#[test]
fn a_server_killed_while_machines_enrol_loses_nobody_that_it_acknowledged() {
    let mut server = server();
    let pin = server.ca_pin();
    let mut acknowledged = Vec::new();
    let (mut finished_later, mut committed) = (0, 0);
    let kills = kills(120);
    for round in 0..kills {
        let name = format!("web{round}.trusted.example.com");
        let machine = Machine::new(&name);
        let started = machine.bootstrapping(&server, &["--ca-pin", &pin]).start();
        wait(round, Duration::from_millis(150));
        server.kill();
        server.run();
        let ended = started.end();
        if ended.code != 0 {
            finished_later += 1;
            committed += u64::from(server.envoys().iter().any(|(known, _)| *known == name));
            // The same line again: nothing else is needed, whatever the crash left.
            let _ = machine.bootstrap(&server, None, &["--ca-pin", &pin]).ok();
        }
        acknowledged.push((name, machine.envoy()));
        let _ = machine.check_in().ok();
    }
    whole(&server, &acknowledged);
    assert_eq!(server.envoys().len(), acknowledged.len(), "nobody is there twice");
    println!(
        "{kills} kills of the server: {finished_later} enrolments finished by the same line again, {committed} \
         of them committed already"
    );
}

#[test]
fn a_server_killed_again_while_it_recovers_loses_nobody_that_it_acknowledged() {
    let mut server = server();
    let pin = server.ca_pin();
    let mut acknowledged = Vec::new();
    let kills = kills(60);
    for round in 0..kills / 2 {
        let name = format!("web{round}.trusted.example.com");
        let machine = Machine::new(&name);
        let started = machine.bootstrapping(&server, &["--ca-pin", &pin]).start();
        wait(round, Duration::from_millis(150));
        server.kill();
        server.begin();
        // From before it has opened its store to after it serves.
        wait(round + 1, Duration::from_millis(120));
        server.kill();
        server.run();
        if started.end().code != 0 {
            let _ = machine.bootstrap(&server, None, &["--ca-pin", &pin]).ok();
        }
        acknowledged.push((name, machine.envoy()));
    }
    whole(&server, &acknowledged);
    assert_eq!(server.envoys().len(), acknowledged.len(), "nobody is there twice");
}

#[test]
fn an_agent_killed_while_it_enrols_finishes_by_the_same_line() {
    let server = server();
    let mut acknowledged = Vec::new();
    let mut killed_after_the_commit = 0;
    let kills = kills(120);
    for round in 0..kills {
        let name = format!("web{round}.example.com");
        let token = server.token(&name, &[]);
        let machine = Machine::new(&name);
        let mut started = machine.bootstrapping(&server, &["--token-stdin"]).input(&token).start();
        wait(round, Duration::from_millis(120));
        started.kill();
        let _ = started.end();
        if server.envoys().iter().any(|(known, _)| *known == name) {
            killed_after_the_commit += 1;
        }
        // The token has one use; if the crash came behind the commit, this is the same registration, not a second.
        let _ = machine.bootstrap(&server, Some(&token), &["--force"]).ok();
        acknowledged.push((name, machine.envoy()));
        assert!(!machine.config_dir().join("pending").exists());
    }
    whole(&server, &acknowledged);
    println!("{kills} kills of the agent, {killed_after_the_commit} of them after the server's commit");
}

#[test]
fn a_reply_that_is_lost_after_the_commit_is_given_again() {
    let mut server = server();
    let token = server.token("web1.example.com", &[]);
    let machine = Machine::new("web1.example.com");
    // The enrolment as the server stored it, and an agent that never heard of it: it has only what it sent.
    let _ = machine.register(&server, Some(&token), &[]).ok();
    let envoy = machine.envoy();
    std::fs::remove_file(machine.config_dir().join("config")).unwrap();
    std::fs::remove_dir_all(machine.config_dir().join("envoys")).unwrap();
    server.kill();
    server.run();
    let _ = machine.bootstrap(&server, Some(&token), &[]).ok();
    assert_eq!(machine.envoy(), envoy, "the stored result, not a second envoy");
    assert_eq!(server.envoys().len(), 1);

    // Finished, all of it: the same line once more changes nothing and says so.
    let again = machine.bootstrap(&server, Some(&token), &["--force"]);
    assert_eq!((again.code, machine.envoy()), (0, envoy), "{}", again.stderr);
    assert!(again.stderr.contains("was enrolled before and stays what it is"), "{}", again.stderr);
    assert!(!machine.config_dir().join("pending").exists());
    assert_eq!(server.envoys().len(), 1);

    // Revoked meanwhile: what was won is over, and the next run is a new machine's.
    let token = server.token("web2.example.com", &[]);
    let machine = Machine::new("web2.example.com");
    let _ = machine.register(&server, Some(&token), &[]).ok();
    std::fs::remove_file(machine.config_dir().join("config")).unwrap();
    let _ = server.cli(&["--yes", "envoys", "revoke", "web2.example.com"]).ok();
    let said = machine.bootstrap(&server, Some(&token), &[]).failed(4);
    assert!(said.contains("was revoked"), "{said}");
    let token = server.token("web2.example.com", &[]);
    let _ = machine.bootstrap(&server, Some(&token), &["--force"]).ok();
}

#[test]
fn a_daemon_that_finds_itself_replaced_by_its_own_pending_registration_finishes_it() {
    let server = Server::with_bootstrap("checkin:\n  interval: 1s\n");
    let machine = Machine::enrolled("web1.example.com", &server);
    let old = machine.envoy();
    let mut daemon = machine.daemon();
    daemon.says("checked in");
    // `bootstrap` sends, the server commits, and the machine loses power before the answer is on disk: the old
    // configuration is what counts there, and the new registration is pending.
    let config = std::fs::read(machine.config_dir().join("config")).unwrap();
    daemon.stop();
    let token = server.token("web1.example.com", &[]);
    let _ = machine.register(&server, Some(&token), &["--force"]).ok();
    let new = machine.envoy();
    assert_ne!(old, new);
    std::fs::write(machine.config_dir().join("config"), config).unwrap();
    std::fs::remove_dir_all(machine.config_dir().join("envoys").join(&new)).unwrap();
    let mut daemon = machine.daemon();
    daemon.says("a registration is pending here");
    daemon.says("enrolled anew");
    vigo_tests::until("it checks in as the new envoy", || {
        (machine.envoy() == new && machine.status()["last_success_at"].is_string()).then_some(())
    });
    daemon.stop();
    assert!(!machine.config_dir().join("pending").exists());
}
