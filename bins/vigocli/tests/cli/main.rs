//! The real binary against a server of the tests' own on a unix socket.

mod commands;
mod confirm;
mod hostile;
mod local;
mod server;
mod vigocli;
