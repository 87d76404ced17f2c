//! The daemon's socket: `vigo run` asks for a check-in now, `vigo status` asks whether anybody is there.
//!
//! One word a connection, one line of JSON back. Whoever may open the file may ask: it is its owner's alone.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use vigo_core::AgentVersion;

use crate::envoy::{CheckInError, Taken};
use crate::os::local::{self, Listener};
use crate::update::{Build, Failed, Found, Installed, UpdateError};
use crate::{Config, Exit, Failure};

/// Asking and answering over the socket takes no time; a check-in may take this long.
const PATIENCE: Duration = Duration::from_secs(90);
/// An update is fetched and tried.
const UPDATE: Duration = Duration::from_mins(25);
const SHORT: Duration = Duration::from_secs(2);
/// The longest line of either side.
const MAX_LINE: u64 = 16 * 1024;

/// What a check-in came to, as `vigo run` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Who checked in.
    pub envoy_id: String,
    /// Where.
    pub server: String,
    /// The version of a policy that came with it.
    pub new_policy: Option<String>,
    /// The server's words: code and sentence.
    pub notices: Vec<(String, String)>,
    /// Why it was not accepted: exit code, code, sentence, next steps.
    pub failure: Option<(u8, String, String, Vec<String>)>,
}

impl Told {
    pub(crate) fn of(config: &Config, result: &Result<Taken, CheckInError>) -> Self {
        let mut told = Self {
            envoy_id: config.envoy.to_string(),
            server: config.server.to_string(),
            new_policy: None,
            notices: Vec::new(),
            failure: None,
        };
        match result {
            Ok(taken) => {
                told.new_policy.clone_from(&taken.new_policy);
                told.notices = taken.notices.iter().map(|n| (n.code.clone(), n.message.clone())).collect();
            }
            Err(error) => {
                let failure = Failure::from(error);
                told.failure = Some((failure.exit as u8, failure.code, failure.message, failure.help));
            }
        }
        told
    }

    /// The failure that it tells of.
    pub(crate) fn into_failure(self) -> Option<Failure> {
        let (exit, code, message, help) = self.failure?;
        Some(Failure { exit: Exit::from_code(exit), code, message, help })
    }
}

/// What `vigo update` tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateTold {
    /// The version that ran when it was asked.
    pub running: String,
    /// What became of it.
    pub outcome: UpdateOutcome,
    /// The version that is offered.
    pub version: Option<String>,
    /// Why it is not installed: exit code, code, sentence, next steps.
    pub failure: Option<(u8, String, String, Vec<String>)>,
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateOutcome {
    /// The version that is offered runs.
    UpToDate,
    /// Another is offered, and its manifest is good.
    Available,
    /// It is installed.
    Installed,
    /// It is not.
    Failed,
}

impl UpdateTold {
    pub(crate) fn found(build: &Build, found: &Result<Found, UpdateError>) -> Self {
        match found {
            Ok(Found::Same) => Self::new(build, UpdateOutcome::UpToDate, Some(&build.version)),
            Ok(Found::Skipped(version)) => Self::new(build, UpdateOutcome::Available, Some(version)),
            Ok(Found::Newer(offer)) => Self::new(build, UpdateOutcome::Available, Some(&offer.manifest.version)),
            Err(error) => Self::failed(build, error, None),
        }
    }

    pub(crate) fn of(build: &Build, done: &Result<Installed, Failed>) -> Self {
        match done {
            Ok(Installed::Same) => Self::new(build, UpdateOutcome::UpToDate, Some(&build.version)),
            Ok(Installed::Skipped(version)) => Self::new(build, UpdateOutcome::Available, Some(version)),
            Ok(Installed::Now(version)) => Self::new(build, UpdateOutcome::Installed, Some(version)),
            Err(failed) => Self::failed(build, &failed.error, failed.version.as_ref()),
        }
    }

    fn new(build: &Build, outcome: UpdateOutcome, version: Option<&AgentVersion>) -> Self {
        let version = version.map(ToString::to_string);
        Self { running: build.version.to_string(), outcome, version, failure: None }
    }

    fn failed(build: &Build, error: &UpdateError, version: Option<&AgentVersion>) -> Self {
        let failure = Failure::from(error);
        let failure = Some((failure.exit as u8, failure.code, failure.message, failure.help));
        Self { failure, ..Self::new(build, UpdateOutcome::Failed, version) }
    }

    /// Whether another version is in the program's place.
    #[must_use]
    pub fn installed(&self) -> bool {
        self.outcome == UpdateOutcome::Installed
    }
}

/// What somebody at this machine wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// A check-in now.
    CheckIn,
    /// What is offered installed, or looked at.
    Update {
        /// Only looked at.
        check: bool,
    },
}

/// Somebody waits for an answer.
pub(crate) struct Asked {
    pub(crate) question: Question,
    tell: oneshot::Sender<String>,
    told: oneshot::Receiver<()>,
}

