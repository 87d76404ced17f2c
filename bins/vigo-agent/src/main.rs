//! The stock agent: arguments, one library call, an exit code.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use vigo_agent::{Build, Cli, Exit, Failure, Then, World};
use zeroize::Zeroizing;

fn main() -> ExitCode {
    let cli = Cli::parse();
    vigo_agent::log();
    let build = Build::stock();
    let program = build.program.clone();
    match start(cli, build) {
        Ok(Then::End) => ExitCode::SUCCESS,
        Ok(Then::Restart) => {
            let error = vigo_agent::restart(program.as_deref());
            let _ = writeln!(std::io::stderr(), "vigo: the new version cannot be started in this one's place: {error}");
            ExitCode::FAILURE
        }
        Err(failure) => {
            // Where standard error is gone, the exit code is all that is left to say.
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn start(cli: Cli, build: Build) -> Result<Then, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, "failed", format_args!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let world = World {
        provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
        token: token(),
        zone: jiff::tz::TimeZone::system(),
        build,
    };
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

#[expect(clippy::disallowed_methods, reason = "a program's main reads the environment")]
fn token() -> Option<Zeroizing<String>> {
    std::env::var("VIGO_TOKEN").ok().filter(|token| !token.is_empty()).map(Zeroizing::new)
}
