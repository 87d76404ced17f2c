//! The public surface of the library crates, as text beside each: a change of it is seen in review.
//!
//! `VIGO_UPDATE=1 cargo nextest run -p vigo-tests --test public_api` writes the texts anew.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::collections::BTreeSet;
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
    ("thiserror", "derives std's Error, nothing of it is named"),
    ("zeroize", "a secret that is handed out must be wiped by whoever takes it"),
    ("ipnet", "the network in an error that says what to write instead"),
    ("futures_core", "a watch is a stream, and std has no such trait"),
    ("async_trait", "a store is used behind `dyn`, and async functions are not"),
    ("rustls", "feature `tls`: the point of it is to give rustls its configurations"),
    ("rustls_pki_types", "certificates and keys as every TLS library of this family takes them"),
    ("prost", "feature `grpc`: the generated messages"),
    ("tonic", "feature `grpc`: the generated client and server"),
    ("http", "feature `grpc`: bounds of the generated client and server"),
    ("bytes", "feature `grpc`: bounds of the generated client and server"),
    ("redb", "feature `redb`: the hidden constructor for tests of the engine"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// rustdoc's JSON is unstable; it is asked of the ordinary toolchain, and only to be read here.
fn surface(name: &str) -> Vec<String> {
    let target = root().join("target/public-api");
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["rustdoc", "--quiet", "--locked", "--lib", "--all-features", "-p", name, "--target-dir"])
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format", "json", "--cap-lints", "allow"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTDOCFLAGS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json = target.join("doc").join(format!("{}.json", name.replace('-', "_")));
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .unwrap();
    // What is generated from the schema is the schema's to show.
    api.items().map(ToString::to_string).filter(|item| !item.contains("::wire::")).collect()
}

#[test]
fn the_public_surface_is_what_was_reviewed() {
    let update = update();
    let mut changed = Vec::new();
    for name in CRATES {
        let path = root().join(name).join("public-api.txt");
        let found = surface(name).join("\n") + "\n";
        if update {
            std::fs::write(&path, &found).unwrap();
        }
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        let (before, now): (BTreeSet<&str>, BTreeSet<&str>) = (known.lines().collect(), found.lines().collect());
        changed.extend(before.difference(&now).map(|line| format!("{name}: - {line}")));
        changed.extend(now.difference(&before).map(|line| format!("{name}: + {line}")));
        foreign(name, &found);
    }
    assert!(changed.is_empty(), "VIGO_UPDATE=1 writes it anew; review the change:\n{}", changed.join("\n"));
}

/// Every path in the surface begins in a crate that may stand there.
#[track_caller]
fn foreign(name: &str, surface: &str) {
    let own = name.replace('-', "_");
    let known: BTreeSet<&str> = FOREIGN.iter().map(|(name, _)| *name).chain([own.as_str(), "vigo_core"]).collect();
    for line in surface.lines() {
        let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        for path in words.filter(|word| word.contains("::") && word.starts_with(|c: char| c.is_ascii_lowercase())) {
            let first = path.split("::").next().unwrap_or_default();
            assert!(known.contains(first), "{name}: `{first}` stands in the public API, in: {line}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are run by a command that sets it")]
fn update() -> bool {
    std::env::var_os("VIGO_UPDATE").is_some()
}
