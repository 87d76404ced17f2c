//! What differs between the systems that the agent runs on. Each family has a module, all of them one trait; nothing
//! outside asks which system this is.
//!
//! The families of Unix are all compiled on every Unix, so that what is only text and names is tested on any of them.

#[cfg(unix)]
mod bsd;
#[cfg(unix)]
mod illumos;
#[cfg(unix)]
mod linux;
#[cfg(unix)]
#[path = "os/local_unix.rs"]
pub(crate) mod local;
#[cfg(windows)]
#[path = "os/local_windows.rs"]
pub(crate) mod local;
#[cfg(unix)]
mod macos;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use vigo_ca::files::FileError;

use crate::service::Manager;

/// Where things are on a system where nobody says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// The folders that the program is put into: the first of them that can be.
    pub(crate) programs: Vec<PathBuf>,
    /// Configuration, keys and certificates.
    pub(crate) config_dir: PathBuf,
    /// The state.
    pub(crate) state_dir: PathBuf,
}

/// What a service manager that waits for it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The daemon checks in from now on.
    Ready,
    /// It ends.
    Stopping,
}

/// One family of systems.
pub(crate) trait Os: Sync {
    /// Where things are.
    fn places(&self) -> Places;

    /// The program's file name.
    fn program(&self) -> &'static str {
        "vigo"
    }

    /// What starts services here, as far as can be seen; `None` where nothing does that is known.
    fn manager(&self) -> Option<Manager>;

    /// Whether this process may install a service.
    fn may_install(&self) -> bool;

    /// Tells the service manager, where there is one that listens.
    fn tell(&self, phase: Phase);

    /// Has `program` take this process' place, with the same arguments. Returns only if that failed.
    ///
    /// Where a process cannot become another program it ends with a code that has the service manager start it anew.
    fn restart(&self, program: &Path) -> io::Result<Infallible>;

    /// Gives a folder that was just made, and all that will be in it, to those who administer this system alone.
    fn protect(&self, folder: &Path) -> io::Result<()>;

    /// Lets everybody read this file and run it, as programs are.
    fn make_program(&self, file: &File) -> io::Result<()>;

    /// Makes the names in a folder last, where a file system needs to be told.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Puts `new` into the place of `program`, which may be running.
    fn swap(&self, new: tempfile::TempPath, program: &Path) -> io::Result<()>;

    /// The same, and keeps the program that was there under the name `previous`.
    fn exchange(&self, new: &Path, program: &Path, previous: &Path) -> io::Result<()>;
}

/// Makes a folder for those who administer this system alone, or accepts one that others cannot write to.
pub(crate) fn private_folder(folder: &Path) -> Result<(), FileError> {
    let is_new = !folder.exists();
    vigo_ca::files::create_private_dir(folder)?;
    // Where modes do not show whose a folder is, it is made ours each time: anybody may have made it first.
    if is_new || cfg!(windows) {
        let failed = |source| FileError::Io { action: "create", path: folder.to_owned(), source };
        here().protect(folder).map_err(failed)?;
    }
    Ok(())
}

/// The family that this system is of.
pub(crate) fn here() -> &'static dyn Os {
    family(std::env::consts::OS)
}

/// The family of a system, as Rust names it.
#[cfg(unix)]
fn family(os: &str) -> &'static dyn Os {
    match os {
        "macos" => &macos::MACOS,
        "freebsd" => &bsd::FREEBSD,
        "netbsd" => &bsd::NETBSD,
        "openbsd" => &bsd::OPENBSD,
        "illumos" | "solaris" => &illumos::ILLUMOS,
        _ => &linux::LINUX,
    }
}

#[cfg(windows)]
fn family(_: &str) -> &'static dyn Os {
    &windows::Windows
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Manager::{FreeBsd, Launchd, NetBsd, OpenBsd, Smf};

    #[track_caller]
    fn check(os: &str, programs: &[&str], manager: Manager) {
        let places = family(os).places();
        let programs: Vec<PathBuf> = programs.iter().map(PathBuf::from).collect();
        assert_eq!(places.programs, programs, "{os}");
        assert_eq!((places.config_dir, places.state_dir), ("/etc/vigo-envoy".into(), "/var/lib/vigo/state".into()));
        assert_eq!(family(os).manager(), Some(manager), "{os}");
        assert_eq!(family(os).program(), "vigo", "{os}");
    }

    #[test]
    fn what_each_family_has() {
        check("macos", &["/usr/local/sbin", "/opt/vigo"], Launchd);
        check("freebsd", &["/usr/local/sbin", "/opt/vigo"], FreeBsd);
        check("netbsd", &["/usr/local/sbin", "/opt/vigo"], NetBsd);
        check("openbsd", &["/usr/local/sbin", "/opt/vigo"], OpenBsd);
        check("illumos", &["/usr/local/sbin", "/opt/vigo"], Smf);
        assert_eq!(family("linux").places(), family("an unknown one").places());
    }
}
