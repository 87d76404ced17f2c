//! What a person is told of each error: an exit code, a stable code, one sentence, the next step. Exhaustive, so that no
//! new error is without.

use vigo_ca::files::FileError;
use vigo_ca::tls::ContactError;

use crate::agent::{BootstrapError, RunError};
use crate::daemon::DaemonError;
use crate::envoy::{CheckInError, EnvoyError};
use crate::failure::with_causes;
use crate::line::{CallError, DialError};
use crate::register::RegisterError;
use crate::uninstall::UninstallError;
use crate::{
    ConfigError, ConversationError, EnrolmentError, Exit, Failure, LockError, OwnNameError, PendingError, PolicyError,
    Refused, UpdateError,
};

const AGAIN: &str = "run the same line again: it finishes what was begun";

impl From<&Refused> for Failure {
    fn from(refused: &Refused) -> Self {
        let failure = Self::new(refused.exit, &refused.code, &refused.message);
        refused.help.iter().fold(failure, Self::help)
    }
}

impl From<&UpdateError> for Failure {
    fn from(error: &UpdateError) -> Self {
        let failure = |exit| Self::new(exit, error.code(), with_causes(error));
        match error {
            UpdateError::NoKey => failure(Exit::Refused)
                .help("build it with SIGN_KEY and `cargo xtask dist-agent`, and run a bootstrap line again"),
            UpdateError::NoProgram => failure(Exit::Refused),
            UpdateError::Ledger { .. } => failure(Exit::Failed),
            UpdateError::File(_) | UpdateError::Write { .. } => {
                failure(Exit::Failed).help("is there room, and may this user write there?")
            }
            UpdateError::Call(error) => error.into(),
            UpdateError::Line(error) => error.as_ref().into(),
            UpdateError::Unsigned => failure(Exit::Refused).help(
                "sign it where it is built: `cargo xtask sign`; the server needs the key in `agents.signing_keys`",
            ),
            UpdateError::Manifest(_) => failure(Exit::Auth)
                .help("builds are signed by the key that agents have compiled in; `vigo status` shows its pin"),
            UpdateError::Refused { refusal: vigo_core::UpdateRefusal::Older, .. } => {
                failure(Exit::Refused).help("have the server offer the highest version that ran here, or a newer one")
            }
            UpdateError::Refused { .. } | UpdateError::TooLong(_) | UpdateError::Answer(_) => failure(Exit::Refused)
                .help("`cargo xtask verify` checks the builds of the server's `agents.dir` as this agent does"),
            UpdateError::BrokeOff { .. } => failure(Exit::Unreachable).help("the next try goes on from there"),
            UpdateError::Outage(_) => failure(Exit::Unreachable).help("it is tried again with a later check-in"),
            UpdateError::OnTrial => failure(Exit::Refused).help("try again in a few minutes"),
            UpdateError::Trial { .. } | UpdateError::Interrupted(_) | UpdateError::NeverCheckedIn { .. } => {
                failure(Exit::Failed)
                    .help("the version before it runs on; this machine's log has what the new one said")
            }
            UpdateError::Post(_) => failure(Exit::Refused).help("try again once the other has ended"),
            UpdateError::Daemon(_) => failure(Exit::Unreachable).help("`vigo status` tells whether one runs"),
        }
    }
}

impl From<&DialError> for Failure {
    fn from(error: &DialError) -> Self {
        match error {
            DialError::Tls { server, source } if !is_about_trust(source) => {
                Self::new(Exit::Unreachable, "server_unreachable", error)
                    .help(format_args!("is {server} the server's gRPC port, and has it room for a connection?"))
                    .help(AGAIN)
            }
            DialError::Tcp { server, .. } | DialError::Timeout { server } => {
                Self::new(Exit::Unreachable, "server_unreachable", error)
                    .help(format_args!("is the server up, and may this machine connect to TCP port {}?", server.port()))
                    .help(AGAIN)
            }
            DialError::Tls { .. } => Self::new(Exit::Auth, "server_not_trusted", with_causes(error))
                .help("compare this machine's clock and the server's pins (`vigocli ca show`) with what is expected"),
            DialError::Http { .. } => Self::new(Exit::Failed, "not_a_server", error)
                .help("the address must be the server's gRPC port, 1530 unless it was changed"),
        }
    }
}

/// Whether TLS said something of who is who; else the connection just ended.
pub(crate) fn is_about_trust(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)))
}

