//! Every file of every corpus, and many small changes of it, hold each target's property: without a fuzzer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use vigo_fuzz::{TARGETS, Target};

fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let listed = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
}

/// Truncations and single changed bytes, evenly over the whole of it where there would be too many.
fn changes(bytes: &[u8], most: usize) -> impl Iterator<Item = Vec<u8>> {
    let step = (bytes.len() * 2).div_ceil(most.max(1)).max(1);
    let cut = (0..bytes.len()).step_by(step).map(|at| bytes[..at].to_vec());
    let flipped = (0..bytes.len()).step_by(step).map(|at| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1 << (at % 8);
        bytes
    });
    cut.chain(flipped)
}

#[track_caller]
fn check(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let files = corpus(target);
    assert!(files.len() >= 5, "{name} has {} inputs", files.len());
    for (path, bytes) in files {
        for input in std::iter::once(bytes.clone()).chain(changes(&bytes, target.changes)) {
            if catch_unwind(AssertUnwindSafe(|| (target.check)(&input))).is_err() {
                let shown = String::from_utf8_lossy(&input);
                panic!("{name} does not hold for this change of {}: {input:?}\n{shown}", path.display());
            }
        }
    }
}

#[test]
fn audit_chain() {
    check("audit_chain");
}

#[test]
fn bootstrap() {
    check("bootstrap");
}

#[test]
fn config() {
    check("config");
}

#[test]
fn csr() {
    check("csr");
}

#[test]
fn frames() {
    check("frames");
}

#[test]
fn hostname_pattern() {
    check("hostname_pattern");
}

#[test]
fn store_ops() {
    check("store_ops");
}

#[test]
fn token() {
    check("token");
}

#[test]
fn vgo() {
    check("vgo");
}

#[test]
fn wire_requests() {
    check("wire_requests");
}

/// The committed seeds are those that `seeds` writes.
#[test]
fn seeds_are_reproducible() {
    for target in TARGETS {
        let files = corpus(&target);
        for seed in (target.seeds)() {
            let found = files.iter().find(|(path, _)| path.file_name().is_some_and(|name| *name == *seed.name));
            assert_eq!(found.map(|(_, bytes)| bytes), Some(&seed.bytes), "{}/{}: run `seeds`", target.name, seed.name);
        }
    }
}
