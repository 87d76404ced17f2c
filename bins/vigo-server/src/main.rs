//! The stock server: arguments, configuration, one library call, an exit code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use vigo_server::health::{self, HealthError};
use vigo_server::quickstart::{self, Once, Quickstart};
use vigo_server::{Config, Server, check};

/// Brings machines under management: enrolment, certificates, signed check-ins.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  vigo-server quickstart            a server here, this host enrolled\n  vigo-server --config /srv/vigo/server.yaml\n  vigo-server check --config /srv/vigo/server.yaml"
)]
struct Arguments {
    #[command(flatten)]
    file: File,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct File {
    /// The configuration; its folder is the server's home
    #[arg(long, value_name = "FILE", env = "VIGO_CONFIG_FILE", default_value = "server.yaml", global = true)]
    config: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Check configuration, keys, policies and store, then exit (0 good, 1 not)
    Check,
    /// Ask the running server whether it is ready, then exit (0 ready, 1 not, 6 nothing of this home answers)
    #[command(
        after_help = "Examples:\n  vigo-server health --config /srv/vigo/server.yaml\n  vigo-server health --timeout 2"
    )]
    Health {
        /// How long to wait for the answer
        #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout: u64,
    },
    /// Make a home, start, enrol this very host, and print the line for the next machine
    #[command(
        after_help = "Examples:\n  vigo-server quickstart\n  vigo-server quickstart --dir /tmp/try --grpc-port 11530 --api-port 18443 --once"
    )]
    Quickstart {
        /// The home to make, or to use again
        #[arg(long, default_value = "vigo-quickstart")]
        dir: PathBuf,
        /// Where agents enrol and check in [default: 1530]
        #[arg(long, value_name = "PORT")]
        grpc_port: Option<u16>,
        /// Where bootstrap and the API are [default: 8443]
        #[arg(long, value_name = "PORT")]
        api_port: Option<u16>,
        /// Stop once this host is shown
        #[arg(long)]
        once: bool,
    },
}

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
