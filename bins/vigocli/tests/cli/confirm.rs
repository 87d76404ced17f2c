use std::process::Command;

use serde_json::json;

use crate::commands::envoy;
use crate::server::{Answer, Server};
use crate::vigocli::run;

#[test]
fn without_a_terminal_a_yes_is_needed() {
    let server = Server::start(vec![Answer::Json(200, envoy().to_string())]);
    let shown = "web3.example.com (3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90, 10.1.0.2, active).";
    for (line, warning) in [
        ("envoys revoke web3.example.com", format!("Revokes {shown}")),
        ("envoys delete web3.example.com", format!("Revokes and deletes {shown}")),
        ("tokens generate --pattern *", "The pattern * takes any host at all.".to_owned()),
        ("approved add --pattern *.*", "The pattern *.* takes any host at all.".to_owned()),
    ] {
        let ran = run(server.home(), &line.split(' ').collect::<Vec<_>>());
        let expected = format!("vigocli: {warning}\n         No terminal to ask on: add --yes if so meant.\n");
        assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr), (2, "", expected), "{line}");
    }
    let get = "GET /api/v1/envoys/web3.example.com";
    assert_eq!(server.requests(), [get, get], "only looked at");
}

/// Runs `envoys revoke` on a pseudo terminal of `script`, where somebody types `answer`.
#[track_caller]
fn typed(answer: &str, exit: i32, requests: &[&str]) {
    let server = Server::start(vec![Answer::Json(200, envoy().to_string())]);
    let line = format!("{} envoys revoke web3.example.com -o json", env!("CARGO_BIN_EXE_vigocli"));
    let answers = server.home().join("answer");
    std::fs::write(&answers, answer).unwrap();
    // `script` makes the terminal that `setsid` would take away.
    let ran = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(server.home())
        .stdin(std::fs::File::open(answers).unwrap())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&ran.stdout);
    assert!(shown.contains("Revokes web3.example.com (3f8d1f3e"), "{shown}");
    assert_eq!(
        (ran.status.code(), server.requests()),
        (Some(exit), requests.iter().map(ToString::to_string).collect()),
        "{shown}"
    );
}

#[test]
fn on_a_terminal_the_host_is_named_and_the_one_that_was_shown_is_meant() {
    let get = "GET /api/v1/envoys/web3.example.com";
    let post = format!("POST /api/v1/envoys/3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90/revoke {}", json!({"reason": ""}));
    typed("yes\n", 0, &[get, &post]);
    typed("no\n", 1, &[get]);
    typed("\n", 1, &[get]);
}
