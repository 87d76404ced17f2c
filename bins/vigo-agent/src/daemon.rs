//! The daemon: a check-in at every interval, for as long as it lives, whatever becomes of the server.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use vigo_ca::files::FileError;
use vigo_core::{RegistrationKind, Takeover};

use crate::envoy::{CheckInError, Envoy, EnvoyError, Taken};
use crate::local_socket::{Asked, LocalSocket, Told};
use crate::os::{self, Phase};
use crate::register::{Order, register};
use crate::{Config, Lock, LockError, Outcome, Pace, Paths, Pending, clock, dice};

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
    paths: &Paths,
    provider: &Arc<CryptoProvider>,
    stop: impl Future<Output = ()>,
) -> Result<(), DaemonError> {
    os::private_folder(paths.state_dir())?;
    let _lock = Lock::take(&paths.lock())?;
    let mut envoy = Envoy::read(paths, provider)?;
    let mut socket = LocalSocket::bind(paths.socket());
    let mut stop = pin!(stop);
    let (mut pace, mut interval) = (Pace::default(), envoy.config().interval);
    tracing::info!(envoy = %envoy.id(), server = %envoy.config().server, "checking in");
    os::here().tell(Phase::Ready);
    let mut asked: Option<Asked> = None;
    loop {
        if let Some(other) = replaced(paths, provider, &envoy) {
            envoy = other;
            interval = envoy.config().interval;
        }
        let result = tokio::select! {
            () = &mut stop => break,
            result = envoy.check_in(paths) => result,
        };
        log(&result);
        if let Some(asked) = asked.take() {
            asked.answer(&Told::of(envoy.config(), &result));
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
                finished = finish_pending(paths, provider, &envoy) => finished,
            };
            if finished {
                continue;
            }
        }
        let wait = pace.after(outcome, interval, dice::spread());
        envoy.note(paths, Some(clock::now().after(wait)));
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(wait) => {}
            one = socket.next() => asked = Some(one),
        }
    }
    os::here().tell(Phase::Stopping);
    tracing::info!("stopped");
    Ok(())
}

/// The enrolment that counts now, where somebody registered beside this daemon.
fn replaced(paths: &Paths, provider: &Arc<CryptoProvider>, current: &Envoy) -> Option<Envoy> {
    let config = Config::read(&paths.config()).ok()?;
    if config.envoy == current.id() {
        return None;
    }
    match Envoy::read(paths, provider) {
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
async fn finish_pending(paths: &Paths, provider: &Arc<CryptoProvider>, envoy: &Envoy) -> bool {
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
    match register(paths, provider, &order, RegistrationKind::Repeat).await {
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
) -> Result<(Config, Result<Taken, CheckInError>), DaemonError> {
    os::private_folder(paths.state_dir())?;
    let _lock = Lock::take(&paths.lock())?;
    let mut envoy = Envoy::read(paths, provider)?;
    let result = envoy.check_in(paths).await;
    Ok((envoy.config().clone(), result))
}
