//! The service that starts the daemon at boot: one module for each service manager.
//!
//! All that is specific to one is text and commands. Each module renders them into a [`Plan`], on whatever system this is
//! compiled for, and one function carries plans out.

mod freebsd;
mod launchd;
mod netbsd;
mod openbsd;
mod openrc;
mod plan;
mod quote;
mod smf;
mod systemd;
pub(crate) mod windows;

use std::io;
use std::path::{Path, PathBuf};

use crate::Paths;

pub(crate) use plan::{Ground, Plan};

/// What starts services at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// Linux with systemd.
    Systemd,
    /// Linux with OpenRC.
    OpenRc,
    /// macOS.
    Launchd,
    /// FreeBSD's rc.
    FreeBsd,
    /// NetBSD's rc.
    NetBsd,
    /// OpenBSD's rc.
    OpenBsd,
    /// illumos.
    Smf,
    /// The service control manager of Windows.
    Windows,
}

/// Why the service is not installed, or not removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// A path that the service's text cannot name.
    #[error("{path} cannot stand in {text}: use a path of plain characters")]
    Path {
        /// The path.
        path: String,
        /// What it was to stand in.
        text: &'static str,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be removed.
    #[error("cannot remove {}: {source}", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A command of the service manager's failed.
    #[error("`{command}` failed: {what}")]
    Command {
        /// It and its arguments.
        command: String,
        /// What it said.
        what: String,
    },
}

/// The words of the command line that a service starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start(Vec<String>);

impl Start {
    /// This program, as a daemon over these folders.
    pub(crate) fn new(program: &Path, paths: &Paths) -> Result<Self, ServiceError> {
        let usual = Paths::usual();
        let mut words = vec![word(program)?];
        for (flag, dir, usual) in [
            ("--config-dir", paths.config_dir(), usual.config_dir()),
            ("--state-dir", paths.state_dir(), usual.state_dir()),
        ] {
            if dir != usual {
                words.extend([flag.to_owned(), word(dir)?]);
            }
        }
        words.push("daemon".to_owned());
        Ok(Self(words))
    }

    #[cfg(test)]
    fn words(words: &[&str]) -> Self {
        Self(words.iter().map(ToString::to_string).collect())
    }

    /// All of them, each quoted; `text` names what they are to stand in.
    fn quoted(&self, text: &'static str, quote: fn(&str) -> Option<String>) -> Result<Vec<String>, ServiceError> {
        let one = |word: &String| quote(word).ok_or_else(|| ServiceError::Path { path: word.clone(), text });
        self.0.iter().map(one).collect()
    }
}

/// A path that is the same wherever it is read.
fn word(path: &Path) -> Result<String, ServiceError> {
    let refused = || ServiceError::Path { path: path.display().to_string(), text: "a service" };
    path.to_str().filter(|_| path.is_absolute()).map(str::to_owned).ok_or_else(refused)
}

impl Manager {
    /// The service by the name that this manager knows it by.
    #[must_use]
    pub const fn service(self) -> &'static str {
        match self {
            Self::Systemd => systemd::NAME,
            Self::OpenRc | Self::Windows => "vigo-envoy",
            Self::Launchd => launchd::NAME,
            Self::FreeBsd | Self::NetBsd | Self::OpenBsd => "vigo_envoy",
            Self::Smf => smf::NAME,
        }
    }

    /// The file that makes the service, where a file does.
    #[must_use]
    pub const fn file(self) -> Option<&'static str> {
        match self {
            Self::Systemd => Some(systemd::FILE),
            Self::OpenRc => Some(openrc::FILE),
            Self::Launchd => Some(launchd::FILE),
            Self::FreeBsd => Some(freebsd::FILE),
            Self::NetBsd => Some(netbsd::FILE),
            Self::OpenBsd => Some(openbsd::FILE),
            Self::Smf => Some(smf::FILE),
            Self::Windows => None,
        }
    }

    /// Installs the service and starts it, now and at every boot. One that runs is started anew.
    ///
    /// # Errors
    /// `Path` for one with a character that would mean something else in this manager's text.
    pub(crate) fn install(self, start: &Start) -> Result<Plan, ServiceError> {
        match self {
            Self::Systemd => systemd::install(start),
            Self::OpenRc => openrc::install(start),
            Self::Launchd => launchd::install(start),
            Self::FreeBsd => freebsd::install(start),
            Self::NetBsd => netbsd::install(start),
            Self::OpenBsd => openbsd::install(start),
            Self::Smf => smf::install(start),
            Self::Windows => windows::install(start),
        }
    }

    /// Stops the service and removes it; nothing where there is none.
    pub(crate) fn remove(self) -> Plan {
        match self {
            Self::Systemd => systemd::remove(),
            Self::OpenRc => openrc::remove(),
            Self::Launchd => launchd::remove(),
            Self::FreeBsd => freebsd::remove(),
            Self::NetBsd => netbsd::remove(),
            Self::OpenBsd => openbsd::remove(),
            Self::Smf => smf::remove(),
            Self::Windows => windows::remove(),
        }
    }
}

#[cfg(test)]
mod tests;
