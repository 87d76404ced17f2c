use serde_json::{Value, json};

use crate::server::{Answer, Server};
use crate::vigocli::{Ran, run};

const ID: &str = "6f2b8c0d9e1a4f57b3c2d1e0f9a8b7c6";
const ENVOY: &str = "3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90";

fn token() -> Value {
    json!({
        "id": ID, "pattern": "web3.example.com", "cidrs": [], "uses": 1, "used": 0, "created_at": "2026-05-13T11:03:00Z",
        "expires_at": "2026-05-13T12:03:00Z", "note": "", "allow_replace": false, "status": "active", "created_by": "operator:uid=0",
    })
}

fn generated() -> Value {
    json!({
        "id": ID, "token": "vgt1.a.b.c.d", "command": "curl -sSfk … --token vgt1.a.b.c.d", "ca_pin": "sha256:aa",
        "expires_at": "2026-05-13T12:03:00Z", "pattern": "web3.example.com", "uses": 1, "cidrs": [], "note": "", "allow_replace": false,
    })
}

pub(crate) fn envoy() -> Value {
    json!({
        "id": ENVOY, "hostname": "web3.example.com", "ip": "10.1.0.2", "enrolled_at": "2026-05-13T11:03:00Z",
        "last_seen_at": null, "status": "active", "agent_version": "0.1.0", "os": "linux", "arch": "x86_64",
        "certificate_expires_at": "2027-05-13T11:03:00Z", "policy_version": null, "possible_clone": false,
    })
}

fn details() -> Value {
    let mut details = envoy();
    details["identity_key"] = "ab".into();
    details["admitted_by"] = "token".into();
    details["reported_ip"] = Value::Null;
    details["certificates"] = json!([]);
    details["revocation"] = Value::Null;
    details
}

fn approval() -> Value {
    json!({"id": ID, "pattern": "*.dev.example.com", "note": "", "created_at": "2026-05-13T11:03:00Z", "created_by": "operator:uid=0"})
}

fn explained(verdict: &str) -> Value {
    json!({"verdict": verdict, "rule": null, "code": null, "message": "m", "help": null, "trace": []})
}

/// Runs `line` against a server that answers `answer`, as a table and as JSON: the request is `request`, the table has
/// `shown` in it, and the JSON is what was sent.
#[track_caller]
fn check(line: &str, answer: &Value, request: &str, exit: i32, shown: &str) {
    let server = Server::start(vec![Answer::Json(200, answer.to_string())]);
    let args: Vec<&str> = line.split(' ').collect();
    let table = run(server.home(), &args);
    assert_eq!((table.exit, table.stderr.as_str()), (exit, ""), "{line}: {table:?}");
    assert!(table.stdout.contains(shown), "{line}: {}", table.stdout);
    let json = run(server.home(), &[&args[..], &["-o", "json"]].concat());
    assert_eq!((json.exit, json.stderr.as_str()), (exit, ""), "{line}: {json:?}");
    assert_eq!(json.stdout, format!("{answer}\n"), "{line}");
    assert_eq!(server.requests(), [request, request], "{line}");
}

/// As the server sends a list that is one page.
pub(crate) fn page(rows: &Value) -> Value {
    json!({"items": rows, "next": null, "total": rows.as_array().map(Vec::len)})
}

/// `check` of a list: JSON is its rows alone.
#[track_caller]
fn check_list(line: &str, rows: &Value, request: &str, shown: &str) {
    let server = Server::start(vec![Answer::Json(200, page(rows).to_string())]);
    let args: Vec<&str> = line.split(' ').collect();
    let table = run(server.home(), &args);
    assert_eq!((table.exit, table.stderr.as_str()), (0, ""), "{line}: {table:?}");
    assert!(table.stdout.contains(shown), "{line}: {}", table.stdout);
    let json = run(server.home(), &[&args[..], &["-o", "json"]].concat());
    assert_eq!((json.exit, json.stderr, json.stdout), (0, String::new(), format!("{rows}\n")), "{line}");
    assert_eq!(server.requests(), [request, request], "{line}");
}

