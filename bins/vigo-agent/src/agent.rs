use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use vigo_core::{EnvoyId, RegistrationKind};

use crate::daemon::{self, DaemonError};
use crate::install::{InstallError, Staged};
use crate::local_socket::{self, Told};
use crate::os;
use crate::record::PolicyRecord;
use crate::register::{Order, RegisterError, Registered, register};
use crate::service::{Ground, Manager, ServiceError, Start};
use crate::status::ServiceState;
use crate::uninstall::{self, UninstallError, Uninstalled};
use crate::{Enrolment, EnrolmentError, Paths, Policy, Record, Status};

/// The agent of one machine: where its files are, and what does its cryptography.
#[derive(Clone, Debug)]
pub struct Agent {
    paths: Paths,
    provider: Arc<CryptoProvider>,
}

/// Whether a service is to start the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceChoice {
    /// One is installed and started, where the system has a service manager and this process may use it.
    Install,
    /// None: whoever embeds or supervises the agent starts it.
    None,
}

/// What [`Agent::bootstrap`] is to do besides registering.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Whether a service is installed.
    pub service: ServiceChoice,
    /// Where this program is put: into the first of these folders that takes it, made if it is not there. With none it
    /// stays where it is, and a service starts it from there.
    pub bin_dirs: Vec<PathBuf>,
}

/// A machine that enrolled and checked in.
#[derive(Debug)]
pub struct Bootstrapped {
    /// The registration.
    pub registered: Registered,
    /// Where the program is.
    pub program: PathBuf,
    /// What became of the service.
    pub service: ServiceOutcome,
    /// What the first check-in came to, where a service did not make it.
    pub checked_in: Option<Told>,
}

/// What became of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceOutcome {
    /// It runs, and starts at boot.
    Started(Manager),
    /// None was asked for.
    NotWanted,
    /// No service manager that is known runs this system.
    NoManager,
    /// Only root may install one.
    NotRoot,
}

/// Why a machine is not enrolled, or not all of it is done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The program cannot be put in its place. Nothing was sent.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The registration.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// Enrolled, but the program or the service is not in place.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Enrolled, and the service runs, but it has not checked in.
    #[error("enrolled as {envoy}, but the service has not checked in within {} s{}", WAIT.as_secs(), Because(last))]
    Silent {
        /// The new envoy.
        envoy: EnvoyId,
        /// What it last failed at.
        last: Option<String>,
    },
    /// Enrolled, but the first check-in could not be tried.
    #[error("enrolled, but the first check-in could not be made: {0}")]
    CheckIn(#[from] RunError),
}

struct Because<'a>(&'a Option<String>);

impl std::fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |last| write!(f, " ({last})"))
    }
}

/// Why no check-in was tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// By this process.
    #[error(transparent)]
    Own(#[from] DaemonError),
    /// By the daemon that runs.
    #[error("the daemon that runs here does not answer: {0}")]
    Daemon(io::Error),
}

/// How long a service has for its first check-in.
const WAIT: Duration = Duration::from_secs(60);

impl Agent {
    /// An agent whose files are there.
    #[must_use]
    pub const fn new(paths: Paths, provider: Arc<CryptoProvider>) -> Self {
        Self { paths, provider }
    }

    /// Asks a server to take this machine in, and writes the enrolment down.
    ///
    /// # Errors
    /// With what went wrong; asking again with an equal order is safe, and finishes what was begun.
    pub async fn register(&self, order: &Order) -> Result<Registered, RegisterError> {
        register(&self.paths, &self.provider, order, RegistrationKind::Enrol).await
    }

    /// Registers, installs the program and the service, and waits for the first check-in. What was there before is
    /// touched only after the new enrolment was won.
    ///
    /// # Errors
    /// With what went wrong; the same call again finishes what was begun.
    pub async fn bootstrap(&self, order: &Order, setup: &Setup) -> Result<Bootstrapped, BootstrapError> {
        // What may fail for want of room or leave is tried before the server is asked.
        let staged = Staged::in_first_of(&setup.bin_dirs)?;
        let registered = self.register(order).await?;
        let program = match staged {
            Some(staged) => staged.commit()?,
            None => own_program()?,
        };
        let service = match setup.service {
            ServiceChoice::None => ServiceOutcome::NotWanted,
            ServiceChoice::Install => match os::here().manager() {
                None => ServiceOutcome::NoManager,
                Some(_) if !os::here().may_install() => ServiceOutcome::NotRoot,
                Some(manager) => {
                    let plan = manager.install(&Start::new(&program, &self.paths)?)?;
                    Ground::here().carry_out(&plan)?;
                    ServiceOutcome::Started(manager)
                }
            },
        };
        let checked_in = if let ServiceOutcome::Started(_) = service {
            self.first_check_in(registered.config.envoy).await?;
            None
        } else {
            Some(self.run().await?)
        };
        Ok(Bootstrapped { registered, program, service, checked_in })
    }

    /// Waits until the service has written down that it was accepted.
    async fn first_check_in(&self, envoy: EnvoyId) -> Result<(), BootstrapError> {
        let path = self.paths.status();
        let written = async {
            while Record::read(&path, envoy).is_none_or(|record| record.last_success_at.is_none()) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(WAIT, written).await.map_err(|_| {
            let last = Record::read(&path, envoy).and_then(|record| record.last_failure);
            BootstrapError::Silent { envoy, last: last.map(|failure| failure.message) }
        })
    }

    /// One check-in now: by the daemon where one runs, else by this process.
    ///
    /// # Errors
    /// When none could be tried; one that was tried and failed is told of in [`Told`].
    pub async fn run(&self) -> Result<Told, RunError> {
        if local_socket::is_there(&self.paths.socket()).await {
            return local_socket::run(&self.paths.socket()).await.map_err(RunError::Daemon);
        }
        let (config, result) = daemon::once(&self.paths, &self.provider).await?;
        Ok(Told::of(&config, &result))
    }

    /// Checks in at every interval until `stop`.
    ///
    /// # Errors
    /// When it cannot begin: another daemon runs, or there is no enrolment.
    pub async fn daemon(&self, stop: impl Future<Output = ()>) -> Result<(), DaemonError> {
        daemon::run(&self.paths, &self.provider, stop).await
    }

    /// Removes this machine's enrolment, and where this process may install services and these are the folders that the
    /// service uses, the service and the program. The server knows the envoy until it is revoked there.
    ///
    /// # Errors
    /// With what could not be removed; the same call goes on.
    pub fn uninstall(&self) -> Result<Uninstalled, UninstallError> {
        uninstall::uninstall(&self.paths)
    }

    /// What is known of this machine's enrolment, read beside whoever checks in.
    ///
    /// # Errors
    /// `Config(NotEnrolled)` where there is none; else the file that is missing, loose or damaged.
    pub async fn status(&self) -> Result<Status, EnrolmentError> {
        let enrolment = Enrolment::read(&self.paths)?;
        let policy = Policy::read(&self.paths.bundle(), &enrolment.server_key, &enrolment.config.server_id);
        let policy = PolicyRecord::of(&policy);
        let record = Record::read(&self.paths.status(), enrolment.config.envoy);
        let there = local_socket::is_there(&self.paths.socket()).await;
        let service = if there { ServiceState::Running } else { ServiceState::NotRunning };
        Ok(Status::new(&self.paths, &enrolment.config, record, policy, service))
    }
}

fn own_program() -> Result<PathBuf, InstallError> {
    std::env::current_exe().map_err(|source| InstallError { path: Path::new("vigo").to_owned(), source })
}
