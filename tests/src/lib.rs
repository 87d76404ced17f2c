//! What the end-to-end tests share: a server, machines and operators as real processes, each ended by its own id.

pub mod client;
mod machine;
mod process;
mod server;
mod skip;
mod tool;
mod wait;

pub use client::{Client, Refusal};
pub use machine::Machine;
pub use process::{Daemon, Ended, Program, Started};
pub use server::{Options, Server};
pub use skip::{is_root, needs_root, needs_tools};
pub use tool::{openssl, sh};
pub use wait::{until, within};
