//! Habits of the whole tree that no lint holds.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "support/tree.rs"]
mod tree;

use std::fs;
use std::process::Command;

use tree::{Source, root, sources};

/// The most lines of a file in a `src` folder.
const LONGEST: usize = 450;

#[track_caller]
fn nothing(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Every Rust file but this one, which names what it looks for.
fn rust() -> impl Iterator<Item = Source> {
    sources(".rs").into_iter().filter(|source| source.path != "tests/tests/workspace.rs")
}

/// `path:line: code` for every line that has one of these and is no comment.
fn lines_with(source: &Source, any: &[&str]) -> Vec<String> {
    let has = |line: &str| !line.starts_with("//") && any.iter().any(|one| line.contains(one));
    let lines = source.text.lines().map(str::trim).enumerate();
    lines.filter(|(_, line)| has(line)).map(|(at, line)| format!("{}:{}: {line}", source.path, at + 1)).collect()
}

/// The path's file name.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_below(path: &str, folder: &str) -> bool {
    path.split('/').rev().skip(1).any(|part| part == folder)
}

/// The part of a file that is tests: all of it in a folder of tests, else its module of tests.
fn tests_of(source: Source) -> Source {
    if is_below(&source.path, "tests") {
        return source;
    }
    let start = source.text.find("#[cfg(test)]\nmod tests {").unwrap_or(source.text.len());
    // Blank lines in place of the rest: the numbers stay right.
    let before = "\n".repeat(source.text[..start].matches('\n').count());
    Source { text: before + &source.text[start..], ..source }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    // A workspace of its own cannot.
    let manifests = sources("Cargo.toml").into_iter().filter(|manifest| {
        manifest.text.lines().any(|line| line == "[package]")
            && !manifest.text.lines().any(|line| line == "[workspace]")
    });
    // Which has all of them but one, as it says itself.
    let manifests = manifests.filter(|manifest| manifest.path != "bins/vigo-windows-service/Cargo.toml");
    let takes = |text: &str| text.lines().skip_while(|line| *line != "[lints]").nth(1) == Some("workspace = true");
    let found: Vec<String> =
        manifests.filter(|manifest| !takes(&manifest.text)).map(|manifest| manifest.path).collect();
    nothing(&found);
}

#[test]
fn every_crate_is_documented() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut lints = manifest.lines().skip_while(|line| *line != "[workspace.lints.rust]").skip(1);
    assert!(lints.by_ref().take_while(|line| !line.starts_with('[')).any(|line| line == "missing_docs = \"deny\""));
    // At the margin it is for a whole crate; generated code stands in a module.
    let off = |line: &str| line.starts_with("#![") && line.contains("missing_docs");
    let found = rust().filter(|source| source.text.lines().any(off)).map(|source| source.path);
    nothing(&found.collect::<Vec<_>>());
}

#[test]
fn no_file_is_long() {
    let sources = rust().filter(|source| is_below(&source.path, "src"));
    let lengths = sources.map(|source| (source.text.lines().count(), source.path));
    let found = lengths.filter(|(lines, _)| *lines > LONGEST).map(|(lines, path)| format!("{path}: {lines} lines"));
    nothing(&found.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_for_later() {
    let unfinished = ["todo!", "unimplemented!", "#[ignore", "#![ignore"];
    nothing(&rust().flat_map(|source| lines_with(&source, &unfinished)).collect::<Vec<_>>());
}

#[test]
fn tests_wait_for_events() {
    let tests = rust().filter(|source| name(&source.path) != "wait.rs").map(tests_of);
    nothing(&tests.flat_map(|source| lines_with(&source, &["thread::sleep", "time::sleep("])).collect::<Vec<_>>());
}

#[test]
fn clocks_are_read_in_one_file_of_a_program() {
    let sources = rust().filter(|source| name(&source.path) != "clock.rs" && !is_below(&source.path, "benches"));
    nothing(&sources.flat_map(|source| lines_with(&source, &["SystemTime::now", "Instant::now"])).collect::<Vec<_>>());
}

#[test]
fn one_file_reads_pem() {
    let used = ["rustls_pemfile::", "use rustls_pemfile"];
    let sources = rust().filter(|source| source.path != "vigo-ca/src/pem.rs");
    nothing(&sources.flat_map(|source| lines_with(&source, &used)).collect::<Vec<_>>());
}

/// The text files that git keeps; outside of a clone, those with code and words in them.
fn kept() -> Vec<Source> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let Some(listed) = listed.ok().filter(|output| output.status.success()) else {
        return [".rs", ".md", ".toml", ".sh", ".proto", ".vgo", ".txt"].into_iter().flat_map(sources).collect();
    };
    let paths = String::from_utf8(listed.stdout).unwrap();
    let read = |path: &str| Some(Source { text: fs::read_to_string(root().join(path)).ok()?, path: path.to_owned() });
    paths.split_terminator('\0').filter_map(read).collect()
}

/// Whether a path that starts with this folder of a person is in the text.
fn has_path(text: &str, folder: &str) -> bool {
    let starts = |at: usize| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "._-~}".contains(c));
    text.match_indices(folder).any(|(at, _)| starts(at))
}

#[test]
fn nothing_tells_of_the_place_where_it_was_written() {
    // `/root/token` is where an example of ours has an operator put a token.
    let private = |line: &str| {
        let line = line.replace("/root/token", "");
        has_path(&line, "/root/") || has_path(&line, "/home/")
    };
    let sources = kept().into_iter().filter(|source| source.path != "tests/tests/workspace.rs");
    let found = sources.flat_map(|Source { path, text }| {
        let lines = text.lines().enumerate().filter(|(_, line)| private(line));
        lines.map(|(at, line)| format!("{path}:{}: {}", at + 1, line.trim())).collect::<Vec<_>>()
    });
    nothing(&found.collect::<Vec<_>>());
}

#[test]
fn what_is_found() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let text = "// todo!()\nfn a() {\n    todo!()\n}\n";
    assert_eq!(lines_with(&source("a.rs", text), &["todo!"]), ["a.rs:3: todo!()"]);
    let text = "sleep\n#[cfg(test)]\nmod tests {\n    sleep\n";
    assert_eq!(lines_with(&tests_of(source("a/src/b.rs", text)), &["sleep"]), ["a/src/b.rs:4: sleep"]);
    assert_eq!(lines_with(&tests_of(source("a/tests/b.rs", text)), &["sleep"]).len(), 2);
    assert_eq!(lines_with(&tests_of(source("a/src/b.rs", "sleep\n")), &["sleep"]).len(), 0);
    assert!(is_below("a/src/b.rs", "src") && !is_below("a/src", "src"));
    assert!(has_path("see /home/x", "/home/") && has_path("\"/home/x\"", "/home/"));
    assert!(!has_path("https://example.com/home/x", "/home/") && !has_path("~/home/x", "/home/"));
}
