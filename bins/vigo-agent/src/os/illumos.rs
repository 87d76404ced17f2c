//! illumos: SMF, always.

use super::unix::Unix;
use crate::service::Manager;

pub(super) static ILLUMOS: Unix = Unix::silent(|| Some(Manager::Smf));
