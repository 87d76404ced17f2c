//! The real binary against a server of the tests' own on a unix socket.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

mod access;
mod commands;
mod confirm;
mod doctor;
mod hostile;
mod local;
mod login;
mod looks;
mod many;
mod server;
mod terminal;
mod vigocli;
mod watch;
