//! macOS: launchd, always.

use super::unix::Unix;
use crate::service::Manager;

pub(super) static MACOS: Unix = Unix::silent(|| Some(Manager::Launchd));