impl Asked {
    /// Tells them, and returns once it was sent: this process may be about to become another. Who has gone meanwhile hears
    /// nothing.
    pub(crate) async fn answer(self, told: &impl Serialize) {
        if self.tell.send(serde_json::to_string(told).unwrap_or_default()).is_ok() {
            let _ = timeout(SHORT, self.told).await;
        }
    }
}

/// The socket of a running daemon; its file goes with it.
pub(crate) struct LocalSocket {
    path: PathBuf,
    asked: mpsc::Receiver<Asked>,
    serving: Option<tokio::task::JoinHandle<()>>,
}

impl LocalSocket {
    /// Listens. The caller holds the state's lock, so a file that is there is a dead daemon's. A daemon without its
    /// socket still checks in.
    pub(crate) fn bind(path: PathBuf) -> Self {
        let (ask, asked) = mpsc::channel(4);
        let serving = match Listener::bind(&path) {
            Ok(listener) => Some(tokio::spawn(serve(listener, ask))),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "no local socket: `vigo run` must wait for this daemon to end");
                None
            }
        };
        Self { path, asked, serving }
    }

    /// The next who asks for a check-in; never ends.
    pub(crate) async fn next(&mut self) -> Asked {
        match self.asked.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
        local::remove(&self.path);
    }
}

async fn serve(mut listener: Listener, ask: mpsc::Sender<Asked>) {
    loop {
        let Ok(stream) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let ask = ask.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(stream, ask).await {
                tracing::debug!(%error, "a local request ended");
            }
        });
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite, ask: mpsc::Sender<Asked>) -> io::Result<()> {
    let (read, mut write) = tokio::io::split(stream);
    let mut word = String::new();
    timeout(SHORT, BufReader::new(read.take(64)).read_line(&mut word)).await??;
    let line = match word.trim_end() {
        "ping" => "pong".to_owned(),
        word => match question(word) {
            None => "unknown".to_owned(),
            Some(question) => {
                let ((tell, answer), (sent, told)) = (oneshot::channel(), oneshot::channel());
                if ask.send(Asked { question, tell, told }).await.is_err() {
                    return Ok(());
                }
                let line = answer.await.map_err(io::Error::other)?;
                write.write_all(format!("{line}\n").as_bytes()).await?;
                write.flush().await?;
                // Nobody waits for this where nothing follows it.
                let _ = sent.send(());
                return Ok(());
            }
        },
    };
    write.write_all(format!("{line}\n").as_bytes()).await
}

fn question(word: &str) -> Option<Question> {
    match word {
        "run" => Some(Question::CheckIn),
        "update" => Some(Question::Update { check: false }),
        "update-check" => Some(Question::Update { check: true }),
        _ => None,
    }
}

async fn ask(path: &Path, word: &str, patience: Duration) -> io::Result<String> {
    let talk = async {
        let mut stream = local::connect(path).await?;
        stream.write_all(format!("{word}\n").as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(stream.take(MAX_LINE)).read_line(&mut line).await?;
        Ok(line.trim_end().to_owned())
    };
    timeout(patience, talk).await?
}

/// Whether a daemon answers.
pub(crate) async fn is_there(path: &Path) -> bool {
    ask(path, "ping", SHORT).await.is_ok_and(|line| line == "pong")
}

/// A check-in by the daemon, now.
pub(crate) async fn run(path: &Path) -> io::Result<Told> {
    let line = ask(path, "run", PATIENCE).await?;
    serde_json::from_str(&line).map_err(io::Error::other)
}

/// An update by the daemon, now; or what is offered.
pub(crate) async fn update(path: &Path, check: bool) -> io::Result<UpdateTold> {
    let (word, patience) = if check { ("update-check", PATIENCE) } else { ("update", UPDATE) };
    serde_json::from_str(&ask(path, word, patience).await?).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_word_gets_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.sock");
        assert!(!is_there(&path).await);
        #[cfg(unix)]
        std::fs::write(&path, "left by a daemon that was killed").unwrap();
        let mut socket = LocalSocket::bind(path.clone());
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777,
            0o600
        );
        assert!(is_there(&path).await);
        assert_eq!(ask(&path, "reboot", SHORT).await.unwrap(), "unknown");

        let told = Told {
            envoy_id: "e".into(),
            server: "s:1".into(),
            new_policy: None,
            notices: vec![("a".into(), "b".into())],
            failure: Some((6, "server_unreachable".into(), "gone".into(), vec!["wait".into()])),
        };
        let (answered, ()) = tokio::join!(run(&path), async { socket.next().await.answer(&told).await });
        assert_eq!(answered.unwrap(), told);
        let failure = told.into_failure().unwrap();
        assert_eq!((failure.exit, failure.to_string()), (Exit::Unreachable, "vigo: gone\n  help: wait".to_owned()));
        drop(socket);
        assert!(!is_there(&path).await && !path.exists());
    }
}
