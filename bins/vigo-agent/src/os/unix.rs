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

    /// One or the other is in its place whenever the machine stops: the old one gets a second name before it loses its own.
    fn exchange(&self, new: &Path, program: &Path, previous: &Path) -> io::Result<()> {
        let mut fresh = previous.as_os_str().to_owned();
        fresh.push("-new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Where a file cannot have two names it is copied.
        if fs::hard_link(program, &fresh).is_err() {
            fs::copy(program, &fresh)?;
            File::open(&fresh)?.sync_all()?;
        }
        fs::rename(&fresh, previous)?;
        fs::rename(new, program)?;
        // It is done; whether it outlives a power cut is all that is open.
        if let Err(error) = self.sync_folder(program.parent().unwrap_or(Path::new("/"))) {
            tracing::warn!(%error, "the folder of the program was not synced");
        }
        Ok(())
    }
}
