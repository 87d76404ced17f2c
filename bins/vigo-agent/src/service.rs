//! The service that starts the daemon at boot: systemd's.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Paths;

/// The service's name.
pub const NAME: &str = "vigo-envoy.service";
/// Where systemd looks for what an administrator installed.
const UNITS: &str = "/etc/systemd/system";
/// There while systemd runs the system.
const RUNNING: &str = "/run/systemd/system";

/// Why the service is not installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// A path that a unit cannot name.
    #[error("{} cannot stand in a systemd unit: use a path of plain characters", .0.display())]
    Path(PathBuf),
    /// The unit could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The unit.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A command of systemd's failed.
    #[error("`systemctl {command}` failed: {what}")]
    Command {
        /// Its arguments.
        command: String,
        /// What it said.
        what: String,
    },
}

/// Whether systemd runs this system.
#[must_use]
pub fn has_systemd() -> bool {
    Path::new(RUNNING).is_dir()
}

/// The unit.
///
/// # Errors
/// `Path` for one with a character that would mean something else there.
pub fn unit(program: &Path, paths: &Paths) -> Result<String, ServiceError> {
    let mut start = quoted(program)?;
    for (flag, dir, usual) in
        [("--config-dir", paths.config_dir(), Paths::CONFIG_DIR), ("--state-dir", paths.state_dir(), Paths::STATE_DIR)]
    {
        if dir != Path::new(usual) {
            start.push_str(&format!(" {flag} {}", quoted(dir)?));
        }
    }
    Ok(format!(
        "# Written by `vigo bootstrap`, which replaces it.\n\
         [Unit]\n\
         Description=Vigo envoy: checks in with the server that manages this machine\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={start} daemon\n\
         Restart=always\n\
         RestartSec=5\n\
         UMask=0077\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    ))
}

/// A path as systemd.service(5) reads it: quoted, and no character in it that is more than itself.
fn quoted(path: &Path) -> Result<String, ServiceError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@, ".contains(c);
    match path.to_str() {
        Some(text) if path.is_absolute() && text.chars().all(plain) => {
            Ok(if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() })
        }
        _ => Err(ServiceError::Path(path.to_owned())),
    }
}

/// Writes the unit, and starts the service now and at every boot. One that runs is started anew.
///
/// # Errors
/// With what failed; the commands can be given by hand.
pub(crate) fn install(program: &Path, paths: &Paths) -> Result<(), ServiceError> {
    let path = Path::new(UNITS).join(NAME);
    let text = unit(program, paths)?;
    write(&path, &text).map_err(|source| ServiceError::Write { path, source })?;
    systemctl(["daemon-reload"])?;
    systemctl(["enable", NAME])?;
    systemctl(["restart", NAME])
}

/// Readable by all, as units are, and complete whenever the machine stops.
fn write(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".vigo-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

fn systemctl<const N: usize>(arguments: [&str; N]) -> Result<(), ServiceError> {
    let failed = |what: String| ServiceError::Command { command: arguments.join(" "), what };
    let output: Output = Command::new("systemctl")
        .args(arguments.map(OsStr::new))
        // No child inherits a token.
        .env_remove("VIGO_TOKEN")
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(crate::refused::clean(String::from_utf8_lossy(&output.stderr).trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(program: &str, config: &str, state: &str) -> Result<String, String> {
        let unit = unit(Path::new(program), &Paths::new(config.into(), state.into())).map_err(|e| e.to_string())?;
        Ok(unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap_or_default().to_owned())
    }

    #[track_caller]
    fn check(program: &str, config: &str, state: &str, expected: &str) {
        assert_eq!(start(program, config, state).unwrap_or_else(|error| error), expected);
    }

    #[test]
    fn what_the_unit_starts() {
        let (config, state) = (Paths::CONFIG_DIR, Paths::STATE_DIR);
        check("/usr/local/sbin/vigo", config, state, "/usr/local/sbin/vigo daemon");
        check("/opt/vigo/vigo", "/opt/vigo/etc", state, "/opt/vigo/vigo --config-dir /opt/vigo/etc daemon");
        check("/opt/my vigo/vigo", config, "/s", "\"/opt/my vigo/vigo\" --state-dir /s daemon");
        check("vigo", config, state, "vigo cannot stand in a systemd unit: use a path of plain characters");
        for bad in ["/a%n/vigo", "/a$HOME/vigo", "/a\"b/vigo", "/a\nExecStartPre=/bin/sh/vigo", "/a;b", "/ä"] {
            assert!(start(bad, config, state).is_err(), "{bad:?}");
            assert!(start("/v", bad, state).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_whole_unit() {
        let paths = Paths::new(Paths::CONFIG_DIR.into(), Paths::STATE_DIR.into());
        let unit = unit(Path::new("/usr/local/sbin/vigo"), &paths).unwrap();
        for line in ["Type=notify", "Restart=always", "StartLimitIntervalSec=0", "WantedBy=multi-user.target"] {
            assert!(unit.lines().any(|found| found == line), "{line}");
        }
    }
}
