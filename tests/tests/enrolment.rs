//! The ways in, over the real binaries: a token, a trusted name and network, an approved name; and nothing else.

use std::os::unix::fs::PermissionsExt as _;

use vigo_tests::{Machine, Server};

#[test]
fn a_token_brings_a_machine_in_once() {
    let server = Server::start();
    let token = server.token("web1.example.com", &[]);
    let machine = Machine::new("web1.example.com");
    let told = machine.bootstrap(&server, Some(&token), &[]).ok();
    for line in ["enrolled   web1.example.com as envoy ", "(its CA has the pin that was given)", "checked in with "] {
        assert!(told.contains(line), "{told}");
    }
    assert_eq!(server.envoys(), [("web1.example.com".to_owned(), "active".to_owned())]);

    let other = Machine::new("web1.example.com");
    let refused = other.bootstrap(&server, Some(&token), &[]).failed(5);
    assert!(refused.starts_with("vigo: The token has been used\n  help: "), "{refused}");
    assert_eq!(server.last_audit("envoy.enrol").0, "token_used");
    assert_eq!(server.envoys().len(), 1);
}

#[test]
fn a_token_of_three_uses_takes_three_machines() {
    let server = Server::start();
    let token = server.token("*.example.com", &["--uses", "3"]);
    for n in 1..=3 {
        let _ = Machine::new(&format!("web{n}.example.com")).bootstrap(&server, Some(&token), &[]).ok();
    }
    let refused = Machine::new("web4.example.com").bootstrap(&server, Some(&token), &[]).failed(5);
    assert!(refused.contains("The token has been used"), "{refused}");
    assert_eq!(server.envoys().len(), 3);
}

#[test]
fn a_trusted_name_and_network_needs_no_token() {
    let server =
        Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.lab.example.com', cidrs: [127.0.0.0/8]}]\n");
    let pin = server.ca_pin();
    let _ = Machine::new("a.lab.example.com").bootstrap(&server, None, &["--ca-pin", &pin]).ok();
    let refused = Machine::new("a.dev.example.com").bootstrap(&server, None, &["--ca-pin", &pin]).failed(5);
    assert!(refused.contains("No rule admits a.dev.example.com from 127.0.0.1"), "{refused}");
    assert_eq!(server.envoys(), [("a.lab.example.com".to_owned(), "active".to_owned())]);
}

#[test]
fn rule_06_the_right_name_from_another_network_is_refused() {
    let server =
        Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.lab.example.com', cidrs: [10.0.0.0/8]}]\n");
    let machine = Machine::new("a.lab.example.com");
    let refused = machine.bootstrap(&server, None, &["--ca-pin", &server.ca_pin()]).failed(5);
    assert!(refused.contains("No rule admits a.lab.example.com from 127.0.0.1"), "{refused}");
}

#[test]
fn an_approved_pattern_counts_from_the_moment_it_is_added_until_it_is_removed() {
    let server = Server::start();
    let pin = server.ca_pin();
    let ask = |name: &str| Machine::new(name).bootstrap(&server, None, &["--ca-pin", &pin]);
    let _ = ask("a.dev.example.com").failed(5);
    let added = server.json(&["approved", "add", "--pattern", "*.dev.example.com", "--note", "lab"]);
    let _ = ask("a.dev.example.com").ok();
    let _ = server.cli(&["--yes", "approved", "remove", added["id"].as_str().unwrap()]).ok();
    let _ = ask("b.dev.example.com").failed(5);
    assert_eq!(server.envoys().len(), 1);
}

#[test]
fn rule_07_a_bad_token_never_falls_through_to_a_rule() {
    let server =
        Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.lab.example.com', cidrs: [127.0.0.0/8]}]\n");
    let token = server.token("other.example.com", &[]);
    let refused = Machine::new("a.lab.example.com").bootstrap(&server, Some(&token), &[]).failed(5);
    assert!(refused.contains("The token is not accepted for this host"), "{refused}");
    assert_eq!(server.last_audit("envoy.enrol").0, "token_other_host");
    assert!(server.envoys().is_empty());
}

