//! The API against its own description, asked by schemathesis: whatever fits the description is answered as it says, and
//! nothing makes the server fail.

use std::path::Path;

use serde_json::json;
use vigo_tests::{Https, Program, Server, needs_tools, skipped};

const VERSION: &str = "4.32.5";

/// The program, in a Python environment of its own under `target`.
fn program() -> Option<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/schemathesis-{VERSION}"));
    let st = folder.join("bin/st");
    if !st.exists() {
        let made = Program::at("python3").args(["-m".as_ref(), "venv".as_ref(), folder.as_os_str()]).run();
        if made.code != 0 {
            return None;
        }
        let pip = Program::at(folder.join("bin/pip"));
        let installed = pip.args(["install", "--quiet", &format!("schemathesis=={VERSION}")]).run();
        assert_eq!(installed.code, 0, "{}", installed.stderr);
    }
    Some(st)
}

#[test]
fn the_api_is_what_its_description_says() {
    const NAME: &str = "the_api_is_what_its_description_says";
    if !needs_tools(NAME, &["python3", "curl"]) {
        return;
    }
    let Some(program) = program() else { return skipped(NAME, "python3 has no venv here") };
    let server = Server::start();
    let https = Https::of(&server);
    let admin = json!({"name": "admin", "role": "admin", "password": "correct horse battery"});
    assert_eq!(https.socket("POST", "/api/v1/accounts", &admin).status, 200);
    let made = https.socket("POST", "/api/v1/api-tokens", &json!({"name": "schemathesis", "role": "admin"})).json();
    let token = made["token"].as_str().unwrap();
    let document = server.file("openapi.json");
    std::fs::write(&document, https.get("/api/v1/openapi.json", Some(token)).body).unwrap();
    // It keeps what it found in the folder that it runs in.
    let ran = Program::at("env")
        .args(["-C".as_ref(), server.dir().as_os_str(), program.as_os_str()])
        .args(["run".as_ref(), document.as_os_str()])
        .args(["--url", &server.api(), "--tls-verify=false", "-H", &format!("Authorization: Bearer {token}")])
        // These end what asks, or never end.
        .args(["--exclude-path", "/api/v1/events", "--exclude-path", "/api/v1/login"])
        .args(["--exclude-path", "/api/v1/logout", "--exclude-path", "/api/v1/api-tokens/{id}/revoke"])
        // A pattern, a time or an address has more rules than a schema says: what breaks them is refused.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "1", "--no-color"])
        .run();
    let said = ran.ok();
    assert!(said.contains("Tested: 33"), "{said}");
}
