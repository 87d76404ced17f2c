//! `embed_server`: its own routes, and a whole Vigo server beside them.
#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use serde_json::{Value, json};
use vigo_tests::{Daemon, Machine, Options, Program, Server, needs_tools};

/// The example over the home of a server of ours that never runs itself.
fn embed(home: &Server) -> Daemon {
    let mut daemon = Program::at(env!("CARGO_BIN_EXE_embed_server")).args([home.config()]).daemon();
    daemon.says("serving");
    daemon
}

/// Status and body. What the server's certificate is worth is for other tests.
fn get(home: &Server, path: &str) -> (String, String) {
    let url = format!("{}{path}", home.api());
    let told = Program::at("curl").args(["-sSk", "-w", "\n%{http_code}", &url]).run().ok();
    let (body, status) = told.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[test]
fn both_are_served_on_one_port() {
    if !needs_tools("both_are_served_on_one_port", &["curl"]) {
        return;
    }
    let home = Server::home(&Options::default());
    let daemon = embed(&home);

    let ask = || serde_json::from_str::<Value>(&get(&home, "/inventory/web1.example.com").1).unwrap();
    assert_eq!(ask(), json!({ "host": "web1.example.com", "asked_before_by": null }));
    assert_eq!(ask()["asked_before_by"], "127.0.0.1");
    assert_eq!(get(&home, "/inventory/-").0, "400");

    assert_eq!(get(&home, "/healthz"), ("200".to_owned(), "ok\n".to_owned()));
    assert_eq!(get(&home, "/readyz"), ("200".to_owned(), "ready\n".to_owned()));
    assert!(get(&home, "/bootstrap").1.contains("Vigo's bootstrap. It fetches"));
    assert!(get(&home, "/api/v1/bootstrap/ca").1.starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(get(&home, "/nothing").0, "404");

    let machine = Machine::enrolled("web1.example.com", &home);
    let _ = machine.check_in().ok();
    assert_eq!(home.envoys(), [("web1.example.com".to_owned(), "active".to_owned())]);
    daemon.stop();
}