impl From<&CallError> for Failure {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Refused(refused) => refused.into(),
            CallError::Alert(alert) => {
                let code = match alert {
                    rustls::AlertDescription::CertificateRevoked => "envoy_revoked",
                    rustls::AlertDescription::CertificateExpired => "certificate_expired",
                    _ => "certificate_refused",
                };
                Self::new(Exit::Auth, code, error).help("ask the operator for a bootstrap line and run it")
            }
            CallError::Lost { .. } => Self::new(Exit::Unreachable, "connection_lost", error).help(AGAIN),
            CallError::Answer(_) => Self::new(Exit::Failed, "reply_refused", error).help(
                "agent and server may not be of fitting versions; the server's /bootstrap installs a fitting one",
            ),
        }
    }
}

impl From<&ContactError> for Failure {
    fn from(error: &ContactError) -> Self {
        let code = match error {
            ContactError::PinMismatch { .. } | ContactError::Changed { .. } => "pin_mismatch",
            _ => "server_not_trusted",
        };
        Self::new(Exit::Auth, code, error)
            .help("nothing secret was sent; `vigocli ca show` on the server prints the pins that it has")
    }
}

impl From<&FileError> for Failure {
    fn from(error: &FileError) -> Self {
        let failure = Self::new(Exit::Failed, "file_error", error);
        match error {
            FileError::Io { .. } => {
                failure.help("is the folder there, mounted, with room, and may this user write to it?")
            }
            FileError::Absent { .. } => failure.help("restore the file, or enrol again with a bootstrap line"),
            _ => failure,
        }
    }
}

impl From<&UninstallError> for Failure {
    fn from(error: &UninstallError) -> Self {
        match error {
            UninstallError::Lock(LockError::Held { .. }) => {
                Self::new(Exit::Refused, "busy", error).help("stop the agent that runs, then try again")
            }
            UninstallError::Lock(error) => error.into(),
            UninstallError::Service(_) | UninstallError::Remove { .. } => {
                Self::new(Exit::Failed, "not_removed", error).help("run it again as root: it goes on where it stopped")
            }
        }
    }
}

impl From<&LockError> for Failure {
    fn from(error: &LockError) -> Self {
        match error {
            LockError::Held { .. } => {
                Self::new(Exit::Refused, "busy", error).help("wait until it is done, then try again")
            }
            LockError::Io { .. } => Self::new(Exit::Failed, "not_writable", error)
                .help("run as root, or name folders of your own with --config-dir and --state-dir"),
        }
    }
}

impl From<&PendingError> for Failure {
    fn from(error: &PendingError) -> Self {
        match error {
            PendingError::File(error) => error.into(),
            PendingError::Damaged { path, .. } => Self::new(Exit::Failed, "pending_damaged", error)
                .help(format_args!("a registration that was begun is lost; remove it with `rm -r {}`, then run the line again with a new token", path.display())),
            PendingError::Remove { .. } | PendingError::Dice(_) | PendingError::Key(_) => {
                Self::new(Exit::Failed, "pending_failed", error)
            }
        }
    }
}

impl From<&ConfigError> for Failure {
    fn from(error: &ConfigError) -> Self {
        match error {
            ConfigError::NotEnrolled { .. } => Self::new(Exit::NotFound, "not_enrolled", error)
                .help("enrol it with the line that `vigocli tokens generate` prints on the server")
                .help("or name the folder of the configuration with --config-dir"),
            ConfigError::File(error) => error.into(),
            ConfigError::Syntax { .. } => Self::new(Exit::Failed, "config_refused", error)
                .help("restore the file, or enrol again with a bootstrap line"),
        }
    }
}

impl From<&EnrolmentError> for Failure {
    fn from(error: &EnrolmentError) -> Self {
        match error {
            EnrolmentError::Config(error) => error.into(),
            EnrolmentError::File(error) => error.into(),
            EnrolmentError::Content { .. } => Self::new(Exit::Failed, "enrolment_damaged", error)
                .help("restore the file, or enrol again with a bootstrap line"),
        }
    }
}

impl From<&PolicyError> for Failure {
    fn from(error: &PolicyError) -> Self {
        match error {
            PolicyError::Refused(_) => Self::new(Exit::Failed, "policy_refused", error)
                .help("the policy held before stays; the server's log and `vigocli config validate` may say more"),
            PolicyError::File(error) => error.into(),
        }
    }
}

