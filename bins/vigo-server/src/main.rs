//! The stock server: arguments, configuration, one library call, an exit code.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tokio_util::sync::CancellationToken;
use vigo_server::args::{Arguments, Command};
use vigo_server::health::{self, HealthError};
use vigo_server::quickstart::{self, Once, Quickstart};
use vigo_server::{Config, Server, check};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    vigo_server::log(match arguments.command {
        // What matters is shown; of the rest, who enrols.
        Some(Command::Quickstart { .. }) => "warn,vigo_server::grpc=info",
        Some(Command::Check | Command::Health { .. }) | None => "info",
    });
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let path = &arguments.file.config;
    match arguments.command {
        None => serve(path).await,
        Some(Command::Check) => {
            println!("{}", check::run(path).await?);
            Ok(())
        }
        Some(Command::Health { timeout }) => {
            println!("{}", health::run(path, Duration::from_secs(timeout)).await?);
            Ok(())
        }
        Some(Command::Quickstart { dir, grpc_port, api_port, once }) => {
            let once = if once { Once::Stops } else { Once::StaysUp };
            quickstart::run(Quickstart { dir, grpc_port, api_port, once }, told_to_stop()?).await
        }
    }
}

async fn serve(path: &Path) -> anyhow::Result<()> {
    let config = Config::read(path)?;
    let stop = told_to_stop()?;
    let running = Server::builder(config, Config::home_of(path)).build().await?.start().await?;
    for warning in running.warnings() {
        tracing::warn!("{warning}");
    }
    stop.cancelled().await;
    running.stop().await;
    Ok(())
}

/// Cancelled at the first SIGINT or SIGTERM.
fn told_to_stop() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let mut text = error.to_string();
    // Most of our errors name their cause; where one does not, it is added.
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    eprintln!("vigo-server: {text}");
    error.downcast_ref().map_or(ExitCode::FAILURE, |error: &HealthError| error.exit_code().into())
}
