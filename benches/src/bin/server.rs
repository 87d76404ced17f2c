//! The stock server, built with the benchmarks' profile.

use std::path::PathBuf;

use anyhow::Context as _;
use vigo_server::{Config, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    vigo_server::log("info");
    let path = PathBuf::from(std::env::args_os().nth(1).context("usage: bench-server server.yaml")?);
    let server = Server::builder(Config::read(&path)?, Config::home_of(&path)).build().await?;
    let _running = server.start().await?;
    std::future::pending().await
}
