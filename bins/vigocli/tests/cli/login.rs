//! Servers over HTTPS: who they are, and who asks.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::commands::{envoy, page};
use crate::server::{Answer, Server, Tls};
use crate::vigocli::{Ran, command};

const OTHER: &str = "sha256:0909090909090909090909090909090909090909090909090909090909090909";

/// Runs `line` somewhere without a server, with logins under `home/.config`.
fn run(home: &Path, line: &str, environment: &[(&str, &str)]) -> Ran {
    let mut command = command(home);
    command.env("HOME", home).envs(environment.iter().copied());
    command.args(line.split(' ')).output().unwrap().into()
}

fn granted() -> Answer {
    let granted = json!({"token": "vgot_secret", "name": "ann", "role": "admin", "expires_at": "2026-05-13T23:03:00Z"});
    Answer::Json(200, granted.to_string())
}

fn listed() -> Answer {
    Answer::Json(200, page(&json!([envoy()])).to_string())
}

fn refusal(status: u16, code: &str) -> Answer {
    Answer::Json(status, json!({"error": {"code": code, "message": "No", "help": "Do that"}}).to_string())
}

fn login(home: &Path, tls: &Tls) -> Ran {
    std::fs::write(home.join("password"), "open sesame\n").unwrap();
    let Tls { url, pin, .. } = tls;
    run(home, &format!("login {url} --ca-pin {pin} --name ann --password-file password"), &[])
}

const POSTED: &str = r#"POST /api/v1/login {"name":"ann","password":"open sesame"}"#;

#[test]
fn a_login_is_kept_used_and_ended() {
    let server = Server::start_tls(vec![granted(), listed(), listed(), Answer::Json(200, "{}".to_owned())]);
    let (tls, home) = (server.tls(), tempfile::tempdir().unwrap());
    let (url, home) = (&tls.url, home.path());
    let ran = login(home, &tls);
    let expected = format!("Logged in to {url} as ann (admin) until 2026-05-13 23:03.\n");
    assert_eq!((ran.exit, ran.stdout, ran.stderr.as_str()), (0, expected, ""));
    let file = home.join(".config/vigo/logins.json");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));

    // The newest login where no server is of this host, and the one that is named.
    assert_eq!(run(home, "envoys list", &[]).exit, 0);
    assert_eq!(run(home, "envoys list", &[("VIGO_SERVER", url)]).exit, 0);
    let list = run(home, "login --list -o json", &[]);
    let shown: Value = serde_json::from_str(&list.stdout).unwrap();
    let row =
        json!([{"url": url, "name": "ann", "role": "admin", "pin": tls.pin, "expires_at": "2026-05-13T23:03:00Z"}]);
    assert_eq!((list.exit, shown), (0, row));

    let out = run(home, "logout", &[]);
    assert_eq!((out.exit, out.stdout), (0, format!("Logged out of {url}.\n")), "{}", out.stderr);
    let list = "GET /api/v1/envoys?limit=1000  Bearer vgot_secret";
    assert_eq!(server.requests(), [POSTED, list, list, "POST /api/v1/logout {} Bearer vgot_secret"]);
    assert_eq!(run(home, "envoys list", &[]).exit, 6, "there is no server any more");
    assert_eq!(run(home, "logout", &[]).exit, 3);
}

#[test]
fn another_server_is_told_nothing() {
    let server = Server::start_tls(vec![granted()]);
    let (tls, home) = (server.tls(), tempfile::tempdir().unwrap());
    let Tls { url, pin, .. } = &tls;
    std::fs::write(home.path().join("password"), "open sesame\n").unwrap();
    let refused = |line: &str, environment: &[(&str, &str)], code: &str| {
        let ran = run(home.path(), &format!("{line} -o json"), environment);
        let error: Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!((ran.exit, ran.stdout.as_str(), error["error"]["code"].as_str()), (4, "", Some(code)), "{line}");
        assert!(!ran.stderr.contains("vgot_secret") && !ran.stderr.contains("sesame"), "{}", ran.stderr);
        ran.stderr
    };
    let account = "--name ann --password-file password";
    let unknown = refused(&format!("login {url} {account}"), &[], "pin_needed");
    let compare = format!(
        "Compare it with the CA pin of `vigocli ca show` on the server's host. If they are the same: vigocli login {url} --ca-pin {pin}"
    );
    assert!(unknown.contains(&compare) && unknown.contains(&format!("the CA pin {pin}")), "{unknown}");
    let wrong = refused(&format!("login {url} --ca-pin {OTHER} {account}"), &[], "server_not_trusted");
    assert!(wrong.contains(&format!("expected {OTHER}, found the CA {pin}")), "{wrong}");
    let token = [("VIGO_API_TOKEN", "vgot_secret"), ("VIGO_SERVER", url.as_str())];
    refused("envoys list", &token, "server_not_trusted");
    refused(&format!("envoys list --ca-pin {OTHER}"), &token, "server_not_trusted");
    refused(&format!("envoys list --server {url}"), &[], "not_logged_in");
    assert!(server.requests().is_empty(), "{:?}", server.requests());
}

