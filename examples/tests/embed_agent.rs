//! `embed_agent`, against a real server.
#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::path::Path;

use vigo_tests::{Ended, Options, Program, Server};

fn agent(folder: &Path, server: &Server, token: &str) -> Ended {
    let (grpc, api) = (server.grpc(), server.api());
    let arguments = [folder.to_str().unwrap(), &grpc, &api, "web1.example.com"];
    Program::at(env!("CARGO_BIN_EXE_embed_agent")).args(arguments).input(token).run()
}

#[test]
fn it_enrols_once_and_checks_in_every_time() {
    let mut server = Server::home(&Options::default());
    std::fs::create_dir_all(server.file("stacks/configcrates")).unwrap();
    let block = "envoys:\n  - {match: '*.example.com', configcrates: [base]}\n";
    std::fs::write(server.file("stacks/envoys.vgo"), block).unwrap();
    let base = "name: base\nresources:\n  - {name: ntp, type: package}\n";
    std::fs::write(server.file("stacks/configcrates/base.vgo"), base).unwrap();
    server.run();
    let machine = tempfile::tempdir().unwrap();

    let token = server.token("web1.example.com", &[]);
    let told = agent(machine.path(), &server, &token).ok();
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("enrolled web1.example.com as envoy "), "{told}");
    assert!(lines[0].ends_with(&format!(", the CA is {}", server.ca_pin())), "{told}");
    assert!(lines[1].starts_with("policy ") && lines[1].ends_with(": 1 configcrates, 1 resources"), "{told}");
    assert_eq!(lines[2..], [format!("checked in with {}", server.grpc())]);
    assert_eq!(server.envoys(), [("web1.example.com".to_owned(), "active".to_owned())]);

    let told = agent(machine.path(), &server, "").ok();
    assert_eq!(told, format!("enrolled before\nchecked in with {}\n", server.grpc()));
    assert_eq!(server.envoys().len(), 1);

    let _ = server.cli(&["--yes", "envoys", "revoke", "web1.example.com"]).ok();
    let said = agent(machine.path(), &server, "").failed(1);
    assert!(said.contains("not checked in: "), "{said}");
}

#[test]
fn a_token_for_another_name_is_no_way_in() {
    let server = Server::start();
    let machine = tempfile::tempdir().unwrap();
    let token = server.token("web2.example.com", &[]);
    let said = agent(machine.path(), &server, &token).failed(1);
    assert!(said.contains("The token is not accepted for this host") && !said.contains(&token), "{said}");
    assert!(server.envoys().is_empty());
}
