//! A program that is its own agent: it enrols this machine with a token and checks in, with no `vigo` installed.
//!
//! ```sh
//! cargo run -p vigo-examples --bin embed_agent -- ./agent fleet.example.com:1530 https://fleet.example.com:8443 web1.example.com < token
//! ```
//!
//! Run again, it only checks in. The token carries the pin of the server's CA, so no secret goes to another server.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use vigo_agent::{Agent, ConfigError, EnrolmentError, Order, Paths};
use vigo_core::{Takeover, TokenText};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, server, api, hostname] = arguments.as_slice() else {
        bail!("usage: embed_agent FOLDER SERVER:PORT https://SERVER:PORT HOSTNAME < TOKEN")
    };
    // Keys and configuration in one folder, the policy and what `status` shows in another.
    let paths = Paths::new(Path::new(folder).join("etc"), Path::new(folder).join("state"));
    let agent = Agent::new(paths, Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

    match agent.status().await {
        Ok(_) => println!("enrolled before"),
        Err(EnrolmentError::Config(ConfigError::NotEnrolled { .. })) => {
            let token = std::io::read_to_string(std::io::stdin()).context("no token on standard input")?;
            let order = Order {
                server: server.parse()?,
                api: api.parse()?,
                pins: Vec::new(), // the token's
                token: Some(TokenText::new(token.trim().to_owned())),
                hostname: hostname.parse()?,
                takeover: Takeover::No,
            };
            // Whatever goes wrong, the same call again finishes what was begun.
            let won = agent.register(&order).await?;
            println!("enrolled {} as envoy {}, the CA is {}", won.config.hostname, won.config.envoy, won.root);
            if let Some((version, configcrates, resources)) = won.policy {
                println!("policy {version}: {configcrates} configcrates, {resources} resources");
            }
        }
        Err(error) => return Err(error.into()),
    }

    // One check-in. A program that stays calls `agent.daemon(stop)` instead, which checks in at every interval.
    let told = agent.run().await?;
    if let Some((_, code, message, _)) = told.failure {
        bail!("not checked in: {message} ({code})");
    }
    println!("checked in with {}", told.server);
    if let Some(version) = told.new_policy {
        println!("new policy {version}");
    }
    for (code, message) in told.notices {
        println!("{code}: {message}");
    }
    Ok(())
}
