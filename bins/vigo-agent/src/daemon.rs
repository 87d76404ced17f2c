//! The daemon: a check-in at every interval, for as long as it lives, whatever becomes of the server.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use vigo_ca::files::FileError;
use vigo_core::{RegistrationKind, Takeover};

use crate::duty::{self, Duty, Next};
use crate::envoy::{CheckInError, Envoy, EnvoyError, Taken};
use crate::local_socket::{Asked, Question, Told, UpdateTold};
use crate::os::{self, Phase};
use crate::post::Post;
use crate::register::{Order, register};
use crate::update::{self, Build, Ledger, Opened, Trial, UpdateError, Wish};
use crate::{Config, LockError, Outcome, Pace, Paths, Pending, clock, dice};

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// Another process writes the state.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The folder of the state.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is nobody to check in as.
    #[error(transparent)]
    Envoy(#[from] EnvoyError),
}

/// Checks in until `stop`.
///
/// # Errors
/// Before the first check-in alone: afterwards every failure is one that may pass.
pub(crate) async fn run(
    (paths, provider, build): (&Paths, &Arc<CryptoProvider>, &Build),
    trial: Option<Trial>,
    stop: impl Future<Output = ()>,
) -> Result<Ended, DaemonError> {
    os::private_folder(paths.state_dir())?;
    let mut post = match trial {
        None => Post::take(paths, true)?,
        // The daemon that starts this one is about to let go.
        Some(_) => Post::wait(paths, true).await?,
    };
    let mut envoy = Envoy::read(paths, provider, build)?;
    if trial.is_none() && open_ledger(paths, build) == Opened::GoBack {
        return Ok(Ended::Updated);
    }
    let (mut accepted, mut again) = (0, false);
    let mut stop = pin!(stop);
    let (mut pace, mut interval) = (Pace::default(), envoy.config().interval);
    tracing::info!(envoy = %envoy.id(), server = %envoy.config().server, "checking in");
    os::here().tell(Phase::Ready);
    let mut asked: Option<Asked> = None;
    'daemon: loop {
        while !post.is_held() {
            // Somebody took it while a version was tried; this daemon goes on once it is free.
            let back = tokio::select! {
                () = &mut stop => break 'daemon,
                back = post.come_back(paths) => back,
            };
            if let Err(error) = back {
                tracing::error!(%error, "this daemon waits");
            }
        }
        if let Some(other) = replaced(paths, provider, build, &envoy) {
            envoy = other;
            interval = envoy.config().interval;
        }
        let result = tokio::select! {
            () = &mut stop => break,
            result = envoy.check_in(paths) => result,
        };
        log(&result);
        if let Some(asked) = asked.take() {
            asked.answer(&Told::of(envoy.config(), &result)).await;
        }
        if let (Ok(taken), None) = (&result, trial) {
            let duty = duty(paths, build, taken, &mut envoy);
            let next = tokio::select! {
                () = &mut stop => break,
                next = duty::see_to(duty, taken, &mut envoy, &mut post, (paths, provider, build)) => next,
            };
            match next {
                Next::Restart => return Ok(Ended::Updated),
                // Once between two waits: whatever a server says, it sets no pace but the interval's.
                Next::CheckIn if !again => {
                    again = true;
                    continue;
                }
                Next::CheckIn | Next::Wait => again = false,
            }
        }
        let outcome = match &result {
            Ok(taken) => {
                interval = taken.interval.max(Duration::from_secs(1));
                Outcome::Accepted
            }
            Err(error) => error.outcome(),
        };
        if outcome == Outcome::Revoked {
            let finished = tokio::select! {
                () = &mut stop => break,
                finished = finish_pending(paths, provider, build, &envoy) => finished,
            };
            if finished {
                continue;
            }
        }
        let mut wait = pace.after(outcome, interval, dice::spread());
        if let (Some(trial), Outcome::Accepted) = (trial, outcome) {
            trial.accepted(&build.version);
            accepted += 1;
            if accepted == 1 {
                // The second time on a connection of its own: the first may be all that works.
                wait = trial.pause;
                envoy.hang_up();
            }
        }
        envoy.note(paths, Some(clock::now().after(wait)));
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(wait) => {}
            one = post.asked() => match one.question {
                Question::CheckIn => asked = Some(one),
                // What is on trial changes nothing, least of all itself.
                Question::Update { .. } if trial.is_some() => {
                    one.answer(&UpdateTold::of(build, &Err(UpdateError::OnTrial.into()))).await;
                }
                Question::Update { check } => {
                    let (told, next) = tokio::select! {
                        () = &mut stop => break,
                        done = update_here(&mut envoy, &mut post, paths, build, check) => done,
                    };
                    one.answer(&told).await;
                    if next == Next::Restart {
                        return Ok(Ended::Updated);
                    }
                }
            },
        }
    }
    os::here().tell(Phase::Stopping);
    tracing::info!("stopped");
    Ok(Ended::Stopped)
}

/// Why a daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// Another version is in its program's place, to be started instead.
    Updated,
}

/// What a process before this one had begun may be over, and then what it left beside the program goes. A download that
/// broke off stays, to be gone on with.
///
/// A version that was started again and again and never checked in gives its place back. That is no hurry: the one before
/// it runs as soon as this process has become it.
fn open_ledger(paths: &Paths, build: &Build) -> Opened {
    let opened = Ledger::read(paths).and_then(|mut ledger| {
        let mut opened = ledger.open(&build.version, clock::now());
        if opened == Opened::GoBack {
            let why = "it was started again and again and never checked in".to_owned();
            let error = UpdateError::NeverCheckedIn { version: build.version.clone(), why };
            ledger.give_up(&error, &build.version, clock::now());
            let program = build.program()?;
            if let Err(error) = update::go_back(program) {
                tracing::error!(%error, "the version before this one cannot be put back");
                opened = Opened::Changed;
            }
        }
        if opened != Opened::AsBefore {
            ledger.write(paths)?;
        }
        Ok(opened)
    });
    opened.unwrap_or_else(|error| {
        tracing::error!(%error, "no update will be installed");
        Opened::AsBefore
    })
}

