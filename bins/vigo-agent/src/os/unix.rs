//! What all families of Unix have in common, which is nearly everything.

use std::convert::Infallible;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::{Os, Phase, Places};
use crate::service::Manager;

/// One family of Unix: how it differs from the others.
pub(super) struct Unix {
    pub(super) manager: fn() -> Option<Manager>,
    pub(super) tell: fn(Phase),
}

impl Unix {
    /// Nobody waits for what a daemon has to say.
    pub(super) const fn silent(manager: fn() -> Option<Manager>) -> Self {
        Self { manager, tell: |_| {} }
    }
}

impl Os for Unix {
    fn places(&self) -> Places {
        Places {
            // `/usr/local` may be read-only, as on SmartOS.
            programs: vec!["/usr/local/sbin".into(), "/opt/vigo".into()],
            config_dir: "/etc/vigo-envoy".into(),
            state_dir: "/var/lib/vigo/state".into(),
        }
    }

    fn program(&self) -> &'static str {
        "vigo"
    }

    fn manager(&self) -> Option<Manager> {
        (self.manager)()
    }

    fn may_install(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    fn tell(&self, phase: Phase) {
        (self.tell)(phase);
    }

    fn restart(&self, program: &Path) -> io::Result<Infallible> {
        // The service manager sees the same process; no token is left to the new program.
        Err(Command::new(program).args(std::env::args_os().skip(1)).env_remove("VIGO_TOKEN").exec())
    }

    fn protect(&self, folder: &Path) -> io::Result<()> {
        fs::set_permissions(folder, Permissions::from_mode(0o700))
    }

    fn make_program(&self, file: &File) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(0o755))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn swap(&self, new: tempfile::TempPath, program: &Path) -> io::Result<()> {
        new.persist(program).map_err(|error| error.error)?;
        self.sync_folder(program.parent().unwrap_or(Path::new("/")))
    }
}
