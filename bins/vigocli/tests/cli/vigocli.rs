use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run of vigocli left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            exit: output.status.code().expect("vigocli was killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// vigocli with a clean environment, in a session of its own: there is no /dev/tty.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_vigocli")).current_dir(home).stdin(Stdio::null());
    command.env_clear().env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
    command
}

/// Runs vigocli in `home`.
pub(crate) fn run(home: &Path, args: &[&str]) -> Ran {
    command(home).args(args).output().unwrap().into()
}
