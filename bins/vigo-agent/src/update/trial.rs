//! The trial: the new program runs as a child of the old one, as the daemon that it is to be, and must check in, and once
//! more on a new connection. Then, and only then, it takes the old one's place.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use vigo_core::{AgentVersion, EnvoyId};

use super::{Ledger, TrialTime};
use crate::{Paths, Record, clock};

/// What a daemon on trial says on standard output after each check-in that was accepted, and its version behind it. Agents
/// of other versions wait for exactly this line.
const ACCEPTED: &str = "vigo trial: accepted ";
/// How often it must say it.
const TIMES: usize = 2;
/// How often what it writes down is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long it has to end once its standard input has.
const GRACE: Duration = Duration::from_secs(10);

/// A daemon's side of a trial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    /// Between its two check-ins.
    pub(crate) pause: Duration,
}

impl Trial {
    /// Tells the program that watches. Where nobody does, there is no trial, and the daemon ends with its standard input.
    pub(crate) fn accepted(self, version: &AgentVersion) {
        use std::io::Write as _;
        let mut out = io::stdout();
        let _ = writeln!(out, "{ACCEPTED}{version}").and_then(|()| out.flush());
    }
}

/// Why a version is not fit, in a sentence.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It did not check in, which may be the network's doing.
    Silent(String),
    /// It did something that no network makes it do.
    Broken(String),
}

/// Runs `program` as a daemon of these folders until it has checked in twice, then ends it.
///
/// # Errors
/// What it did instead.
pub(super) async fn run(program: &Path, version: &AgentVersion, paths: &Paths, time: TrialTime) -> Result<(), Unfit> {
    let pause = time.pause.as_millis().to_string();
    let child = start(program, paths, &["daemon", "--trial", &pause]);
    let mut child = child.map_err(|error| Unfit::Broken(format!("it cannot be started: {error}")))?;
    let watched = timeout(time.deadline, watch(&mut child, version)).await;
    let ended = end(child).await.map_err(Unfit::Broken);
    match watched {
        Ok(Ok(())) => ended,
        Ok(Err(why)) => Err(Unfit::Broken(why)),
        Err(_) => Err(Unfit::Silent(format!("it did not check in {TIMES} times within {} s", time.deadline.as_secs()))),
    }
}

/// Runs the program that has just taken its place, as the service will, until it has written down that a check-in of this
/// envoy was accepted, then ends it.
///
/// # Errors
/// What it did instead.
pub(super) async fn prove(
    program: &Path,
    version: &AgentVersion,
    paths: &Paths,
    envoy: EnvoyId,
    time: TrialTime,
) -> Result<(), Unfit> {
    let attempt = || Record::read(&paths.status(), envoy).and_then(|record| record.last_attempt_at);
    let began = clock::now();
    let mut child = start(program, paths, &["daemon", "--until-stdin-ends"])
        .map_err(|error| Unfit::Broken(format!("it cannot be started in its place: {error}")))?;
    // Kept apart: waiting for a child closes its standard input first.
    let stdin = child.stdin.take();
    let mut accepted = async || {
        loop {
            // An accepted check-in of that version is what ends its probation. It may have begun with another by now.
            if Ledger::read(paths).is_ok_and(|ledger| !ledger.is_on_probation(version)) {
                return Ok(());
            }
            match timeout(LOOK, child.wait()).await {
                Err(_) => {}
                Ok(Ok(status)) => return Err(format!("it ended in its place ({status})")),
                Ok(Err(error)) => return Err(error.to_string()),
            }
        }
    };
    let watched = timeout(time.deadline, accepted()).await;
    drop(stdin);
    let ended = end(child).await.map_err(Unfit::Broken);
    match watched {
        Ok(Ok(())) => ended,
        Ok(Err(why)) => Err(Unfit::Broken(why)),
        Err(_) => Err(Unfit::Silent(match attempt() {
            Some(at) if at >= began => "it did not check in from its place".to_owned(),
            _ => "it did not even try to check in from its place".to_owned(),
        })),
    }
}

fn start(program: &Path, paths: &Paths, command: &[&str]) -> io::Result<Child> {
    Command::new(program)
        .arg("--config-dir")
        .arg(paths.config_dir())
        .arg("--state-dir")
        .arg(paths.state_dir())
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // The service manager knows this process, and is told by it alone.
        .env_remove("NOTIFY_SOCKET")
        .env_remove("VIGO_TOKEN")
        .kill_on_drop(true)
        .spawn()
}

async fn watch(child: &mut Child, version: &AgentVersion) -> Result<(), String> {
    let Some(out) = child.stdout.take() else { return Err("its output cannot be read".to_owned()) };
    // It says two short lines; what says more is not read for ever.
    let mut lines = BufReader::new(out.take(64 * 1024)).lines();
    let mut times = 0;
    while times < TIMES {
        match lines.next_line().await {
            Ok(Some(line)) => match line.strip_prefix(ACCEPTED) {
                Some(own) if own == version.to_string() => times += 1,
                Some(own) => return Err(format!("it calls itself {}", own.escape_debug())),
                None => {}
            },
            Ok(None) | Err(_) => {
                let status = child.wait().await.map_err(|error| error.to_string())?;
                return Err(format!("it ended ({status}) after {times} of {TIMES} check-ins"));
            }
        }
    }
    Ok(())
}

/// Ends the child: by the end of its standard input, as every daemon on trial does; else by force, and then it is not fit
/// for a service that must be stopped.
async fn end(mut child: Child) -> Result<(), String> {
    drop(child.stdin.take());
    match timeout(GRACE, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("it did not end as it should ({status})")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => {
            let killed = child.kill().await.map_or_else(|error| error.to_string(), |()| "it was killed".to_owned());
            Err(format!("it did not end within {} s; {killed}", GRACE.as_secs()))
        }
    }
}
