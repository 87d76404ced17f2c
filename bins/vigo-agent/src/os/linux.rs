//! Linux, and what is nothing else: systemd or OpenRC, by which of them runs this system.

use std::path::Path;

use super::Phase;
use super::unix::Unix;
use crate::service::Manager;

pub(super) static LINUX: Unix = Unix { manager, tell };

fn manager() -> Option<Manager> {
    let has = |path: &str| Path::new(path).exists();
    if has("/run/systemd/system") {
        Some(Manager::Systemd)
    } else if has("/run/openrc") && (has("/sbin/rc-service") || has("/usr/sbin/rc-service")) {
        Some(Manager::OpenRc)
    } else {
        None
    }
}

#[cfg(target_os = "linux")]
fn tell(phase: Phase) {
    let state = match phase {
        Phase::Ready => sd_notify::NotifyState::Ready,
        Phase::Stopping => sd_notify::NotifyState::Stopping,
    };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "systemd was not told");
    }
}

#[cfg(not(target_os = "linux"))]
fn tell(_: Phase) {}
