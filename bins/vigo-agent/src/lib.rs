#![doc = include_str!("../README.md")]

mod clock;
mod dice;
mod failure;
mod stamp;

mod address;
mod config;
mod enrolment;
mod hostname;
mod lock;
mod os;
mod paths;
mod pending;

mod conversation;
mod line;
mod pace;
mod policy;
mod record;
mod refused;
mod status;

mod answer;
mod daemon;
mod envoy;
mod install;
mod local_socket;
mod register;
mod service;
mod uninstall;

mod agent;
mod args;
mod command;
mod explain;

pub use address::{AddrError, ApiAddr, ServerAddr};
pub use agent::{Agent, BootstrapError, Bootstrapped, RunError, ServiceChoice, ServiceOutcome, Setup};
pub use answer::AnswerError;
pub use args::Cli;
pub use command::{World, run};
pub use config::{Config, ConfigError, Trust};
pub use conversation::{Conversation, ConversationError, Turn};
pub use daemon::DaemonError;
pub use dice::DiceError;
pub use enrolment::{Enrolment, EnrolmentError};
pub use envoy::{CheckInError, EnvoyError, Taken};
pub use failure::{Exit, Failure};
pub use hostname::{OwnNameError, own as own_hostname};
pub use install::InstallError;
pub use line::{CallError, DialError};
pub use local_socket::Told;
pub use lock::{Lock, LockError};
pub use pace::{Outcome, Pace};
pub use paths::Paths;
pub use pending::{KnownRoot, Pending, PendingError, Purpose};
pub use policy::{Policy, PolicyError};
pub use record::{FailureRecord, PolicyRecord, Record};
pub use refused::Refused;
pub use register::{Order, RegisterError, Registered};
pub use service::{Manager, ServiceError};
pub use status::{ServiceState, Status};
pub use uninstall::{UninstallError, Uninstalled};

/// Starts logging to standard error; `VIGO_LOG` chooses what (`info` unless said), as `tracing`'s filters are written.
pub fn log() {
    use std::io::IsTerminal as _;
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::builder().with_env_var("VIGO_LOG").try_from_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("warn,vigo_agent=info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).init();
}
