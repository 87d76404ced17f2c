//! Many at once for what only one can have.

use vigo_tests::{Machine, Server, Started};

/// Starts all, then waits for all: the exit code of each.
fn race(machines: &[Machine], server: &Server, token: &str) -> Vec<(i32, String)> {
    let started: Vec<_> =
        machines.iter().map(|machine| machine.bootstrapping(server, &["--token-stdin"]).input(token).start()).collect();
    started.into_iter().map(Started::end).map(|ended| (ended.code, ended.stderr)).collect()
}

#[test]
fn rule_08_one_token_raced_by_fifty_machines_lets_one_in() {
    let server = Server::start();
    let token = server.token("*.example.com", &[]);
    let machines: Vec<Machine> = (0..50).map(|n| Machine::new(&format!("web{n}.example.com"))).collect();
    let ended = race(&machines, &server, &token);
    let (won, lost): (Vec<_>, Vec<_>) = ended.iter().partition(|(code, _)| *code == 0);
    assert_eq!((won.len(), lost.len()), (1, 49));
    for (code, said) in lost {
        assert_eq!(*code, 5, "{said}");
        assert!(said.contains("The token has been used"), "{said}");
    }
    assert_eq!(server.envoys().len(), 1);
    let tokens = server.json(&["tokens", "list"]);
    assert_eq!((&tokens[0]["used"], &tokens[0]["status"]), (&1.into(), &"used".into()));
    let _ = server.cli(&["audit", "verify"]).ok();
}

#[test]
fn rule_09_one_name_raced_by_twenty_machines_is_ones() {
    let server = Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.example.com', cidrs: [127.0.0.0/8]}]\n");
    let pin = server.ca_pin();
    let machines: Vec<Machine> = (0..20).map(|_| Machine::new("web1.example.com")).collect();
    let started: Vec<_> =
        machines.iter().map(|machine| machine.bootstrapping(&server, &["--ca-pin", &pin]).start()).collect();
    let codes: Vec<i32> = started.into_iter().map(|one| one.end().code).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 5).count(), 19, "{codes:?}");
    assert_eq!(server.envoys(), [("web1.example.com".to_owned(), "active".to_owned())]);
}

#[test]
fn one_machine_that_is_told_twice_at_once_enrols_once() {
    let server = Server::start();
    let token = server.token("web1.example.com", &["--uses", "5"]);
    let machine = Machine::new("web1.example.com");
    let started: Vec<_> =
        (0..4).map(|_| machine.bootstrapping(&server, &["--token-stdin", "--force"]).input(&token).start()).collect();
    let ended: Vec<_> = started.into_iter().map(Started::end).collect();
    for one in &ended {
        assert!(one.code == 0 || one.stderr.contains("another vigo holds"), "{one:?}");
    }
    assert!(ended.iter().any(|one| one.code == 0));
    let active = server.envoys().into_iter().filter(|(_, status)| status == "active").count();
    assert_eq!(active, 1);
    let _ = machine.check_in().ok();
}
