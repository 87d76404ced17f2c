//! How results look: tables and JSON of each noun, and every help, as they were agreed.

use serde_json::{Value, json};

use crate::commands::{envoy, page};
use crate::server::{Answer, Server};
use crate::vigocli::{command, run};

const ID: &str = "6f2b8c0d9e1a4f57b3c2d1e0f9a8b7c6";
const AT: &str = "2026-05-13T11:03:00Z";

/// What each list or thing is, as the server sends it.
fn nouns() -> Vec<(&'static str, Value)> {
    let token = json!({"id": ID, "pattern": "web3.example.com", "cidrs": ["10.1.0.0/24"], "uses": 2, "used": 1,
        "created_at": AT, "expires_at": AT, "note": "rack 4", "allow_replace": false, "status": "active",
        "created_by": "uid=0", "used_by": [{"envoy": ID, "at": AT}]});
    let approval = json!({"id": ID, "pattern": "*.dev", "note": "", "created_at": AT, "created_by": "uid=0"});
    let act =
        json!({"at": AT, "actor": "uid=0", "action": "token.create", "subject": ID, "outcome": "ok", "detail": ""});
    let account = json!({"name": "ann", "role": "admin", "created_at": AT, "created_by": "uid=0", "last_login_at": AT});
    let api = json!({"id": "07", "name": "grafana", "role": "viewer", "created_at": AT, "created_by": "ann",
        "expires_at": AT, "status": "revoked"});
    let rules = json!({"reenroll": "token", "trusted": [{"pattern": "*.lan", "cidrs": ["10.0.0.0/8"]}],
        "approved": [{"id": ID, "pattern": "*.dev", "note": "laptops"}]});
    let ca = json!({"pins": ["sha256:aa", "sha256:bb"], "ca_not_after": AT, "leaf_not_after": AT, "server_id": "77",
        "can_sign": true});
    let finding = json!({"check": "ca", "severity": "warning", "message": "The CA ends soon", "help": "Rotate it"});
    let who = json!({"name": "ann", "role": "admin", "by": "token", "expires_at": AT});
    vec![
        ("envoys list", page(&json!([envoy()]))),
        ("tokens list", page(&json!([token]))),
        ("approved list", page(&json!([approval]))),
        ("audit list", page(&json!([act]))),
        ("audit head", json!({"links": 3, "head": "00ff"})),
        ("admin list", page(&json!([account]))),
        ("api-tokens list", page(&json!([api]))),
        ("rules show", rules),
        ("ca show", ca),
        ("doctor", json!([finding])),
        ("whoami", who),
    ]
}

#[test]
fn tables_and_json_of_each_noun() {
    let mut shown = String::new();
    for (line, sent) in nouns() {
        let server = Server::start(vec![Answer::Json(200, sent.to_string())]);
        for form in ["table", "json", "jsonl"] {
            let args: Vec<&str> = line.split(' ').chain(["-o", form]).collect();
            let ran = run(server.home(), &args);
            assert_eq!(ran.stderr, "", "{line}");
            shown += &format!("$ vigocli {line} -o {form}\n{}[{}]\n\n", ran.stdout, ran.exit);
        }
    }
    insta::assert_snapshot!(shown);
}

/// The commands that a help lists.
fn listed(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_help() {
    let home = tempfile::tempdir().unwrap();
    let (mut left, mut shown) = (vec![Vec::<String>::new()], String::new());
    while let Some(path) = left.pop() {
        let ran = command(home.path()).args(&path).arg("--help").env("COLUMNS", "100").output().unwrap();
        let help = String::from_utf8(ran.stdout).unwrap();
        assert!(ran.status.success() && help.contains("Examples:"), "{path:?}: {help}");
        left.extend(listed(&help).into_iter().rev().map(|name| [&path[..], &[name]].concat()));
        // What every command takes is shown once.
        let (own, rest) = help.split_once("Global options:").unwrap();
        let examples = rest.find("Examples:").unwrap();
        let global = if path.is_empty() { &rest[..examples] } else { " …\n\n" };
        let line = [&["vigocli".to_owned()], &path[..], &["--help".to_owned()]].concat().join(" ");
        let help = format!("$ {line}\n{own}Global options:{global}{}\n", &rest[examples..]);
        shown.extend(help.lines().map(|line| format!("{}\n", line.trim_end())));
    }
    insta::assert_snapshot!(shown);
}
