use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::commands::{envoy, page};
use crate::server::{Answer, Server};
use crate::vigocli::{Ran, command, run};

#[track_caller]
fn check(answer: Answer, line: &str, exit: i32, message: &str, help: &str) {
    let server = Server::start(vec![answer]);
    let ran = run(server.home(), &line.split(' ').collect::<Vec<_>>());
    let expected = format!("vigocli: {}\n         {help}\n", message.replace("SOCKET", "./run/admin.sock"));
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr), (exit, "", expected), "{line}");
}

#[test]
fn an_answer_that_is_none() {
    let raw = |text: &str| Answer::Raw(text.as_bytes().to_vec());
    let json = |text: &str| Answer::Json(200, text.to_owned());
    let old = "Is this vigocli as old as the server? Compare `vigocli version` and `vigo-server --version`.";
    let again = "Try again; see the server's log.";
    let cut = "the server at SOCKET failed: it closed the connection before its answer was complete";
    let list = "envoys list";
    check(raw(""), list, 6, cut, again);
    check(raw("HTTP/1.1 200 OK\r\ncontent-len"), list, 6, cut, again);
    check(raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[{"), list, 6, cut, again);
    check(raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[{\r\n"), list, 6, cut, again);
    check(raw(""), "tokens generate --pattern web3", 6, cut, "It may have been done: list before you try again.");
    let strange = "Is that socket vigo-server's?";
    check(
        raw("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n[]"),
        list,
        1,
        "the server at SOCKET failed: its answer is too large",
        strange,
    );
    check(
        raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\u{0}\u{1b}"),
        list,
        1,
        "the server's answer is not what was expected: expected value at line 1 column 1",
        old,
    );
    check(
        Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff\xfe".to_vec()),
        list,
        1,
        "the server at SOCKET failed: its answer is not text",
        strange,
    );
    let wrong = "the server's answer is not what was expected: ";
    check(json(""), list, 1, &format!("{wrong}EOF while parsing a value at line 1 column 0"), old);
    let expected = format!("{wrong}expected value at line 1 column 1");
    check(json("<html>"), list, 1, &expected, old);
    check(json(r#"{"items":[]} 2"#), list, 1, &format!("{wrong}trailing characters at line 1 column 14"), old);
    check(json(r#"{"items":[1]}"#), list, 1, &format!("{wrong}invalid type: integer `1`, expected struct Envoy"), old);
    check(json("{}"), list, 1, &format!("{wrong}missing field `items` at line 1 column 2"), old);
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    check(json(&deep), list, 1, &format!("{wrong}recursion limit exceeded at line 1 column 128"), old);
    check(
        Answer::Json(500, "<html>".to_owned()),
        list,
        1,
        "the server answered 500 Internal Server Error and not why",
        "The server's log may tell more.",
    );
}

#[test]
fn json_that_is_none_is_not_passed_on() {
    for form in ["json", "jsonl"] {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for body in ["<html>", "[1] 2", "", &deep] {
            let server = Server::start(vec![Answer::Json(200, body.to_owned())]);
            let ran = run(server.home(), &["-o", form, "envoys", "list"]);
            assert_eq!((ran.exit, ran.stdout.as_str()), (1, ""), "{form} {body:.20}");
            assert!(ran.stderr.starts_with(r#"{"error":{"code":"bad_answer","message":"#), "{}", ran.stderr);
        }
    }
}

#[test]
fn no_terminal_command_comes_through() {
    let evil = "\u{1b}]0;x\u{7}\u{1b}[2J\r\n\u{9b}31m\u{7f}\u{202e}\u{200b}";
    let mut row = envoy();
    for field in ["id", "hostname", "ip", "enrolled_at", "last_seen_at", "status"] {
        row[field] = evil.into();
    }
    let refusal = json!({"error": {"code": evil, "message": evil, "help": evil}});
    for (status, body) in [(200, page(&json!([row]))), (409, refusal)] {
        for form in ["table", "json", "jsonl"] {
            let server = Server::start(vec![Answer::Json(status, body.to_string())]);
            let ran = run(server.home(), &["-o", form, "--color", "never", "envoys", "list"]);
            let said = ran.stdout + &ran.stderr;
            let obeyed = said.chars().find(|c| c.is_control() && *c != '\n' || "\u{202e}\u{200b}".contains(*c));
            assert_eq!(obeyed, None, "{status} {form}: {said:?}");
            assert!(said.contains("2J"), "{status} {form}: {said:?}");
        }
    }
}

#[test]
fn a_large_fleet_is_listed_whole() {
    let rows = vec![envoy(); 20_000];
    let server = Server::start(vec![Answer::Json(200, page(&json!(rows)).to_string())]);
    let ran = run(server.home(), &["envoys", "list"]);
    assert_eq!((ran.exit, ran.stdout.lines().count()), (0, 20_001));
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let rows = vec![envoy(); 20_000];
    let server = Server::start(vec![Answer::Json(200, page(&json!(rows)).to_string())]);
    let mut child =
        command(server.home()).args(["envoys", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

/// A home without a server that answers: what is said, with `HOME` for the home.
#[track_caller]
fn unreachable(home: &Path, args: &[&str], message: &str, help: &str) {
    let ran = run(home, args);
    let expected = format!("vigocli: {message}\n         {help}\n").replace("HOME", &home.display().to_string());
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr), (6, "", expected));
    let ran = run(home, &[args, &["-o", "json"]].concat());
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!((ran.exit, error["error"]["help"].as_str()), (6, Some(help)));
}

#[test]
fn no_server_is_said_with_the_next_step() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let running = "Is vigo-server running? `vigo-server --config FILE` starts it; --config or VIGO_ADMIN_SOCKET name another one.";
    unreachable(
        home,
        &["envoys", "list"],
        "no server is named, and there is no server.yaml in this directory",
        "Run this in the server's home, or give --config /srv/vigo/server.yaml, VIGO_CONFIG_FILE or VIGO_ADMIN_SOCKET; or `vigocli login URL`.",
    );
    let help = "Give the path of the server's own configuration with --config or VIGO_CONFIG_FILE.";
    unreachable(home, &["ca", "show", "--config", "absent/server.yaml"], "there is no absent/server.yaml", help);
    std::fs::write(home.join("server.yaml"), "").unwrap();
    unreachable(home, &["envoys", "list"], "there is no server at ./run/admin.sock", running);
    std::fs::create_dir(home.join("run")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(home.join("run/admin.sock")).unwrap());
    unreachable(home, &["envoys", "list"], "no server listens at ./run/admin.sock", running);
    let config = home.join("server.yaml");
    let config = config.to_str().unwrap();
    unreachable(home, &["--config", config, "envoys", "list"], "no server listens at HOME/run/admin.sock", running);
    let long = format!("/{}/admin.sock", "x".repeat(120));
    let message = format!("cannot reach the server at {long}: path must be shorter than SUN_LEN");
    unreachable(home, &["--admin-socket", &long, "envoys", "list"], &message, running);
}

#[test]
fn another_user_is_told_who_may() {
    let server = Server::start(vec![Answer::Json(200, r#"{"items":[],"next":null}"#.to_owned())]);
    let run_dir = server.home().join("run");
    std::fs::set_permissions(&run_dir, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Root may open everything, so the question is asked as nobody where the tests run as root.
    let root = std::fs::read_dir(&run_dir).is_ok();
    let socket = run_dir.join("admin.sock");
    let program = std::fs::read(env!("CARGO_BIN_EXE_vigocli")).unwrap();
    let copy = server.home().join("vigocli");
    std::fs::write(&copy, program).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(server.home(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(if root { "setpriv" } else { "env" });
    if root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    let ran: Ran =
        command.arg(&copy).arg("--admin-socket").arg(&socket).args(["envoys", "list"]).output().unwrap().into();
    std::fs::set_permissions(&run_dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    let expected = format!(
        "vigocli: this user may not open {}\n         Run vigocli as the server's user or as root.\n",
        socket.display()
    );
    assert_eq!((ran.exit, ran.stderr), (6, expected));
}
