//! Tests that need more than every machine has: they say that they were skipped, and why.

use std::io::Write as _;
use std::path::Path;

/// Whether root runs the tests.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the test can go on: root runs it. Otherwise that is written down.
#[must_use]
pub fn needs_root(test: &str, why: &str) -> bool {
    if !is_root() {
        skipped(test, &format!("{why} needs root"));
    }
    is_root()
}

/// Whether the test can go on: these programs are here. Otherwise that is written down.
#[must_use]
pub fn needs_tools(test: &str, tools: &[&str]) -> bool {
    for tool in tools {
        if !has(tool) {
            skipped(test, &format!("there is no {tool} here"));
            return false;
        }
    }
    true
}

#[expect(clippy::disallowed_methods, reason = "tests are run by a command that sets it")]
fn has(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir| dir.join(Path::new(tool)).is_file())
}

/// Says that a test cannot run here, and why, and writes it down for the end of the test command.
///
/// # Panics
/// When that cannot be written.
#[expect(clippy::disallowed_methods, reason = "tests are run by a command that sets it")]
pub fn skipped(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
    if let Some(log) = std::env::var_os("VIGO_SKIP_LOG") {
        let mut log = std::fs::OpenOptions::new().append(true).create(true).open(log).unwrap();
        writeln!(log, "SKIPPED {test}: {why}").unwrap();
    }
}
