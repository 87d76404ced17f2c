//! What is asked on a terminal, and what of the answers shows there.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::commands::{envoy, page};
use crate::server::{Answer, Server};

/// Runs `line` on a pseudo terminal of `script`, where somebody waits for each question and answers it. What was shown,
/// and the exit code.
#[track_caller]
fn dialog(server: &Server, line: &str, answers: &[(&str, &str)]) -> (String, Option<i32>) {
    let line = format!("{} {line}", env!("CARGO_BIN_EXE_vigocli"));
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("TERM", "xterm")])
        .current_dir(server.home())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut seen) = (Vec::new(), 0);
    for (question, answer) in answers {
        while !String::from_utf8_lossy(&shown[seen..]).contains(question) {
            let mut piece = [0; 256];
            let count = stdout.read(&mut piece).unwrap();
            assert!(count > 0, "it ended before `{question}`: {}", String::from_utf8_lossy(&shown));
            shown.extend_from_slice(&piece[..count]);
        }
        seen = shown.len();
        stdin.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }
    stdout.read_to_end(&mut shown).unwrap();
    (String::from_utf8_lossy(&shown).into_owned(), child.wait().unwrap().code())
}

fn ok(value: &Value) -> Answer {
    Answer::Json(200, value.to_string())
}

#[test]
fn a_password_is_typed_twice_and_never_shown() {
    let server = Server::start(vec![ok(&json!({}))]);
    let (new, again) = ("New password of ann: ", "Once more: ");
    let (shown, exit) = dialog(&server, "admin set-password ann", &[(new, "open sesame"), (again, "open sesame")]);
    assert!(exit == Some(0) && !shown.contains("sesame") && shown.contains("ann has a new password."), "{shown}");
    let request = r#"POST /api/v1/accounts/ann/password {"password":"open sesame"}"#;
    assert_eq!(server.requests(), [request]);
    let (shown, exit) = dialog(&server, "admin set-password ann", &[(new, "open\u{3}")]);
    assert!(exit == Some(1) && !shown.contains("open") && shown.contains("it was broken off"), "{shown}");
    let (shown, exit) = dialog(&server, "admin set-password ann", &[(new, "open sesame"), (again, "open")]);
    assert!(exit == Some(2) && !shown.contains("open") && shown.contains("the two passwords differ"), "{shown}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn how_many_envoys_are_meant_is_typed() {
    let mut other = envoy();
    other["id"] = "4f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90".into();
    other["hostname"] = "web4.example.com".into();
    let fleet = || ok(&page(&json!([envoy(), other])));
    let line = "envoys delete --pattern '*.example.com'";
    let question = "Revokes and deletes 2 envoys, web3.example.com to web4.example.com.";
    for (answer, expected, requests) in [("2", Some(0), 3), ("yes", Some(1), 1), ("3", Some(1), 1)] {
        let server = Server::start(vec![fleet(), ok(&envoy())]);
        let (shown, exit) = dialog(&server, line, &[("Type `2` to go on: ", answer)]);
        assert!(shown.contains(question), "{shown}");
        assert_eq!((exit, server.requests().len()), (expected, requests), "{answer}: {shown}");
    }
}
