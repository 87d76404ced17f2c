//! Where this user is logged in, and how those servers are verified.

mod store;
mod tls;

pub(crate) use store::{Login, Store};
pub(crate) use tls::{by_pins, by_root, by_system, meet};
