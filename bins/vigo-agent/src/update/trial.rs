//! The trial: the new program runs as a child of the old one, as the daemon that it is to be, and must check in, and once
//! more on a new connection. Then, and only then, it takes the old one's place.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::TrialTime;
use crate::Paths;

/// What a daemon on trial says on standard output after each check-in that was accepted. Agents of other versions wait for
/// exactly this line.
const ACCEPTED: &str = "vigo trial: accepted";
/// How often it must say it.
const TIMES: usize = 2;
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
    pub(crate) fn accepted(self) {
        use std::io::Write as _;
        let mut out = io::stdout();
        let _ = writeln!(out, "{ACCEPTED}").and_then(|()| out.flush());
    }
}

/// Runs `program` as a daemon of these folders until it has checked in twice, then ends it.
///
/// # Errors
/// What it did instead, in a sentence.
pub(super) async fn run(program: &Path, paths: &Paths, time: TrialTime) -> Result<(), String> {
    let mut child = start(program, paths, time.pause).map_err(|error| format!("it cannot be started: {error}"))?;
    let watched = timeout(time.deadline, watch(&mut child)).await;
    let ended = end(child).await;
    match watched {
        Ok(Ok(())) => ended,
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("it did not check in {TIMES} times within {} s", time.deadline.as_secs())),
    }
}

fn start(program: &Path, paths: &Paths, pause: Duration) -> io::Result<Child> {
    Command::new(program)
        .arg("--config-dir")
        .arg(paths.config_dir())
        .arg("--state-dir")
        .arg(paths.state_dir())
        .args(["daemon", "--trial", &pause.as_millis().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // The service manager knows this process, and is told by it alone.
        .env_remove("NOTIFY_SOCKET")
        .env_remove("VIGO_TOKEN")
        .kill_on_drop(true)
        .spawn()
}

async fn watch(child: &mut Child) -> Result<(), String> {
    let Some(out) = child.stdout.take() else { return Err("its output cannot be read".to_owned()) };
    // It says two short lines; what says more is not read for ever.
    let mut lines = BufReader::new(out.take(64 * 1024)).lines();
    let mut times = 0;
    while times < TIMES {
        match lines.next_line().await {
            Ok(Some(line)) if line == ACCEPTED => times += 1,
            Ok(Some(_)) => {}
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
