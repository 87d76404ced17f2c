//! Programs that are not ours, run as a person would.

use crate::process::{Ended, Program};

/// A line in a shell.
#[must_use]
pub fn sh(line: &str) -> Ended {
    Program::at("/bin/sh").args(["-c", line]).run()
}

/// openssl with these arguments, reading this.
#[must_use]
pub fn openssl(arguments: &[&str], input: &str) -> Ended {
    Program::at("openssl").args(arguments).input(input).run()
}
