//! What happens to envoys, as it happens.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::commands::{envoy, page};
use crate::server::{Answer, Server};
use crate::vigocli::{Ran, command, run};

const ID: &str = "3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90";

fn event(hostname: &str, status: &str, change: &str) -> String {
    let data = json!({"id": ID, "hostname": hostname, "status": status, "change": change});
    format!("event: envoy\ndata: {data}\n\n")
}

fn head() -> String {
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_owned()
}

fn broken(events: &str) -> Answer {
    Answer::Raw(format!("{}{events}", head()).into_bytes())
}

fn logged_out() -> Answer {
    Answer::Json(401, json!({"error": {"code": "not_logged_in", "message": "No", "help": "Log in"}}).to_string())
}

/// What is shown of each change, without its time.
fn changes(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().map(|line| line.split_at("2026-05-13 11:03:00  ".len()).1).collect()
}

#[test]
fn changes_are_shown_and_a_broken_connection_is_made_again() {
    let events = [
        ": alive\n\n".to_owned(),
        event("web1.example.com", "active", "checked_in"),
        "event: lost\n\n".to_owned(),
        "event: later\ndata: {}\n\n".to_owned(),
        event("db1.example.com", "revoked", "revoked\u{1b}[2J"),
    ];
    let again = event("web2.example.com", "active", "enrolled");
    let server = Server::start(vec![broken(&events.concat()), broken(&again), logged_out()]);
    let ran = run(server.home(), &["envoys", "watch"]);
    let expected = [
        "web1.example.com  active  checked_in",
        "db1.example.com  revoked  revoked\\u{1b}[2J",
        "web2.example.com  active  enrolled",
    ];
    assert_eq!((ran.exit, changes(&ran)), (4, expected.to_vec()), "{ran:?}");
    let said: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(
        said,
        [
            "vigocli: the server had more changes than it could send; `vigocli envoys list` has them",
            "vigocli: the connection ended; connecting again",
            "vigocli: connected again; what happened meanwhile is not shown, `vigocli envoys list` has it",
            "vigocli: the connection ended; connecting again",
            "vigocli: No",
            "         Log in",
        ]
    );
}

#[test]
fn changes_are_filtered() {
    let events = [
        event("web1.example.com", "active", "checked_in"),
        event("web2.example.com", "stale", "changed"),
        event("db1.example.com", "stale", "changed"),
    ];
    let server = Server::start(vec![broken(&events.concat()), logged_out()]);
    let ran = run(server.home(), &["envoys", "watch", "--pattern", "web*.example.com", "--status", "stale"]);
    assert_eq!((ran.exit, changes(&ran)), (4, vec!["web2.example.com  stale  changed"]), "{ran:?}");

    // What an event does not tell, the server is asked for.
    let found = Answer::Json(200, page(&json!([envoy()])).to_string());
    let absent = Answer::Json(200, page(&json!([])).to_string());
    let server = Server::start(vec![broken(&events.concat()), found, absent, logged_out()]);
    let line =
        ["envoys", "watch", "--seen-before", "2026-05-13T11:03:00Z", "--pattern", "web*.example.com", "-o", "json"];
    let ran = run(server.home(), &line);
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.exit, shown["hostname"].as_str()), (4, Some("web1.example.com")), "{ran:?}");
    assert!(shown["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{shown}");
    let asked = |n: u8| {
        format!("GET /api/v1/envoys?pattern=web{n}.example.com&seen_before=2026-05-13T11%3A03%3A00Z&limit=1000")
    };
    assert_eq!(server.requests()[..2], [asked(1), asked(2)]);
}

/// A watch of a stream that stays open.
fn watching() -> (Server, std::process::Child) {
    let server =
        Server::start(vec![Answer::Open(format!("{}{}", head(), event("web1", "active", "enrolled")).into_bytes())]);
    let mut command = command(server.home());
    command.args(["envoys", "watch", "-o", "jsonl"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    (server, child)
}

#[test]
fn ctrl_c_ends_it() {
    let (_server, mut child) = watching();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains(r#""hostname":"web1","status":"active","change":"enrolled"}"#), "{line}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = child.wait_with_output().unwrap();
    assert_eq!((ran.status.code(), String::from_utf8_lossy(&ran.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn a_reader_that_left_ends_it() {
    let (_server, mut child) = watching();
    drop(child.stdout.take());
    let ran = child.wait_with_output().unwrap();
    assert_eq!((ran.status.code(), String::from_utf8_lossy(&ran.stderr).as_ref()), (Some(0), ""));
}
