//! What needs no server, and how a server is found.

use crate::server::{Answer, Server};
use crate::vigocli::{Ran, command, run};

#[test]
fn the_server_is_found() {
    let server = Server::start(vec![Answer::Json(200, r#"{"items":[],"next":null}"#.to_owned())]);
    let elsewhere = tempfile::tempdir().unwrap();
    let (config, socket) = (server.config(), server.home().join("run/admin.sock"));
    let list = ["envoys", "list"];
    let found = |command: &mut std::process::Command| {
        let ran = Ran::from(command.args(list).output().unwrap());
        assert_eq!(ran.exit, 0, "{ran:?}");
    };
    found(&mut command(server.home()));
    found(command(elsewhere.path()).arg("--config").arg(&config));
    found(command(elsewhere.path()).env("VIGO_CONFIG_FILE", &config));
    found(command(elsewhere.path()).env("VIGO_CONFIG_FILE", "/nonexistent").arg("--config").arg(&config));
    found(command(elsewhere.path()).env("VIGO_ADMIN_SOCKET", &socket));
    found(command(elsewhere.path()).env("VIGO_ADMIN_SOCKET", &socket).env("VIGO_CONFIG_FILE", "/nonexistent"));
    found(
        command(server.home().parent().unwrap())
            .arg("--config")
            .arg(std::path::Path::new(server.home().file_name().unwrap()).join("server.yaml")),
    );
    assert_eq!(server.requests().len(), 7);
}

#[test]
fn version_and_completions() {
    let home = tempfile::tempdir().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(run(home.path(), &["version"]).stdout, format!("vigocli {version}\n"));
    assert_eq!(run(home.path(), &["--version"]).stdout, format!("vigocli {version}\n"));
    assert_eq!(run(home.path(), &["version", "-o", "jsonl"]).stdout, format!("{{\"version\":\"{version}\"}}\n"));
    for (shell, starts) in [("bash", "_vigocli() {"), ("zsh", "#compdef vigocli"), ("fish", "# Print")] {
        let ran = run(home.path(), &["completions", shell]);
        assert_eq!(ran.exit, 0, "{shell}");
        assert!(ran.stdout.starts_with(starts) && ran.stdout.contains("allow-reenroll"), "{shell}: {:.80}", ran.stdout);
    }
}

#[test]
fn policies_are_validated() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let stacks = home.join("policy");
    std::fs::create_dir(&stacks).unwrap();
    std::fs::write(home.join("server.yaml"), "stacks:\n  dir: policy\n").unwrap();
    std::fs::write(stacks.join("envoys.vgo"), "envoys:\n  - match: '*.example.com'\n").unwrap();
    let good = run(home, &["config", "validate"]);
    assert_eq!((good.exit, good.stderr.as_str()), (0, ""), "{good:?}");
    assert!(good.stdout.ends_with("./policy: 1 hostcrate, no errors\n"), "{}", good.stdout);

    std::fs::write(stacks.join("envoys.vgo"), "envoys:\n  - match: '*.example.com'\n    rolls: [web]\n").unwrap();
    std::fs::write(stacks.join("common.vgo"), "vars: [\n").unwrap();
    for line in [&["config", "validate"][..], &["config", "validate", "policy"]] {
        let bad = run(home, line);
        assert_eq!((bad.exit, bad.stderr.as_str()), (8, ""), "{bad:?}");
        assert!(bad.stdout.contains("envoys.vgo:3:5: ") && bad.stdout.contains("common.vgo"), "{}", bad.stdout);
        assert!(bad.stdout.ends_with("policy: 2 errors\n"), "{}", bad.stdout);
    }
    let json = run(home, &["config", "validate", "-o", "json"]);
    let findings: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.exit, findings.as_array().map(Vec::len)), (8, Some(2)), "{findings}");
    assert_eq!(
        (findings[1]["severity"].as_str(), findings[1]["line"].as_u64()),
        (Some("error"), Some(3)),
        "{findings}"
    );

    let absent = run(home, &["config", "validate", "absent"]);
    assert_eq!((absent.exit, absent.stderr.as_str()), (3, "vigocli: there is no folder absent\n"));
    std::fs::remove_dir_all(stacks).unwrap();
    let empty = run(home, &["config", "validate"]);
    assert_eq!(empty.exit, 0, "{empty:?}");
    assert!(
        empty.stdout.starts_with("warning: ") && empty.stdout.ends_with("0 hostcrates, no errors\n"),
        "{}",
        empty.stdout
    );
}
