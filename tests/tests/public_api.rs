//! The public surface of the library crates, as text in `tests/public-api/`: a change of it is seen in review.
//!
//! `VIGO_UPDATE=1 cargo nextest run -p vigo-tests --test public_api` writes the texts anew.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use public_api::Builder;

const CRATES: [&str; 4] = ["vigo-core", "vigo-enroll", "vigo-ca", "vigo-policy"];

/// Crates whose types may stand in our public API, each with the reason. Everything else is kept behind types of ours, so
/// that a new version of it is no new version of ours.
const FOREIGN: [(&str, &str); 15] = [
    ("core", "the language"),
    ("alloc", "the language"),
    ("std", "the language"),
    ("zeroize", "a secret that is handed out must be wiped by whoever takes it"),
    ("ipnet", "the network in an error that says what to write instead"),
    ("futures_core", "a watch is a stream, and std has no such trait"),
    ("rustls", "feature `tls`: the point of it is to give rustls its configurations"),
    ("rustls_pki_types", "certificates and keys as every TLS library of this family takes them"),
    ("prost", "feature `grpc`: the generated messages"),
    ("tonic", "feature `grpc`: the generated client and server"),
    ("http", "feature `grpc`: bounds of the generated client and server"),
    ("bytes", "feature `grpc`: bounds of the generated client and server"),
    ("http_body", "feature `grpc`: bounds of the generated client and server"),
    ("tower_service", "feature `grpc`: the generated server is a service"),
    ("i32", "feature `grpc`: the numbers of the schema's enumerations"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// rustdoc's JSON is unstable: it is asked of the ordinary toolchain, by a rustdoc of ours that lets it, and only to be read
/// here. Everything else of the build stays as the documentation's, so that next to nothing is built for it.
fn document(into: &Path) {
    let rustdoc = into.join("rustdoc");
    std::fs::write(&rustdoc, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n").unwrap();
    std::fs::set_permissions(&rustdoc, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["doc", "--quiet", "--locked", "--no-deps", "--lib", "--workspace", "--all-features"])
        .env("RUSTDOC", &rustdoc)
        .env("RUSTDOCFLAGS", "-Zunstable-options --output-format json --cap-lints allow")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn surface(name: &str) -> Vec<String> {
    // target/debug/deps/public_api-0123 → target
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let json = target.join("doc").join(format!("{}.json", name.replace('-', "_")));
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .unwrap();
    api.items().map(ToString::to_string).collect()
}

#[test]
fn the_public_surface_is_what_was_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    document(folder.path());
    let update = update();
    let (mut changed, mut strange, mut used) = (Vec::new(), Vec::new(), BTreeSet::new());
    for name in CRATES {
        let items = surface(name);
        let ours = [name.replace('-', "_"), "vigo_core".to_owned()];
        for item in &items {
            for first in crates(item).into_iter().filter(|first| !ours.iter().any(|ours| ours == first)) {
                match FOREIGN.iter().find(|(foreign, _)| *foreign == first) {
                    Some((foreign, _)) => _ = used.insert(*foreign),
                    None => strange.push(format!("{name}: `{first}` may not stand in a public API: {item}")),
                }
            }
        }
        // What is generated from the schema is the schema's to show.
        let found: BTreeSet<String> = items.into_iter().filter(|item| !item.contains("::wire::")).collect();
        let path = root().join("tests/public-api").join(format!("{name}.txt"));
        if update {
            let lines: Vec<&str> = found.iter().map(String::as_str).collect();
            std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        }
        let known: BTreeSet<String> =
            std::fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned).collect();
        changed.extend(known.difference(&found).map(|line| format!("{name}: - {line}")));
        changed.extend(found.difference(&known).map(|line| format!("{name}: + {line}")));
    }
    assert!(strange.is_empty(), "{}", strange.join("\n"));
    assert_eq!(used, FOREIGN.iter().map(|(name, _)| *name).collect(), "each of the list stands there");
    assert!(changed.is_empty(), "VIGO_UPDATE=1 writes it anew; review the change:\n{}", changed.join("\n"));
}

/// The crates that the paths of one item begin in.
fn crates(item: &str) -> BTreeSet<&str> {
    let words = item.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let paths = words.filter(|word| word.contains("::") && word.starts_with(|c: char| c.is_ascii_lowercase()));
    paths.filter_map(|path| path.split("::").next()).collect()
}

#[expect(clippy::disallowed_methods, reason = "tests are run by a command that sets it")]
fn update() -> bool {
    std::env::var_os("VIGO_UPDATE").is_some()
}