#[test]
fn a_server_that_took_another_s_place_gets_no_token() {
    let server = Server::start_tls(vec![granted()]);
    let home = tempfile::tempdir().unwrap();
    let Tls { url, .. } = server.tls();
    assert_eq!(login(home.path(), &server.tls()).exit, 0);
    let impostor = Server::start_tls(vec![listed()]);
    let file = home.path().join(".config/vigo/logins.json");
    let text = std::fs::read_to_string(&file).unwrap().replace(&url, &impostor.tls().url);
    std::fs::write(&file, text).unwrap();
    let ran = run(home.path(), "envoys list", &[]);
    assert_eq!((ran.exit, ran.stdout.as_str(), impostor.requests().len()), (4, "", 0), "{ran:?}");
}

#[test]
fn a_token_from_the_environment_is_used_with_a_pin() {
    let server = Server::start_tls(vec![listed()]);
    let (Tls { url, pin, .. }, home) = (server.tls(), tempfile::tempdir().unwrap());
    let token = [("VIGO_API_TOKEN", "vgot_secret")];
    let ran = run(home.path(), &format!("envoys list --server {url} --ca-pin {pin}"), &token);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    assert_eq!(server.requests(), ["GET /api/v1/envoys?limit=1000  Bearer vgot_secret"]);
    let ran = run(home.path(), "envoys list", &token);
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""));
}

#[test]
fn what_the_server_refuses_is_said_with_the_next_step() {
    let server = Server::start_tls(vec![refusal(401, "login_failed"), granted(), refusal(401, "not_logged_in")]);
    let (tls, home) = (server.tls(), tempfile::tempdir().unwrap());
    let ran = login(home.path(), &tls);
    assert_eq!((ran.exit, ran.stderr.as_str()), (4, "vigocli: No\n         Do that\n"));
    assert_eq!(login(home.path(), &tls).exit, 0);
    let ran = run(home.path(), "envoys list", &[]);
    let expected = format!("vigocli: No\n         Log in again: vigocli login {}\n", tls.url);
    assert_eq!((ran.exit, ran.stderr), (4, expected));
    // A login that the server no longer takes can be left all the same.
    assert_eq!(run(home.path(), "logout", &[]).exit, 0);
    assert_eq!(run(home.path(), "login --list -o json", &[]).stdout, "[]\n");
}

#[test]
fn a_certificate_that_the_system_knows_needs_no_pin() {
    let server = Server::start_tls(vec![granted(), listed()]);
    let (Tls { url, ca, .. }, home) = (server.tls(), tempfile::tempdir().unwrap());
    let (home, roots) = (home.path(), home.path().join("roots.pem"));
    std::fs::write(&roots, ca).unwrap();
    std::fs::write(home.join("password"), "open sesame\n").unwrap();
    let known = [("SSL_CERT_FILE", roots.to_str().unwrap())];
    let ran = run(home, &format!("login {url} --name ann --password-file password"), &known);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    assert_eq!(run(home, "envoys list", &known).exit, 0);
    assert_eq!(server.requests(), [POSTED, "GET /api/v1/envoys?limit=1000  Bearer vgot_secret"]);
    // Where the system knows it no more, it is told nothing more.
    assert_eq!(run(home, "envoys list", &[]).exit, 4);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn an_answer_that_grants_nothing_is_not_quoted() {
    for answer in [json!("vgot_secret"), json!({"token": "vgot_secret", "name": ["vgot_secret"]})] {
        let server = Server::start_tls(vec![Answer::Json(200, answer.to_string())]);
        let home = tempfile::tempdir().unwrap();
        let ran = login(home.path(), &server.tls());
        assert!(
            ran.stderr.starts_with("vigocli: the server's answer is not what was expected: it grants no"),
            "{ran:?}"
        );
        assert!(ran.exit == 1 && !ran.stderr.contains("vgot_secret"), "{ran:?}");
        assert!(!home.path().join(".config/vigo").exists());
    }
}
