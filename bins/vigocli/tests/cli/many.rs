//! What is done to many envoys, and lists that are filtered.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::commands::{envoy, page};
use crate::server::{Answer, Server};
use crate::vigocli::{Ran, command, run};

const IDS: [&str; 3] = [
    "3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90",
    "4f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90",
    "5f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90",
];

fn numbered(n: usize) -> Value {
    let mut envoy = envoy();
    envoy["id"] = IDS[n].into();
    envoy["hostname"] = format!("web{n}.example.com").into();
    envoy
}

fn ok(value: &Value) -> Answer {
    Answer::Json(200, value.to_string())
}

fn fleet() -> Answer {
    ok(&page(&json!([numbered(0), numbered(1), numbered(2)])))
}

fn conflict() -> Answer {
    Answer::Json(409, json!({"error": {"code": "conflict", "message": "It changed", "help": "Again"}}).to_string())
}

/// Runs `line`: what is left on stdout as JSON, the exit code, and the requests.
#[track_caller]
fn check(answers: Vec<Answer>, line: &str, exit: i32, expected: &Value, requests: &[&str]) {
    let server = Server::start(answers);
    let ran = run(server.home(), &line.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.exit, exit, "{line}: {ran:?}");
    let shown = if ran.stdout.is_empty() { &ran.stderr } else { &ran.stdout };
    let shown: Value = serde_json::from_str(shown).unwrap();
    let shown = shown.get("error").and_then(|error| error.get("code")).cloned().unwrap_or(shown);
    assert_eq!((&shown, server.requests()), (expected, requests.iter().map(ToString::to_string).collect()), "{line}");
}

fn row(n: usize, result: &str) -> Value {
    let error = match result {
        "failed" => json!({"code": "conflict", "message": "It changed"}),
        _ => Value::Null,
    };
    json!({"id": IDS[n], "hostname": format!("web{n}.example.com"), "result": result, "error": error})
}

const LISTED: &str = "GET /api/v1/envoys?pattern=%2A.example.com&limit=1000";

fn revoke(n: usize) -> String {
    format!("POST /api/v1/envoys/{}/revoke {{\"reason\":\"\"}}", IDS[n])
}

#[test]
fn many_are_meant_by_a_pattern() {
    let all = "envoys revoke --pattern *.example.com -o json";
    let rows = |result: &str| json!([row(0, result), row(1, result), row(2, result)]);
    check(vec![fleet()], &format!("{all} --dry-run"), 0, &rows("would_be"), &[LISTED]);
    check(vec![fleet()], &format!("{all} --yes"), 2, &"max_required".into(), &[LISTED]);
    check(vec![fleet()], &format!("{all} --yes --max 2"), 5, &"too_many".into(), &[LISTED]);
    check(vec![fleet()], all, 2, &"confirmation_required".into(), &[LISTED]);
    let each = [revoke(0), revoke(1), revoke(2)];
    let each: Vec<&str> = std::iter::once(LISTED).chain(each.iter().map(String::as_str)).collect();
    let done = vec![fleet(), ok(&envoy())];
    check(done, &format!("{all} --yes --max 3"), 0, &rows("revoked"), &each);
    let partly = vec![fleet(), ok(&envoy()), conflict(), ok(&envoy())];
    let mixed = json!([row(0, "revoked"), row(1, "failed"), row(2, "revoked")]);
    check(partly, &format!("{all} --yes --max 3"), 7, &mixed, &each);
    let none = vec![fleet(), conflict()];
    check(none, &format!("{all} --yes --max 3"), 1, &rows("failed"), &each);
    let lost = vec![fleet(), ok(&envoy()), Answer::Raw(Vec::new())];
    let server = Server::start(lost);
    let ran = run(server.home(), &format!("{all} --yes --max 3").split(' ').collect::<Vec<_>>());
    let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
    let results: Vec<_> = (0..3).map(|n| rows[n]["result"].as_str().unwrap()).collect();
    assert_eq!((ran.exit, results), (7, vec!["revoked", "failed", "not_tried"]), "{rows}");
}

#[test]
fn those_that_are_revoked_already_are_not_revoked_again() {
    let mut old = numbered(1);
    old["status"] = "revoked".into();
    let answers = || vec![ok(&page(&json!([numbered(0), old])))];
    let all = "envoys revoke --pattern *.example.com --dry-run -o json";
    check(answers(), all, 0, &json!([row(0, "would_be")]), &[LISTED]);
    let asked = "GET /api/v1/envoys?status=revoked&pattern=%2A.example.com&limit=1000";
    let both = json!([row(0, "would_be"), row(1, "would_be")]);
    check(answers(), &format!("{all} --status revoked"), 0, &both, &[asked]);
}

