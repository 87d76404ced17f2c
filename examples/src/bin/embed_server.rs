//! A Vigo server inside a program of one's own: its routes and Vigo's, in one process and on one port.
//!
//! ```sh
//! cargo run -p vigo-examples --bin embed_server -- server.yaml
//! curl -k https://127.0.0.1:8443/inventory/web1.example.com   # this program's
//! curl -k https://127.0.0.1:8443/healthz                      # Vigo's
//! ```
//!
//! Machines enrol and check in on 1530 as ever, and `vigocli` finds the admin socket in the folder of `server.yaml`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use tokio::signal::unix::{SignalKind, signal};
use vigo_core::{ClientAddr, Hostname};
use vigo_server::{Config, Server};

/// What this program is about: who asked last about a host.
type Inventory = Arc<Mutex<BTreeMap<String, ClientAddr>>>;

/// Vigo tells where a request came from, trusted proxies taken into account.
async fn look_up(
    State(inventory): State<Inventory>,
    Extension(from): Extension<ClientAddr>,
    Path(host): Path<String>,
) -> Result<Json<serde_json::Value>, StatusCode> {
    let host: Hostname = host.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let mut inventory = inventory.lock().unwrap_or_else(PoisonError::into_inner);
    let before = inventory.insert(host.to_string(), from).map(|from| from.to_string());
    Ok(Json(serde_json::json!({ "host": host.to_string(), "asked_before_by": before })))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    vigo_server::log("info");
    let path = PathBuf::from(std::env::args().nth(1).context("usage: embed_server SERVER.YAML")?);
    let mut stop = signal(SignalKind::terminate())?;

    let mine = Router::new().route("/inventory/{host}", get(look_up)).with_state(Inventory::default());
    let server = Server::builder(Config::read(&path)?, Config::home_of(&path)).routes(mine).build().await?;
    let running = server.start().await?;
    println!("https://{}/inventory/HOST beside Vigo's, whose CA is {}", running.api_addr(), running.ca_pin());

    tokio::select! {
        _ = stop.recv() => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    running.stop().await;
    Ok(())
}
