//! What this crate signs and reads, held against the real `openssl`.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../support/fleet.rs"]
mod fleet;
mod tool;

mod certificates;
mod keys;
mod requests;