/// What an accepted check-in calls for. Nothing, while it is not known what was done before.
fn duty(paths: &Paths, build: &Build, taken: &Taken, envoy: &mut Envoy) -> Duty {
    let mut ledger = match Ledger::read(paths) {
        Ok(ledger) => ledger,
        Err(error) => return Duty::without_ledger(taken, envoy, &error),
    };
    let proved = ledger.proved(&build.version);
    if proved && let Some(folder) = build.program.as_deref().and_then(std::path::Path::parent) {
        update::remove_others(folder, None);
    }
    let forgotten = taken.offered.as_ref() == Some(&build.version) && ledger.forget_failure();
    if (proved || forgotten)
        && let Err(error) = ledger.write(paths)
    {
        tracing::error!(%error, "what became of an update is not written down");
    }
    Duty::of(taken, build, &ledger)
}

/// `vigo update`, by the daemon.
async fn update_here(
    envoy: &mut Envoy,
    post: &mut Post,
    paths: &Paths,
    build: &Build,
    check: bool,
) -> (UpdateTold, Next) {
    let done = update_told(envoy, post, paths, build, check).await;
    let next = if done.installed() { Next::Restart } else { Next::Wait };
    (done, next)
}

/// An update that a person at this machine wants, or wants to know of.
async fn update_told(envoy: &mut Envoy, post: &mut Post, paths: &Paths, build: &Build, check: bool) -> UpdateTold {
    // A connection that was held may be gone without a word.
    envoy.hang_up();
    if check {
        let found = match envoy.line().await {
            Ok(line) => update::look(line, paths, build, Wish::Here).await,
            Err(error) => Err(error.into()),
        };
        return UpdateTold::found(build, &found);
    }
    let done = update::update(envoy, post, paths, build, Wish::Here).await;
    if let Err(failed) = &done
        && !failed.error.may_pass()
        && let Some(version) = &failed.version
    {
        update::note_failure(paths, failed, version, Wish::Here);
    }
    UpdateTold::of(build, &done)
}

/// The enrolment that counts now, where somebody registered beside this daemon.
fn replaced(paths: &Paths, provider: &Arc<CryptoProvider>, build: &Build, current: &Envoy) -> Option<Envoy> {
    let config = Config::read(&paths.config()).ok()?;
    if config.envoy == current.id() {
        return None;
    }
    match Envoy::read(paths, provider, build) {
        Ok(envoy) => {
            tracing::info!(envoy = %envoy.id(), "enrolled anew");
            Some(envoy)
        }
        Err(error) => {
            tracing::error!(%error, "the new enrolment cannot be used");
            None
        }
    }
}

/// A registration of ours may have replaced us, and its answer was lost: the same one again finishes that. It is no new
/// registration, so a revoked envoy never comes back by itself.
async fn finish_pending(paths: &Paths, provider: &Arc<CryptoProvider>, build: &Build, envoy: &Envoy) -> bool {
    let pending = match Pending::read(&paths.pending()) {
        Ok(Some(pending)) => pending,
        Ok(None) => return false,
        Err(error) => {
            tracing::warn!(%error, "the registration that is pending cannot be read");
            return false;
        }
    };
    let Some(contact) = pending.contact.filter(|contact| envoy.pins().contains(&contact.pin)) else { return false };
    let order = Order {
        server: pending.purpose.server,
        api: pending.purpose.api,
        pins: vec![contact.pin],
        token: None,
        hostname: pending.purpose.hostname,
        takeover: Takeover::Asked,
    };
    tracing::info!(hostname = %order.hostname, "revoked, and a registration is pending here: asking for its answer");
    match register(paths, provider, &build.platform(), &order, RegistrationKind::Repeat).await {
        Ok(registered) => {
            tracing::info!(envoy = %registered.config.envoy, "enrolled anew");
            true
        }
        Err(error) => {
            tracing::warn!(%error, "the pending registration was not won");
            false
        }
    }
}

fn log(result: &Result<Taken, CheckInError>) {
    match result {
        Ok(taken) => {
            tracing::debug!(server_time = taken.server_time.as_secs(), "checked in");
            if let Some(version) = &taken.new_policy {
                tracing::info!(version, "a new policy is held");
            }
            for notice in &taken.notices {
                tracing::warn!(code = notice.code, "{}", notice.message);
            }
        }
        Err(error) => tracing::warn!(code = error.code(), "not checked in: {error}"),
    }
}

/// One check-in by this process, for when no daemon runs.
pub(crate) async fn once(
    paths: &Paths,
    provider: &Arc<CryptoProvider>,
    build: &Build,
) -> Result<(Config, Result<Taken, CheckInError>), DaemonError> {
    os::private_folder(paths.state_dir())?;
    let _post = Post::take(paths, false)?;
    let mut envoy = Envoy::read(paths, provider, build)?;
    let result = envoy.check_in(paths).await;
    Ok((envoy.config().clone(), result))
}

/// `vigo update` by this process, for when no daemon runs.
pub(crate) async fn update_once(
    paths: &Paths,
    provider: &Arc<CryptoProvider>,
    build: &Build,
    check: bool,
) -> Result<UpdateTold, DaemonError> {
    os::private_folder(paths.state_dir())?;
    let mut post = Post::take(paths, false)?;
    let mut envoy = Envoy::read(paths, provider, build)?;
    Ok(update_told(&mut envoy, &mut post, paths, build, check).await)
}
