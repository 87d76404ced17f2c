//! What the end-to-end tests share: a server, machines and operators as real processes, each ended by its own id.

#![expect(clippy::unwrap_used, reason = "support of tests: what is not as expected ends the test")]

pub mod book;
pub mod browser;
pub mod client;
mod host;
mod https;
mod liar;
mod machine;
mod network;
mod process;
mod server;
mod skip;
mod tool;
mod tree;
mod wait;

pub use client::{Client, Refusal};
pub use host::Host;
pub use https::{Answer, Https};
pub use liar::{Liar, Lie};
pub use machine::Machine;
pub use network::Network;
pub use process::{Daemon, Ended, Program, Started};
pub use server::{Options, Server};
pub use skip::{is_root, needs_root, needs_tools, skipped};
pub use tool::{openssl, sh};
pub use wait::{pause, until, within};