#[test]
fn many_are_meant_by_name() {
    let absent = Answer::Json(404, json!({"error": {"code": "not_found", "message": "No", "help": ""}}).to_string());
    let answers = vec![ok(&numbered(0)), absent, ok(&numbered(2)), ok(&json!({"hostname": "x", "until": "y"}))];
    let line =
        "envoys allow-reenroll web0.example.com web1.example.com web2.example.com --ttl 2h --max 2 --yes -o json";
    let gone = json!({"id": null, "hostname": "web1.example.com", "result": "failed",
        "error": {"code": "not_found", "message": "No"}});
    let get = |n: usize| format!("GET /api/v1/envoys/web{n}.example.com");
    let allow = |n: usize| format!("POST /api/v1/envoys/{}/allow-reenroll {{\"ttl_secs\":7200}}", IDS[n]);
    let requests = [get(0), get(1), get(2), allow(0), allow(2)];
    let requests: Vec<_> = requests.iter().map(String::as_str).collect();
    check(answers, line, 7, &json!([gone, row(0, "allowed"), row(2, "allowed")]), &requests);
    let line = "envoys delete web0.example.com --pattern *.example.com -o json";
    check(vec![fleet()], line, 2, &"names_and_filters".into(), &[]);
}

#[test]
fn ids_come_from_stdin() {
    let server = Server::start(vec![ok(&numbered(0)), ok(&numbered(1)), ok(&envoy())]);
    let mut child = command(server.home())
        .args(["envoys", "delete", "-", "--yes", "--max", "2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{}\n\n{}\n", IDS[0], IDS[1]).as_bytes()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    let expected = "\
ID                                    HOSTNAME          RESULT   ERROR
3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90  web0.example.com  deleted  -
4f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90  web1.example.com  deleted  -
";
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (0, expected, ""));
    let id = |n: usize| format!("/api/v1/envoys/{}", IDS[n]);
    let expected =
        [format!("GET {}", id(0)), format!("GET {}", id(1)), format!("DELETE {}", id(0)), format!("DELETE {}", id(1))];
    assert_eq!(server.requests(), expected);
}

#[test]
fn lists_are_filtered_and_sorted_by_the_server() {
    let rows = json!([numbered(0), numbered(1)]);
    let asked = |line: &str, request: &str| {
        let server = Server::start(vec![ok(&page(&rows))]);
        let ran = run(server.home(), &line.split(' ').collect::<Vec<_>>());
        assert_eq!(
            (ran.exit, server.requests()),
            (0, vec![format!("GET /api/v1/envoys?{request}&limit=1000")]),
            "{line}"
        );
        ran.stdout
    };
    asked("envoys list --status stale,update-pending", "status=stale,update_pending");
    asked("envoys list --search rack4 --sort last-seen --reverse", "search=rack4&sort=-last_seen");
    asked("envoys list --reverse", "sort=-enrolled");
    let before = "2026-05-13T11:03:00Z";
    let sent = "seen_before=2026-05-13T11%3A03%3A00Z&expires_before=2026-05-13T11%3A03%3A00Z";
    asked(&format!("envoys list --seen-before {before} --expires-before {before}"), sent);
    let ids = asked("envoys list -q --sort hostname", "sort=hostname");
    assert_eq!(ids, format!("{}\n{}\n", IDS[0], IDS[1]));
}

#[test]
fn a_rebootstrap_of_many_is_counted_too() {
    let pending = |n: usize| {
        json!({"id": IDS[n], "hostname": format!("web{n}.example.com"), "action": "update", "outcome": "pending",
            "code": null, "message": null})
    };
    let rows = json!([pending(0), pending(1)]);
    let order = |dry_run: bool, at_most: &str| {
        format!(
            r#"POST /api/v1/rebootstraps {{"envoys":"*.example.com","action":"update","dry_run":{dry_run},"at_most":{at_most}}}"#
        )
    };
    let line = "envoys rebootstrap *.example.com -o json";
    check(vec![ok(&rows)], &format!("{line} --yes"), 2, &"max_required".into(), &[&order(true, "null")]);
    check(vec![ok(&rows)], &format!("{line} --yes --max 1"), 5, &"too_many".into(), &[&order(true, "1")]);
    for max in ["--max", "--at-most"] {
        let requests = [order(true, "9"), order(false, "2")];
        let requests: Vec<_> = requests.iter().map(String::as_str).collect();
        check(vec![ok(&rows)], &format!("{line} --yes {max} 9"), 0, &rows, &requests);
    }
}
