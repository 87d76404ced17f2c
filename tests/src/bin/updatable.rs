//! The agent as somebody else would compose it: its version, what is wrong with it and its signing keys from the end of its
//! own file, or the keys from the environment. So that a hundred builds of one agent are a hundred copies with another last
//! line.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use vigo_agent::{Build, Cli, Failure, Then, TrialTime, World};

/// What is at the end of the file: `\nBUILD <version> <what is wrong with it> [<keys>]\n`.
fn trailer() -> Option<(String, String, Option<String>)> {
    let bytes = std::fs::read(std::env::current_exe().ok()?).ok()?;
    let end = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(256)..]).into_owned();
    let (_, line) = end.trim_end().rsplit_once("\nBUILD ")?;
    let mut words = line.split(' ').map(str::to_owned);
    Some((words.next()?, words.next()?, words.next()))
}

fn milliseconds(variable: &str, usual: u64) -> Duration {
    Duration::from_millis(variable_of(variable).and_then(|text| text.parse().ok()).unwrap_or(usual))
}

#[expect(clippy::disallowed_methods, reason = "a program's main reads the environment")]
fn variable_of(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn main() -> ExitCode {
    let (version, wrong, keys) = trailer().unwrap_or_else(|| ("0.2.0".to_owned(), "nothing".to_owned(), None));
    let cli = <Cli as clap::Parser>::parse();
    vigo_agent::log();
    let on_trial = std::env::args().any(|argument| argument == "--trial");
    match wrong.as_str() {
        "crashes" if on_trial => std::process::abort(),
        "crashes-in-service" if !on_trial && std::env::args().any(|argument| argument == "daemon") => {
            std::process::abort()
        }
        "hangs" if on_trial => loop {
            std::thread::park();
        },
        "loses-the-network" if on_trial => drop(std::thread::spawn(lose_the_network)),
        _ => {}
    }
    let keys = keys.or_else(|| variable_of("TEST_SIGNING_KEYS")).unwrap_or_default();
    let build = Build {
        version: version.parse().unwrap_or_else(|_| std::process::abort()),
        keys: keys.parse().unwrap_or_default(),
        program: std::env::current_exe().ok(),
        trial: TrialTime { deadline: milliseconds("TEST_DEADLINE", 20_000), pause: milliseconds("TEST_PAUSE", 50) },
        ..Build::embedded()
    };
    let program = build.program.clone();
    match start(cli, build) {
        Ok(Then::End) => ExitCode::SUCCESS,
        Ok(Then::Restart) => {
            eprintln!("{}", vigo_agent::restart(program.as_deref()));
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// After its first check-in no new connection can be opened.
fn lose_the_network() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let Some(state) = std::env::args().skip_while(|argument| argument != "--state-dir").nth(1) else { return };
    let status = std::path::Path::new(&state).join("status.json");
    let began = std::fs::metadata(&status).and_then(|meta| meta.modified()).ok();
    while std::fs::metadata(&status).and_then(|meta| meta.modified()).ok() == began {
        vigo_tests::pause(Duration::from_millis(1));
    }
    // A socket and a file are the same to this limit; what is open stays open.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Nofile, none);
}

fn start(cli: Cli, build: Build) -> Result<Then, Failure> {
    let failed = |error: std::io::Error| Failure::new(vigo_agent::Exit::Failed, "failed", error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let world = World { provider, token: None, zone: jiff::tz::TimeZone::UTC, build };
    runtime.block_on(async {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(failed)?;
        let stop = async move {
            let _ = terminate.recv().await;
        };
        vigo_agent::run(cli, world, stop).await
    })
}