#[test]
fn a_list_is_asked_for_page_by_page() {
    let two = |next: &Value| json!({"items": [envoy(), envoy()], "next": next, "total": 5}).to_string();
    let pages = || {
        let answers = [two(&"a b&".into()), two(&"c".into()), page(&json!([envoy()])).to_string()];
        Server::start(answers.map(|text| Answer::Json(200, text)).to_vec())
    };
    let requests = [
        "GET /api/v1/envoys?limit=1000",
        "GET /api/v1/envoys?limit=1000&cursor=a%20b%26",
        "GET /api/v1/envoys?limit=1000&cursor=c",
    ];
    for (form, stdout) in
        [("json", format!("{}\n", json!(vec![envoy(); 5]))), ("jsonl", format!("{}\n", envoy()).repeat(5))]
    {
        let server = pages();
        let ran = run(server.home(), &["envoys", "list", "-o", form]);
        assert_eq!((ran.exit, ran.stdout, ran.stderr.as_str()), (0, stdout, ""), "{form}");
        assert_eq!(server.requests(), requests, "{form}");
    }
    let server = pages();
    let ran = run(server.home(), &["audit", "list", "--limit", "3", "-o", "jsonl"]);
    assert_eq!((ran.exit, ran.stdout.lines().count()), (0, 3));
    assert_eq!(server.requests(), ["GET /api/v1/audit?limit=3", "GET /api/v1/audit?limit=1&cursor=a%20b%26"]);
}

#[test]
fn a_list_that_does_not_end_is_no_answer() {
    for (rows, next) in [(json!([envoy()]), "same"), (json!([]), "on")] {
        let endless = json!({"items": rows, "next": next, "total": 1}).to_string();
        let server = Server::start(vec![Answer::Json(200, endless)]);
        let ran = run(server.home(), &["envoys", "list", "-o", "json"]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (1, ""), "{next}");
        assert!(ran.stderr.contains("a list that does not end"), "{}", ran.stderr);
    }
}

