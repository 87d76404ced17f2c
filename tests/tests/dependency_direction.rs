//! Dependencies run one way: programs, then `vigo-enroll`, `vigo-ca` and `vigo-policy`, then `vigo-core`.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The crates that others build on.
const LIBRARIES: [&str; 4] = ["vigo-core", "vigo-enroll", "vigo-ca", "vigo-policy"];

/// What none of them needs, unless a feature asks for it: async runtimes, sockets, TLS.
const NOT_IN_LIBRARIES: [&str; 17] = [
    "async-io",
    "async-std",
    "axum",
    "h2",
    "hyper",
    "mio",
    "native-tls",
    "openssl",
    "quinn",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tokio-rustls",
    "tonic",
    "ureq",
];

/// What no program has: rustls with aws-lc-rs is the only TLS.
const NOT_IN_PROGRAMS: [&str; 4] = ["native-tls", "openssl", "openssl-sys", "ring"];

/// A crate of the workspace.
struct Member {
    name: String,
    /// From the workspace's folder.
    folder: String,
    /// The crates of the workspace that it names, in whatever section.
    names: Vec<String>,
}

/// What the crate in this folder may name of the workspace; `None` where no crate is expected.
fn may_name(folder: &str) -> Option<&'static [&'static str]> {
    const ANY: &[&str] = &["*"];
    match folder {
        "vigo-core" => Some(&[]),
        "vigo-enroll" | "vigo-ca" | "vigo-policy" => Some(&["vigo-core"]),
        "tests" | "examples" | "benches" => Some(ANY),
        // Nothing of ours is in it, and the agent alone has a use for it.
        "bins/vigo-windows-service" => Some(&[]),
        // The book's reference is read from the programs' own definitions.
        "bins/xtask" => Some(ANY),
        "bins/vigo-agent" => Some(&["vigo-core", "vigo-enroll", "vigo-ca", "vigo-policy", "vigo-windows-service"]),
        _ => folder.starts_with("bins/").then_some(&LIBRARIES),
    }
}

fn problems(members: &[Member]) -> Vec<String> {
    let mut problems = Vec::new();
    for Member { name, folder, names } in members {
        let Some(allowed) = may_name(folder) else {
            problems.push(format!("{name}: no crate is expected in {folder}"));
            continue;
        };
        for other in names {
            if !allowed.contains(&"*") && !allowed.contains(&other.as_str()) {
                problems.push(format!("{name} must not name {other}"));
            }
        }
    }
    problems
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What cargo prints. It may fetch only if it cannot answer from what is here.
fn cargo(arguments: &[&str]) -> String {
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).args(["--locked", "--color", "never"]).args(more).current_dir(root()).output().unwrap()
    };
    let mut output = run(&["--offline"]);
    if !output.status.success() {
        output = run(&[]);
    }
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn members() -> Vec<Member> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
    let member = |package: &Value| {
        let manifest = text(&package["manifest_path"]);
        let folder = Path::new(&manifest).parent().unwrap().strip_prefix(root()).unwrap();
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        Member {
            name: text(&package["name"]),
            folder: folder.to_str().unwrap().to_owned(),
            names: dependencies.map(|one| text(&one["name"])).filter(|name| all.contains(name)).collect(),
        }
    };
    packages.iter().map(member).collect()
}

/// All that a crate is built from on this system, itself included; not what only builds or tests it.
fn closure(name: &str, more: &[&str]) -> BTreeSet<String> {
    let tree = cargo(&[&["tree", "--package", name, "--edges", "normal", "--prefix", "none"], more].concat());
    let found: BTreeSet<String> = tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert!(found.contains(name), "{name} is not in its own tree:\n{tree}");
    found
}

#[track_caller]
fn without(name: &str, more: &[&str], unwanted: &[&str]) {
    let closure = closure(name, more);
    let found: Vec<&&str> = unwanted.iter().filter(|one| closure.contains(**one)).collect();
    assert!(found.is_empty(), "{name} is built from {found:?}; `cargo tree -p {name} -e normal -i …` shows why");
}

#[test]
fn crates_name_only_what_is_below_them() {
    let members = members();
    for library in LIBRARIES {
        assert!(members.iter().any(|member| member.name == library && member.folder == library), "{library} is gone");
    }
    let problems = problems(&members);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn libraries_have_no_runtime_no_socket_and_no_tls() {
    for library in LIBRARIES {
        without(library, &[], &NOT_IN_LIBRARIES);
    }
}

#[test]
fn programs_have_one_tls() {
    let members = members();
    let programs: Vec<&Member> = members.iter().filter(|member| member.folder.starts_with("bins/")).collect();
    assert!(programs.len() >= 3, "the programs are gone");
    for program in programs {
        // With the features that it is built with; the agent alone has another, for systems without aws-lc-rs.
        without(&program.name, &[], &NOT_IN_PROGRAMS);
    }
}

#[track_caller]
fn check(folder: &str, names: &[&str], expected: &[&str]) {
    let names = names.iter().map(ToString::to_string).collect();
    assert_eq!(problems(&[Member { name: "it".into(), folder: folder.into(), names }]), expected);
}

#[test]
fn which_edges_are_allowed() {
    check("vigo-core", &[], &[]);
    check("vigo-core", &["vigo-ca"], &["it must not name vigo-ca"]);
    check("vigo-enroll", &["vigo-core"], &[]);
    check("vigo-enroll", &["vigo-core", "vigo-ca"], &["it must not name vigo-ca"]);
    check("vigo-policy", &["vigo-tests"], &["it must not name vigo-tests"]);
    check("bins/vigo-server", &["vigo-core", "vigo-enroll", "vigo-ca", "vigo-policy"], &[]);
    check("bins/vigo-agent", &["vigo-ca", "vigo-windows-service"], &[]);
    check("bins/vigo-server", &["vigo-windows-service"], &["it must not name vigo-windows-service"]);
    check("bins/vigo-windows-service", &["vigo-core"], &["it must not name vigo-core"]);
    check("bins/vigocli", &["vigo-core", "vigo-ca", "vigo-policy"], &[]);
    check("bins/vigocli", &["vigo-server"], &["it must not name vigo-server"]);
    check("tests", &["vigo-core", "vigo-server"], &[]);
    check("vigo-web", &[], &["it: no crate is expected in vigo-web"]);
}
