//! Accounts, API tokens, rules, the manual.

use serde_json::{Value, json};

use crate::commands::page;
use crate::server::{Answer, Server};
use crate::vigocli::run;

/// Runs `line` and compares the requests, the exit code and what is shown.
#[track_caller]
fn check(answer: &Value, line: &str, request: &str, shown: &str) -> String {
    let server = Server::start(vec![Answer::Json(200, answer.to_string())]);
    std::fs::write(server.home().join("password"), "open sesame\nmore\n").unwrap();
    let ran = run(server.home(), &line.split(' ').collect::<Vec<_>>());
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{line}: {ran:?}");
    assert!(ran.stdout.contains(shown), "{line}: {}", ran.stdout);
    let requests = server.requests();
    assert!(requests.len() == 1 && requests[0].starts_with(request), "{line}: {requests:?}");
    requests.concat()
}

fn account() -> Value {
    json!({"name": "ann", "role": "operator", "created_at": "2026-05-13T11:03:00Z", "created_by": "uid=0", "last_login_at": null})
}

fn api_token() -> Value {
    json!({"id": "07", "token": "vgot_abc", "name": "grafana", "role": "viewer", "created_at": "2026-05-13T11:03:00Z",
        "created_by": "ann", "expires_at": "2026-08-11T11:03:00Z", "status": "active"})
}

#[test]
fn accounts() {
    let given = r#"POST /api/v1/accounts {"name":"ann","role":"operator","password":"open sesame"}"#;
    let create = "admin create ann --role operator";
    check(&account(), &format!("{create} --password-file password"), given, "ann may log in as operator.\n");
    let sent = check(&account(), &format!("{create} --generate -o json"), "POST /api/v1/accounts", "\"password\": \"");
    assert!(!sent.contains("open sesame"), "{sent}");
    check(
        &page(&json!([account()])),
        "admin list",
        "GET /api/v1/accounts?limit=1000",
        "ann   operator  2026-05-13 11:03  uid=0  -\n",
    );
    check(&json!({}), "admin delete ann --yes", "DELETE /api/v1/accounts/ann", "Deleted the account ann.\n");
    let role = r#"POST /api/v1/accounts/ann/role {"role":"viewer"}"#;
    check(&account(), "admin set-role ann viewer", role, "ann is viewer from its next request on.\n");
    let password = r#"POST /api/v1/accounts/ann/password {"password":"open sesame"}"#;
    check(&json!({}), "admin set-password ann --password-file password", password, "ann has a new password.\n");
    let made = "POST /api/v1/accounts/ann/password";
    check(&json!({}), "admin set-password ann --generate", made, "That is the password; it is not shown again.\n");
}

#[test]
fn api_tokens() {
    let request = r#"POST /api/v1/api-tokens {"name":"grafana","role":"viewer","ttl_secs":7776000}"#;
    let line = "api-tokens generate --name grafana --role viewer";
    check(
        &api_token(),
        line,
        request,
        "vgot_abc\n\nThe API token 07 (grafana, viewer) is good until 2026-08-11 11:03,",
    );
    let list = "07  grafana  viewer  2026-05-13 11:03  ann  2026-08-11 11:03  active\n";
    check(&page(&json!([api_token()])), "api-tokens list", "GET /api/v1/api-tokens?limit=1000", list);
    check(&api_token(), "api-tokens revoke 07", "POST /api/v1/api-tokens/07/revoke {}", "Revoked the API token 07");
}

#[test]
fn rules() {
    let rules = json!({"reenroll": "token", "trusted": [{"pattern": "*.lan", "cidrs": ["10.0.0.0/8", "fd00::/8"]}],
        "approved": [{"id": "07", "pattern": "*.dev", "note": ""}]});
    let expected = "\
Replaces an envoy:  token

TRUSTED  FROM
*.lan    10.0.0.0/8, fd00::/8

APPROVED  PATTERN  NOTE
07        *.dev    -
";
    check(&rules, "rules show", "GET /api/v1/rules", expected);
}

#[test]
fn what_cannot_be_asked_is_not() {
    let server = Server::start(vec![Answer::Json(200, "{}".to_owned())]);
    for (line, code) in [
        ("admin create ann --role operator -o json", "no_terminal"),
        ("admin create ann --role operator --password-stdin -o json", "no_password"),
        ("admin delete ann -o json", "confirmation_required"),
    ] {
        let ran = run(server.home(), &line.split(' ').collect::<Vec<_>>());
        let error: Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!((ran.exit, ran.stdout.as_str(), error["error"]["code"].as_str()), (2, "", Some(code)), "{line}");
    }
    for line in
        ["admin create ann --role king", "admin delete ..", "api-tokens revoke vgot_secret", "api-tokens revoke a/b"]
    {
        assert_eq!(run(server.home(), &line.split(' ').collect::<Vec<_>>()).exit, 2, "{line}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn the_manual_is_written() {
    let home = tempfile::tempdir().unwrap();
    let ran = run(home.path(), &["man", "--out", "pages"]);
    let written = std::fs::read_dir(home.path().join("pages")).unwrap().count();
    assert_eq!((ran.exit, ran.stdout), (0, format!("{written} pages in pages\n")));
    let page = std::fs::read_to_string(home.path().join("pages/vigocli-envoys-list.1")).unwrap();
    assert!(page.contains(".TH vigocli-envoys-list 1") && page.contains("seen\\-before"), "{page}");
    let own = run(home.path(), &["man"]);
    assert!(own.exit == 0 && own.stdout.contains(".TH vigocli 1"), "{own:?}");
}
