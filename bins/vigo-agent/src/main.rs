//! The stock agent: arguments, one library call, an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use vigo_agent::{Cli, Exit, Failure, World};
use zeroize::Zeroizing;

fn main() -> ExitCode {
    let cli = Cli::parse();
    vigo_agent::log();
    ExitCode::from(ended(carry_out(cli)) as u8)
}

/// Says what went wrong.
fn ended(result: Result<(), Failure>) -> Exit {
    match result {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            // Where standard error is gone, the exit code is all that is left to say.
            let _ = writeln!(io::stderr(), "{failure}");
            failure.exit
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, "failed", format_args!("cannot start: {error}"))
}

#[cfg(unix)]
fn carry_out(cli: Cli) -> Result<(), Failure> {
    start(cli, asked_to_stop)
}

/// The service control manager starts the daemon like anybody else, and then wants to be spoken with.
#[cfg(windows)]
fn carry_out(cli: Cli) -> Result<(), Failure> {
    use vigo_windows_service::Ran;
    if !cli.is_daemon() {
        return start(cli, asked_to_stop);
    }
    let asked = Arc::new(tokio::sync::Notify::new());
    let stop = Arc::clone(&asked);
    let daemon = move || ended(start(Cli::parse(), || Ok(async move { asked.notified().await }))) as u32;
    match vigo_windows_service::run(vigo_agent::Manager::Windows.service(), move || stop.notify_one(), daemon) {
        Ok(Ran::AsService) => Ok(()),
        Ok(Ran::NotAService) => start(cli, asked_to_stop),
        Err(error) => Err(failed(error)),
    }
}

fn start<S: Future<Output = ()>>(cli: Cli, stop: impl FnOnce() -> io::Result<S>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let world = World { provider: Arc::new(provider()), token: token(), zone: jiff::tz::TimeZone::system() };
    runtime.block_on(async { vigo_agent::run(cli, world, stop().map_err(failed)?).await })
}

/// Ends when somebody asks this process to end.
#[cfg(unix)]
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends when somebody asks this process to end.
#[cfg(windows)]
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
    let (mut interrupt, mut stop, mut close) = (ctrl_c()?, ctrl_break()?, ctrl_close()?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = stop.recv() => {}
            _ = close.recv() => {}
        }
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
