use std::path::{Path, PathBuf};
use std::time::Duration;

use vigo_core::{AgentTarget, AgentVersion, SigningKeys};

use super::UpdateError;

/// What this program is, and by whose signature another may take its place.
///
/// ```
/// use vigo_agent::Build;
/// let build = Build::embedded();
/// assert!(build.keys.as_slice().is_empty(), "no update is ever installed");
/// assert_eq!(build.target.os(), std::env::consts::OS);
/// ```
#[derive(Clone, Debug)]
pub struct Build {
    /// Its version.
    pub version: AgentVersion,
    /// What it runs on.
    pub target: AgentTarget,
    /// The keys that sign updates; with none, every update is refused.
    pub keys: SigningKeys,
    /// Where the program lies that an update replaces; `None`: nowhere that may be replaced.
    pub program: Option<PathBuf>,
    /// How an update is tried before it is installed.
    pub trial: TrialTime,
}

/// How long an update is tried. It must check in, and once more on a new connection after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialTime {
    /// For both check-ins together.
    pub deadline: Duration,
    /// Between the two.
    pub pause: Duration,
}

impl Default for TrialTime {
    fn default() -> Self {
        Self { deadline: Duration::from_mins(3), pause: Duration::from_secs(20) }
    }
}

impl Build {
    /// The agent in another program: whoever built that one updates it.
    ///
    /// # Panics
    /// Never: this crate's version and platform are well-formed.
    #[must_use]
    pub fn embedded() -> Self {
        let target = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        Self {
            version: env!("CARGO_PKG_VERSION").parse().expect("cargo's versions are semantic"),
            target: target.parse().expect("Rust's names of platforms are plain"),
            keys: SigningKeys::default(),
            program: None,
            trial: TrialTime::default(),
        }
    }

    /// The stock program: the keys of `VIGO_AGENT_SIGNING_PUBKEY` when it was compiled, and the place that it was
    /// started from. A compiled-in key that proves nothing is none, and that is logged.
    #[must_use]
    pub fn stock() -> Self {
        let text = option_env!("VIGO_AGENT_SIGNING_PUBKEY").unwrap_or_default();
        let keys = text.parse().unwrap_or_else(|error| {
            tracing::error!(%error, "the compiled-in signing key is refused: this agent takes no updates");
            SigningKeys::default()
        });
        // Asked at the start: once the file was replaced, some systems answer with where the old one went.
        let program = std::env::current_exe().ok();
        Self { keys, program, ..Self::embedded() }
    }

    pub(crate) fn program(&self) -> Result<&Path, UpdateError> {
        self.program.as_deref().ok_or(UpdateError::NoProgram)
    }

    /// What this agent says of itself.
    pub(crate) fn platform(&self) -> vigo_core::Platform {
        vigo_core::Platform {
            agent_version: self.version.to_string(),
            os: self.target.os().to_owned(),
            arch: self.target.arch().to_owned(),
        }
    }
}

/// `SIGN_KEY` names the private key for `cargo xtask dist-agent`, which derives the public one. A build that is given the
/// first alone would take no updates, and nobody would notice until the first one.
const _: () = assert!(
    option_env!("SIGN_KEY").is_none() || option_env!("VIGO_AGENT_SIGNING_PUBKEY").is_some(),
    "SIGN_KEY is set and VIGO_AGENT_SIGNING_PUBKEY is not: build agents with `cargo xtask dist-agent`"
);
