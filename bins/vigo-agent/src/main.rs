//! The stock agent: arguments, one library call, an exit code.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use vigo_agent::{Cli, Exit, Failure, World};
use zeroize::Zeroizing;

fn main() -> ExitCode {
    let cli = Cli::parse();
    vigo_agent::log();
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error is gone, the exit code is all that is left to say.
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, "failed", format_args!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let world = World { provider: Arc::new(provider()), token: token(), zone: jiff::tz::TimeZone::system() };
    runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?);
        let stop = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        vigo_agent::run(cli, world, stop).await
    })
}

#[cfg(feature = "aws-lc")]
use rustls::crypto::aws_lc_rs::default_provider as provider;
#[cfg(not(feature = "aws-lc"))]
use rustls::crypto::ring::default_provider as provider;

#[expect(clippy::disallowed_methods, reason = "a program's main reads the environment")]
fn token() -> Option<Zeroizing<String>> {
    std::env::var("VIGO_TOKEN").ok().filter(|token| !token.is_empty()).map(Zeroizing::new)
}