impl From<&OwnNameError> for Failure {
    fn from(error: &OwnNameError) -> Self {
        Self::new(Exit::Usage, "hostname_refused", error).help("give a name with --hostname NAME")
    }
}

impl From<&RegisterError> for Failure {
    fn from(error: &RegisterError) -> Self {
        match error {
            RegisterError::Lock(error) => error.into(),
            RegisterError::Pending(error) => error.into(),
            RegisterError::Config(error) => error.into(),
            RegisterError::Enrolled { .. } => Self::new(Exit::Refused, "already_enrolled", error)
                .help("`vigo status` shows it; to enrol anew and retire that envoy, add --force"),
            RegisterError::Contact(error) => error.into(),
            RegisterError::TokenPin { .. } => Self::new(Exit::Auth, "pin_mismatch", error)
                .help("the token was not sent; make one on this server, or dial the server that made it"),
            RegisterError::Name(_) => Self::new(Exit::Auth, "server_name_mismatch", error).help(
                "dial it by a name of its certificate, or add this one to server.tls_sans on the server and restart it",
            ),
            RegisterError::Dial(error) => error.into(),
            RegisterError::Call(error) => error.into(),
            RegisterError::Answer(_) => Self::new(Exit::Failed, "reply_refused", error).help(
                "agent and server may not be of fitting versions; the server's /bootstrap installs a fitting one",
            ),
            RegisterError::Tls(_) | RegisterError::Frame(_) => Self::new(Exit::Failed, "failed", error),
            RegisterError::Write(inner) => Self { message: error.to_string(), ..inner.into() }.help(AGAIN),
            RegisterError::Policy(inner) => {
                Self::from(inner).help("enrolled all the same; the first check-in brings it")
            }
        }
    }
}

impl From<&EnvoyError> for Failure {
    fn from(error: &EnvoyError) -> Self {
        match error {
            EnvoyError::Enrolment(error) => error.into(),
            EnvoyError::Tls(_) => {
                Self::new(Exit::Failed, "enrolment_damaged", error).help("enrol again with a bootstrap line")
            }
        }
    }
}

impl From<&DaemonError> for Failure {
    fn from(error: &DaemonError) -> Self {
        match error {
            DaemonError::Lock(error) => error.into(),
            DaemonError::File(error) => error.into(),
            DaemonError::Envoy(error) => error.into(),
        }
    }
}

impl From<&RunError> for Failure {
    fn from(error: &RunError) -> Self {
        match error {
            RunError::Own(error) => error.into(),
            RunError::Daemon(_) => Self::new(Exit::Unreachable, "daemon_silent", error)
                .help("`vigo status` shows its last check-in; its log says more"),
        }
    }
}

impl From<&CheckInError> for Failure {
    fn from(error: &CheckInError) -> Self {
        let failure = match error {
            CheckInError::Dial(error) => error.into(),
            CheckInError::Call(error) => error.into(),
            CheckInError::Policy(error) => error.into(),
            CheckInError::Answer(ConversationError::Reply(_) | ConversationError::NeverTaken(_)) => {
                Self::new(Exit::Failed, "reply_refused", error).help("the server's log says more")
            }
            CheckInError::Frame(_) => Self::new(Exit::Failed, "failed", error),
            CheckInError::Expired => Self::new(Exit::Auth, "certificate_expired", error)
                .help("run a bootstrap line with --force on this machine: its identity is a way in for the same name"),
        };
        Self { code: error.code().to_owned(), ..failure }
    }
}

impl From<&BootstrapError> for Failure {
    fn from(error: &BootstrapError) -> Self {
        match error {
            BootstrapError::Install(_) => Self::new(Exit::Failed, "not_writable", error)
                .help("run as root, or name a folder of your own with --bin-dir"),
            BootstrapError::Register(error) => error.into(),
            BootstrapError::Service(_) => Self::new(Exit::Partial, "service_failed", error).help(
                "the machine is enrolled; start the daemon yourself with `vigo daemon`, or run the same line again",
            ),
            BootstrapError::Silent { .. } => Self::new(Exit::Partial, "service_silent", error)
                .help("`journalctl -u vigo-envoy` shows its log; it goes on trying"),
            BootstrapError::CheckIn(inner) => {
                let failure = Self::from(inner);
                Self { message: error.to_string(), ..failure }.help(AGAIN)
            }
        }
    }
}
