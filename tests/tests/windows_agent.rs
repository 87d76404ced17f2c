//! The Windows agent, run by wine: what needs no service of Windows' own.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

use vigo_tests::{Ended, Program, needs_tools, skipped};

/// The program with the library that wine lacks beside it, as `cargo xtask dist-agent` leaves them after its own trial.
fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/dist/wine/vigo.exe")
}

/// wine with a system of its own, which ends with it.
struct Wine {
    folder: tempfile::TempDir,
}

impl Wine {
    fn new(test: &str) -> Option<Self> {
        if !needs_tools(test, &["wine", "wineserver"]) {
            return None;
        }
        if !program().is_file() {
            skipped(test, "there is no vigo.exe here; `cargo xtask dist-agent --targets windows-x86_64` makes it");
            return None;
        }
        Some(Self { folder: tempfile::tempdir().unwrap() })
    }

    fn at(&self, program: &str) -> Program {
        Program::at(program).env("WINEPREFIX", self.folder.path().join("prefix")).env("WINEDEBUG", "-all")
    }

    fn vigo(&self, arguments: &[&str]) -> Ended {
        self.at("wine").args([program().to_str().unwrap()]).args(arguments).run()
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // What wine started of its own for this system.
        let _ = self.at("wineserver").args(["-k"]).run();
    }
}

#[test]
fn commands_that_need_no_service() {
    let Some(wine) = Wine::new("commands_that_need_no_service") else { return };
    let version = wine.vigo(&["version"]);
    assert_eq!((version.code, version.stdout.trim_end()), (0, concat!("vigo ", env!("CARGO_PKG_VERSION"))));

    let help = wine.vigo(&["--help"]);
    assert_eq!(help.code, 0);
    for word in ["bootstrap", "uninstall", r"C:\ProgramData\Vigo\config", r"C:\ProgramData\Vigo\state"] {
        assert!(help.stdout.contains(word), "{word}\n{}", help.stdout);
    }

    // Where Windows itself says that its folders are.
    let status = wine.vigo(&["status"]);
    assert_eq!(status.code, 3, "{}", status.stderr);
    let expected = r"vigo: this machine is not enrolled: C:\ProgramData\Vigo\config\config does not exist";
    assert!(status.stderr.starts_with(expected), "{}", status.stderr);

    let uninstall = wine.vigo(&["uninstall", "--yes", "--config-dir", r"C:\a", "--state-dir", r"C:\b"]);
    assert_eq!(
        (uninstall.code, uninstall.stdout.trim_end()),
        (0, "nothing of vigo was left here"),
        "{}",
        uninstall.stderr
    );
    assert_eq!(wine.vigo(&["register", "--token-file", r"C:\none"]).code, 2, "no server is named");
}

#[test]
fn a_daemon_that_nobody_enrolled_ends() {
    let Some(wine) = Wine::new("a_daemon_that_nobody_enrolled_ends") else { return };
    let daemon = wine.vigo(&["daemon", "--config-dir", r"C:\etc", "--state-dir", r"C:\state"]);
    assert_eq!(daemon.code, 3, "{}", daemon.stderr);
    assert!(daemon.stderr.contains("this machine is not enrolled"), "{}", daemon.stderr);
}
