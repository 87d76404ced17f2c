//! What is wrong with the server.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::server::{Answer, Server};
use crate::vigocli::run;

#[test]
fn the_server_s_findings_are_shown() {
    let fine = json!([{"check": "clock", "severity": "ok", "message": "The clock is right", "help": ""}]);
    let server = Server::start(vec![Answer::Json(200, fine.to_string())]);
    let expected = "SEVERITY  CHECK  FOUND               NEXT STEP\nok        clock  The clock is right  -\n";
    let ran = run(server.home(), &["doctor"]);
    assert_eq!(
        (ran.exit, ran.stdout.as_str(), server.requests()),
        (0, expected, vec!["GET /api/v1/doctor".to_owned()])
    );
    let bad = json!([{"check": "ca", "severity": "warning", "message": "It ends \u{1b}[2J", "help": "Rotate"}]);
    let server = Server::start(vec![Answer::Json(200, bad.to_string())]);
    let ran = run(server.home(), &["doctor"]);
    assert!(ran.exit == 8 && ran.stdout.contains("warning   ca     It ends \\u{1b}[2J  Rotate"), "{ran:?}");
    let ran = run(server.home(), &["doctor", "-o", "json"]);
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.exit, shown[0]["severity"].as_str()), (8, Some("warning")));
}

#[test]
fn a_server_that_is_silent_is_looked_at_from_outside() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let severities = || {
        let ran = run(home, &["doctor", "-o", "json"]);
        assert_eq!((ran.exit, ran.stderr.as_str()), (8, ""), "{ran:?}");
        let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
        let row = |row: &Value| format!("{} {}", row["check"].as_str().unwrap(), row["severity"].as_str().unwrap());
        (shown.as_array().unwrap().iter().map(row).collect::<Vec<_>>().join(", "), ran.stdout)
    };
    assert_eq!(severities().0, "server error, configuration error");
    std::fs::write(home.join("server.yaml"), "server: [\n").unwrap();
    assert_eq!(severities().0, "server error, configuration error");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, other) = (taken.local_addr().unwrap().port(), free.local_addr().unwrap());
    drop(free);
    std::fs::write(home.join("server.yaml"), format!("server:\n  grpc_listen: ':{port}'\n  api_listen: '{other}'\n"))
        .unwrap();
    let (found, shown) = severities();
    assert_eq!(found, "server error, configuration ok, socket folder warning, grpc_listen warning, api_listen ok");
    assert!(
        shown.contains(&format!("port {port} is taken by ")) && shown.contains(&std::process::id().to_string()),
        "{shown}"
    );
    std::fs::create_dir(home.join("run")).unwrap();
    std::fs::set_permissions(home.join("run"), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert!(severities().0.contains("socket folder ok"));
    std::fs::set_permissions(home.join("run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(severities().0.contains("socket folder warning"));
}
