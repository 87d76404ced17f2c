//! The BSDs: each has scripts in the folder and of the kind that its own rc reads.

use super::unix::Unix;
use crate::service::Manager;

pub(super) static FREEBSD: Unix = Unix::silent(|| Some(Manager::FreeBsd));
pub(super) static NETBSD: Unix = Unix::silent(|| Some(Manager::NetBsd));
pub(super) static OPENBSD: Unix = Unix::silent(|| Some(Manager::OpenBsd));
