use std::io;
use std::path::PathBuf;

use vigo_ca::files::FileError;
use vigo_core::{AgentVersion, ManifestError, Notice, UpdateRefusal};

use crate::envoy::CheckInError;
use crate::line::CallError;
use crate::{Exit, LockError};

/// Why an update is not installed. The agent that runs goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// No key was compiled in.
    #[error("this agent was built without a signing key, so it refuses every update")]
    NoKey,
    /// It is not known where the program lies.
    #[error("this agent is part of another program, which updates it")]
    NoProgram,
    /// What is known of earlier updates cannot be read.
    #[error("what is known of earlier updates cannot be read ({what}): remove {} once you know why", path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// It could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The server did not answer, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The server answered something else than a build's description.
    #[error("what the server says of its agent is not understood: {0}")]
    Answer(&'static str),
    /// The server has a build and no signed manifest of it.
    #[error("the server's agent is not signed")]
    Unsigned,
    /// The manifest is not the key's, or no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is good, and the build is not for here or not for now.
    #[error("version {version} is refused: {refusal}")]
    Refused {
        /// The manifest's version.
        version: AgentVersion,
        /// Why.
        refusal: UpdateRefusal,
    },
    /// More bytes came than the manifest says.
    #[error("the server sent more than the {0} bytes that were signed")]
    TooLong(u64),
    /// The connection ended before all of it came; the next try goes on from there.
    #[error("the download broke off after {got} of {size} bytes: {why}")]
    BrokeOff {
        /// What is kept.
        got: u64,
        /// What was signed.
        size: u64,
        /// What broke.
        why: String,
    },
    /// The system refused.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// What was written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It was run, and is not fit.
    #[error("version {version} was tried and is not installed: {why}")]
    Trial {
        /// Which.
        version: AgentVersion,
        /// What it did.
        why: String,
    },
    /// It took the program's place, and did not check in from there. The one before it is back.
    #[error("version {version} was installed and taken back: {why}")]
    NeverCheckedIn {
        /// Which.
        version: AgentVersion,
        /// What it did.
        why: String,
    },
    /// It did not check in on trial, and neither can the version that runs.
    #[error("version {0} could not be tried: the server cannot be reached")]
    Outage(AgentVersion),
    /// This process is a version on trial.
    #[error("a version is on trial at this moment")]
    OnTrial,
    /// Three times something ended this machine's agent while it tried that version.
    #[error("version {0} was tried three times, and each time the agent was ended in the middle of it")]
    Interrupted(AgentVersion),
    /// Another process took the place of the daemon while the new version was tried.
    #[error(transparent)]
    Post(LockError),
    /// There is no connection to ask on.
    #[error(transparent)]
    Line(Box<CheckInError>),
    /// The daemon that runs here could not be asked.
    #[error("the daemon that runs here does not answer: {0}")]
    Daemon(io::Error),
}

impl From<CheckInError> for UpdateError {
    fn from(error: CheckInError) -> Self {
        Self::Line(Box::new(error))
    }
}

impl UpdateError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::NoKey => "update_no_key",
            Self::NoProgram => "update_embedded",
            Self::Ledger { .. } => "update_state_damaged",
            Self::File(_) | Self::Write { .. } => "not_writable",
            Self::Call(CallError::Refused(refused)) => &refused.code,
            Self::Call(CallError::Answer(_)) => "reply_refused",
            Self::Call(_) | Self::BrokeOff { .. } | Self::Daemon(_) => "server_unreachable",
            Self::Answer(_) => "reply_refused",
            Self::Unsigned => "agent_unsigned",
            Self::Manifest(ManifestError::BadSignature) => "update_signature",
            Self::Manifest(_) => "update_manifest",
            Self::Refused { refusal, .. } => match refusal {
                UpdateRefusal::OtherTarget => "update_other_target",
                UpdateRefusal::Older => "update_older",
                UpdateRefusal::BelowMinimum => "update_below_minimum",
                UpdateRefusal::NotYetValid => "update_not_yet_valid",
                UpdateRefusal::Expired => "update_expired",
                UpdateRefusal::OtherBinary => "checksum_mismatch",
                _ => "update_refused",
            },
            Self::TooLong(_) => "checksum_mismatch",
            Self::Trial { .. } | Self::Interrupted(_) | Self::NeverCheckedIn { .. } => "update_failed",
            Self::Outage(_) => "server_unreachable",
            Self::OnTrial => "update_on_trial",
            Self::Post(_) => "locked",
            Self::Line(error) => error.code(),
        }
    }

    /// Whether the next try may do better without anybody's doing: then it is no failure of the build.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::BrokeOff { .. } | Self::Line(_) | Self::Daemon(_) | Self::Outage(_) | Self::OnTrial => true,
            Self::Call(CallError::Refused(refused)) => {
                refused.exit == Exit::Unreachable || refused.code == "agent_changed"
            }
            Self::Call(CallError::Lost { .. } | CallError::Alert(_)) => true,
            _ => false,
        }
    }

    /// As a check-in says it.
    pub(crate) fn notice(&self) -> Notice {
        Self::clean(self.code().to_owned(), &crate::failure::with_causes(self))
    }

    /// One line, short enough for a frame.
    pub(crate) fn clean(code: String, message: &str) -> Notice {
        let message = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(250).collect();
        Notice { code, message }
    }
}