#[test]
fn each_command_asks_and_shows() {
    let post = |path: &str, body: &str| format!("POST /api/v1/{path} {body}");
    let get = |path: &str| format!("GET /api/v1/{path}");
    check(
        "tokens generate --pattern web3.example.com --ttl 7d --cidr 10.1.0.0/24 --cidr fd00::/64 --note rack4 --allow-replace --uses 2",
        &generated(),
        &post(
            "tokens",
            r#"{"pattern":"web3.example.com","ttl_secs":604800,"uses":2,"cidrs":["10.1.0.0/24","fd00::/64"],"note":"rack4","allow_replace":true,"os":"linux","any_host":false}"#,
        ),
        0,
        "\n  curl -sSfk … --token vgt1.a.b.c.d\n",
    );
    check(
        "tokens generate --pattern * --yes",
        &generated(),
        &post(
            "tokens",
            r#"{"pattern":"*","ttl_secs":3600,"uses":1,"cidrs":[],"note":"","allow_replace":false,"os":"linux","any_host":true}"#,
        ),
        0,
        "vgt1.a.b.c.d\n\n",
    );
    check_list("tokens list", &json!([token()]), &get("tokens?limit=1000"), "web3.example.com  0/1   2026-05-13 11:03");
    check_list("tokens list", &json!([]), &get("tokens?limit=1000"), "ID  PATTERN");
    check(&format!("tokens show {ID}"), &token(), &get(&format!("tokens/{ID}")), 0, "Networks:     any\n");
    let (line, path) = (format!("tokens revoke {ID} --reason mailed"), format!("tokens/{ID}/revoke"));
    check(&line, &token(), &post(&path, r#"{"reason":"mailed"}"#), 0, "Revoked the token");

    let body = r#"{"pattern":"*.dev.example.com","note":"","any_host":false}"#;
    check("approved add --pattern *.dev.example.com", &approval(), &post("approved", body), 0, "Approved *.dev");
    check_list("approved list", &json!([approval()]), &get("approved?limit=1000"), "*.dev.example.com  2026");
    let (line, request) = (format!("approved remove {ID}"), format!("DELETE /api/v1/approved/{ID}"));
    check(&line, &approval(), &request, 0, "Removed the approval of *.dev.example.com");

    check_list(
        "envoys list",
        &json!([envoy()]),
        &get("envoys?limit=1000"),
        "10.1.0.2  2026-05-13 11:03  -          active\n",
    );
    check_list("envoys list", &json!([]), &get("envoys?limit=1000"), "ID  HOSTNAME  IP  ENROLLED  LAST SEEN  STATUS\n");
    check("envoys show WEB3.example.com.", &details(), &get("envoys/web3.example.com"), 0, "Admitted by:   token\n");
    check(&format!("envoys show {ENVOY}"), &details(), &get(&format!("envoys/{ENVOY}")), 0, "Hostname:      web3");
    let request = post("envoys/web3.example.com/revoke", r#"{"reason":""}"#);
    check("envoys revoke web3.example.com --yes", &envoy(), &request, 0, "Revoked web3.example.com (3f8d1f3e");
    let request = "DELETE /api/v1/envoys/web3.example.com";
    check("--yes envoys delete web3.example.com", &envoy(), request, 0, "Deleted web3.example.com (3f8d1f3e");
    let request = post("envoys/web3.example.com/allow-reenroll", r#"{"ttl_secs":7200}"#);
    let allowed = json!({"hostname": "web3.example.com", "until": "2026-05-13T11:03:00Z"});
    check("envoys allow-reenroll web3.example.com --ttl 2h", &allowed, &request, 0, "once, until 2026-05-13 11:03.");

    let line = "enroll explain --hostname web3.example.com --ip 10.1.0.2";
    let request = post("enroll/explain", r#"{"hostname":"web3.example.com","ip":"10.1.0.2","token":null}"#);
    check(line, &explained("admit"), &request, 0, "Verdict:  admit\n");
    check(line, &explained("refuse"), &request, 5, "Verdict:  refuse\n");
    let line = format!("{line} --token vgt1.a.b.c.d");
    check(&line, &explained("admit"), &request.replace("null", "\"vgt1.a.b.c.d\""), 0, "Reason:   m\n");

    let command = json!({"command": "curl -sSfk … | sudo sh", "os": "linux"});
    check("bootstrap command", &command, &get("bootstrap/command?os=linux&local=false"), 0, "curl -sSfk … | sudo sh\n");
    check("bootstrap command --local", &command, &get("bootstrap/command?os=linux&local=true"), 0, "curl -sSfk");
    check("bootstrap command --os openbsd", &command, &get("bootstrap/command?os=openbsd&local=false"), 0, "curl");
    let ca = json!({"pins": ["sha256:aa", "sha256:bb"], "ca_not_after": "2036-05-13T11:03:00Z",
        "leaf_not_after": "2027-05-13T11:03:00Z", "server_id": "77", "can_sign": true});
    check("ca show", &ca, &get("ca"), 0, "Leaf pin:      sha256:bb\n");
    let act = json!({"at": "2026-05-13T11:03:00Z", "actor": "server", "action": "ca.create", "subject": "77", "outcome": "ok", "detail": ""});
    check_list("audit list --limit 5", &json!([act]), &get("audit?limit=5"), "ca.create");
    check_list(
        "audit list --search 4&5 --actor ann --action ca.create --subject 77 --since 2026-05-13T11:03:00Z --until 2026-05-14T00:00:00+02:00",
        &json!([act]),
        &get(
            "audit?search=4%265&actor=ann&action=ca.create&subject=77&since=2026-05-13T11%3A03%3A00Z&until=2026-05-13T22%3A00%3A00Z&limit=100",
        ),
        "ca.create",
    );
    check("audit head", &json!({"links": 3, "head": "00ff"}), &get("audit/head"), 0, "Head:   00ff\n");
    let who = json!({"name": "uid=0", "role": "admin", "by": "socket", "expires_at": null});
    check("whoami", &who, &get("whoami"), 0, "By:       socket\n");
    let chain = json!({"links": 3, "covered": 40, "uncovered": 2, "head": "00ff"});
    check("audit verify", &chain, &get("audit/verify"), 0, "The audit chain holds.\n");
}

#[test]
fn a_token_file_is_read_and_trimmed() {
    let server = Server::start(vec![Answer::Json(200, explained("admit").to_string())]);
    std::fs::write(server.home().join("token"), " vgt1.a.b.c.d\n").unwrap();
    let line = ["enroll", "explain", "--hostname", "web3", "--ip", "::1", "--token-file"];
    assert_eq!(run(server.home(), &[&line[..], &["token"]].concat()).exit, 0);
    assert_eq!(
        server.requests(),
        [r#"POST /api/v1/enroll/explain {"hostname":"web3","ip":"::1","token":"vgt1.a.b.c.d"}"#]
    );
    let absent = run(server.home(), &[&line[..], &["absent"]].concat());
    assert_eq!(absent.exit, 1);
    assert!(absent.stderr.starts_with("vigocli: cannot read absent: No such file"), "{}", absent.stderr);
}

#[test]
fn jsonl_is_one_object_a_line() {
    let server = Server::start(vec![Answer::Json(200, page(&json!([envoy(), envoy()])).to_string())]);
    let ran = run(server.home(), &["envoys", "list", "-o", "jsonl"]);
    assert_eq!((ran.exit, ran.stdout), (0, format!("{0}\n{0}\n", envoy())));
}

/// What the server refuses is said in its own words, with the exit code of its status.
#[track_caller]
fn refused(line: &str, status: u16, code: &str, exit: i32) {
    let error = json!({"error": {"code": code, "message": "It may not be", "help": "Do that first"}});
    let server = Server::start(vec![Answer::Json(status, error.to_string())]);
    let args: Vec<&str> = line.split(' ').collect();
    let Ran { exit: code, stdout, stderr } = run(server.home(), &args);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (exit, "", "vigocli: It may not be\n         Do that first\n")
    );
    let Ran { exit: code, stdout, stderr } = run(server.home(), &[&args[..], &["-o", "json"]].concat());
    assert_eq!((code, stdout, stderr), (exit, String::new(), format!("{error}\n")));
}

#[test]
fn refusals_have_their_exit_codes() {
    refused("envoys list", 400, "malformed", 1);
    refused("envoys show web3", 404, "not_found", 3);
    refused("envoys list", 401, "login", 4);
    refused("envoys list", 403, "forbidden", 4);
    refused("tokens generate --pattern web3", 422, "any_host", 5);
    refused(&format!("tokens revoke {ID}"), 409, "conflict", 5);
    refused("envoys list", 503, "unavailable", 1);
    refused("audit verify", 409, "audit_broken", 8);
    refused("audit verify", 503, "unavailable", 1);
}

#[test]
fn what_cannot_be_meant_is_a_usage_error_and_asks_nothing() {
    let server = Server::start(vec![Answer::Json(200, "[]".to_owned())]);
    for line in [
        "envoys show ../tokens",
        "envoys show 10.1.0.2",
        "envoys show a/b?c",
        "tokens show 12",
        "tokens revoke ../../envoys",
        "tokens generate",
        "tokens generate --pattern {a,b}",
        "tokens generate --pattern web3 --ttl 0s",
        "tokens generate --pattern web3 --ttl soon",
        "tokens generate --pattern web3 --uses 0",
        "tokens generate --pattern web3 --cidr 10.1.0.7/24",
        "approved remove x",
        "audit list --limit 0",
        "audit list --since yesterday",
        "--server http://vigo envoys list",
        "--ca-pin sha256:12 envoys list",
        "login",
        "login https://vigo/envoys",
        "enroll explain --hostname web_3 --ip 10.1.0.2",
        "enroll explain --hostname web3 --ip 10.1.0",
        "enroll explain --hostname web3 --ip ::1 --token t --token-file f",
        "bootstrap command --os amiga",
        "-o xml envoys list",
    ] {
        let ran = run(server.home(), &line.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{line}: {ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{line}: {}", ran.stderr);
    }
    assert!(server.requests().is_empty());
}