#[test]
fn register_alone_enrols_and_run_checks_in() {
    let server = Server::start();
    let token = server.token("web1.example.com", &[]);
    let machine = Machine::new("web1.example.com");
    let told = machine.register(&server, Some(&token), &[]).ok();
    assert!(told.contains("next: `vigo daemon`"), "{told}");
    let status = machine.status();
    assert_eq!((&status["last_success_at"], &status["policy"]["cached"]), (&serde_json::Value::Null, &true.into()));
    let _ = machine.check_in().ok();
    assert!(machine.status()["last_success_at"].is_string());
    assert!(!machine.config_dir().join("pending").exists(), "the registration is finished");
}

#[test]
fn registering_twice_is_refused_without_force_and_before_anything_is_sent() {
    let server = Server::start();
    let machine = Machine::enrolled("web1.example.com", &server);
    let pin = server.ca_pin();
    let refused = machine.register(&server, None, &["--ca-pin", &pin]).failed(5);
    assert!(refused.contains("enrolled with") && refused.contains("already, as web1.example.com"), "{refused}");
    assert_eq!(server.last_audit("envoy.enrol").0, "ok");
}

#[test]
fn rule_03_every_file_of_an_envoy_is_its_owners_alone() {
    let server = Server::start();
    let machine = Machine::enrolled("web1.example.com", &server);
    let mut folders = vec![machine.config_dir(), machine.state_dir()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files >= 8, "{files}");
}

#[test]
fn status_has_its_lines_in_their_order() {
    let server = Server::start();
    let machine = Machine::enrolled("web1.example.com", &server);
    let text = machine.vigo(&["status"]).run().ok();
    let labels: Vec<&str> = text.lines().map(|line| line.split(": ").next().unwrap()).take(10).collect();
    assert_eq!(
        labels,
        [
            "Envoy ID",
            "Server",
            "Data directory",
            "State store",
            "",
            "Policy:",
            "  Cached",
            "  Version",
            "  Configcrates",
            "  Resources"
        ]
    );
    let none = Machine::new("web2.example.com").vigo(&["status"]).run().failed(3);
    assert!(none.contains("this machine is not enrolled") && none.contains("help:"), "{none}");
}

#[test]
fn no_match_block_is_a_warning_on_both_sides() {
    let server = Server::start();
    let machine = Machine::new("web1.example.com");
    let token = server.token("web1.example.com", &[]);
    let told = machine.bootstrap(&server, Some(&token), &[]);
    assert!(told.stderr.contains("no match block in envoys.vgo takes this hostname"), "{}", told.stderr);
    assert_eq!(machine.status()["policy"]["cached"], true, "the empty bundle is held all the same");
    let mut server = server;
    server.process().says("no match block in envoys.vgo takes this envoy");
}

#[test]
fn a_policy_is_carried_and_counted() {
    let mut server = Server::home(&vigo_tests::Options::default());
    let stacks = server.file("stacks");
    std::fs::create_dir_all(stacks.join("configcrates")).unwrap();
    std::fs::write(
        stacks.join("envoys.vgo"),
        "envoys:\n  - match: '*.example.com'\n    environment: production\n    configcrates: [base]\n",
    )
    .unwrap();
    std::fs::write(stacks.join("environments.vgo"), "environments:\n  production: {}\n").unwrap();
    std::fs::write(
        stacks.join("configcrates/base.vgo"),
        "name: base\nresources:\n  - {name: motd, type: file, state: present, path: /etc/motd}\n  - {name: ntp, type: package, state: present}\n",
    )
    .unwrap();
    let _ = server.cli(&["config", "validate"]).ok();
    server.run();
    let machine = Machine::enrolled("web1.example.com", &server);
    let status = machine.status();
    assert_eq!((&status["policy"]["configcrates"][0], &status["policy"]["resources"]), (&"base".into(), &2.into()));
    let text = machine.vigo(&["status"]).run().ok();
    assert!(text.contains("  Configcrates: 1 (base)\n  Resources: 2\n"), "{text}");
}
