#![doc = include_str!("../README.md")]

pub mod access;
mod admin;
mod agents;
mod app;
pub mod args;
mod certificates;
pub mod check;
pub mod checkins;
mod clock;
pub mod config;
mod connections;
mod doctor;
mod downloads;
pub mod fleet;
mod follow;
mod grpc;
mod happenings;
pub mod health;
pub mod home;
mod http;
mod listen;
mod listening;
mod measure;
mod names;
mod peer;
pub mod quickstart;
pub mod reference;
pub mod seen;
mod sequencer;
mod server;
mod web;

pub use config::{Config, ConfigError};
pub use server::{Builder, Running, Server};

/// Starts logging to standard error; `VIGO_LOG` chooses what (`usual` unless said), as `tracing`'s filters are written.
pub fn log(usual: &str) {
    use std::io::IsTerminal as _;
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::builder().with_env_var("VIGO_LOG").try_from_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).init();
}

/// Randomness for one registration.
fn dice() -> vigo_enroll::Dice {
    vigo_enroll::Dice { envoy: clock::random(), serial: clock::random(), audit: clock::random() }
}
