//! The shells that there are, and what is skipped.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// One way to run POSIX sh.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shell {
    pub(crate) name: &'static str,
    program: &'static str,
    pub(crate) flags: &'static [&'static str],
    /// What makes it read the script from its standard input; the script's arguments follow.
    pub(crate) piped: &'static [&'static str],
}

/// As in `curl … | sh -s -- ARGS`.
const PIPED: &[&str] = &["-s", "--"];

const ALL: &[Shell] = &[
    Shell { name: "dash", program: "dash", flags: &[], piped: PIPED },
    Shell { name: "bash --posix", program: "bash", flags: &["--posix"], piped: PIPED },
    Shell { name: "busybox sh", program: "busybox", flags: &["sh"], piped: PIPED },
    Shell { name: "mksh", program: "mksh", flags: &[], piped: PIPED },
    // Its manual has `-s`, the program does not.
    Shell { name: "posh", program: "posh", flags: &[], piped: &["/dev/stdin"] },
    Shell { name: "ksh93", program: "ksh93", flags: &[], piped: PIPED },
    Shell { name: "yash", program: "yash", flags: &["-o", "posixlycorrect"], piped: PIPED },
    Shell { name: "zsh", program: "zsh", flags: &["--emulate", "sh"], piped: PIPED },
];

impl Shell {
    pub(crate) fn path(&self) -> PathBuf {
        find(self.program).expect("only shells that are installed are handed out")
    }
}

/// The shells of this machine. Each that is missing is a skipped test, and said.
pub(crate) fn shells() -> Vec<Shell> {
    ALL.iter().copied().filter(|shell| is_there(shell.program, shell.name)).collect()
}

/// Those of them that a machine's `sh` most often is.
pub(crate) fn common_shells() -> Vec<Shell> {
    ALL[..3].iter().copied().filter(|shell| is_there(shell.program, shell.name)).collect()
}

/// The shell of this name, if this machine has it.
pub(crate) fn shell(name: &str) -> Option<Shell> {
    let shell = *ALL.iter().find(|shell| shell.name == name).expect("a shell that is listed");
    is_there(shell.program, shell.name).then_some(shell)
}

/// Whether a program is installed; says what is skipped without it.
pub(crate) fn is_there(program: &str, what: &str) -> bool {
    let there = find(program).is_some();
    if !there {
        skip(&format!("vigo-enroll script: {what}: {program} is not installed"));
    }
    there
}

pub(crate) fn find(program: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].iter().map(|dir| Path::new(dir).join(program)).find(|path| path.exists())
}

#[expect(clippy::disallowed_methods, reason = "the test command names the file by this variable")]
fn skip(what: &str) {
    let line = format!("SKIPPED {what}");
    println!("{line}");
    if let Some(path) = std::env::var_os("VIGO_SKIP_LOG") {
        let mut log =
            std::fs::File::options().append(true).create(true).open(path).expect("the skip log can be written");
        writeln!(log, "{line}").expect("the skip log can be written");
    }
}
