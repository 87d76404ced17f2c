//! `explain_offline`, as a person would run it.

use vigo_tests::{Ended, Program};

fn explain(file: &str, hostname: &str, address: &str) -> Ended {
    Program::at(env!("CARGO_BIN_EXE_explain_offline")).args([file, hostname, address]).run()
}

#[track_caller]
fn check(hostname: &str, address: &str, code: i32, lines: &[&str]) {
    let ended = explain(concat!(env!("CARGO_MANIFEST_DIR"), "/data/rules.json"), hostname, address);
    assert_eq!(ended.code, code, "{}{}", ended.stdout, ended.stderr);
    for line in lines {
        assert!(ended.stdout.contains(line), "`{line}` is not in\n{}", ended.stdout);
    }
}

#[test]
fn verdict_and_trace() {
    check(
        "web1.lab.example.com",
        "10.1.0.7",
        0,
        &[
            "admitted by trusted:1:*.lab.example.com\n",
            "  lost    token: ",
            "  won     trusted:1:*.lab.example.com: it holds\n",
        ],
    );
    check("web1.lab.example.com", "fd00:a::7", 0, &["admitted by trusted:1:*.lab.example.com\n"]);
    check(
        "web1.lab.example.com",
        "192.0.2.7",
        5,
        &[
            "refused: No rule admits web1.lab.example.com from 192.0.2.7 (not_admitted)\n",
            "  lost    trusted:1:*.lab.example.com: none of 10.1.0.0/24, fd00:a::/64 has 192.0.2.7\n",
        ],
    );
    check("api.dev.example.com", "192.0.2.7", 0, &["admitted by approved:"]);
    check("lab.example.com", "10.1.0.7", 5, &["(not_admitted)\n"]);
}

#[test]
fn a_file_that_is_wrong_is_not_guessed_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.json");
    for (text, expected) in [
        (r#"{"trusted": [], "aproved": []}"#, "unknown field `aproved`"),
        (r#"{"trusted": [{"pattern": "*.a.example.com", "cidrs": []}], "approved": []}"#, "names no network"),
        (r#"{"trusted": [{"pattern": "*.a.example.com", "cidrs": ["10.0.0.1/8"]}], "approved": []}"#, "host bits set"),
    ] {
        std::fs::write(&path, text).unwrap();
        let said = explain(path.to_str().unwrap(), "a.example.com", "10.0.0.1").failed(1);
        assert!(said.contains(expected), "{said}");
    }
}
