use std::path::{Path, PathBuf};

use vigo_core::EnvoyId;

/// Where the agent keeps its files: the configuration with the keys, and the state that a daemon writes.
///
/// ```
/// let paths = vigo_agent::Paths::new("/etc/vigo-envoy".into(), "/var/lib/vigo/state".into());
/// assert_eq!(paths.config().to_str(), Some("/etc/vigo-envoy/config"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    config_dir: PathBuf,
    state_dir: PathBuf,
}

impl Paths {
    /// The files of one enrolment's folder.
    pub(crate) const ENVOY_FILES: [&'static str; 5] = ["identity_key", "tls_key", "certificate", "ca", "server_key"];
    /// The files of a registration that is not finished.
    pub(crate) const PENDING_FILES: [&'static str; 4] = ["request", "identity_key", "tls_key", "csr"];
    /// The files of the state, but for its lock. What is not here is not ours, and `vigo uninstall` leaves it.
    pub(crate) const STATE_FILES: [&'static str; 3] = ["status.json", "bundle", "daemon.sock"];

    /// Those of this system, where no others are named.
    #[must_use]
    pub fn usual() -> Self {
        let places = crate::os::here().places();
        Self { config_dir: places.config_dir, state_dir: places.state_dir }
    }

    /// These two folders.
    #[must_use]
    pub const fn new(config_dir: PathBuf, state_dir: PathBuf) -> Self {
        Self { config_dir, state_dir }
    }

    /// The folder of the configuration, keys and certificates.
    #[must_use]
    pub fn config_dir(&self) -> &Path {
        &self.config_dir
    }

    /// The folder of the state.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The configuration. Replacing it is what makes an enrolment the current one.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.config_dir.join("config")
    }

    /// The folders of enrolments, by envoy id.
    #[must_use]
    pub fn envoys(&self) -> PathBuf {
        self.config_dir.join("envoys")
    }

    /// One enrolment's folder.
    #[must_use]
    pub fn envoy(&self, id: EnvoyId) -> PathBuf {
        self.envoys().join(id.to_string())
    }

    /// A registration that was drawn and is not finished.
    #[must_use]
    pub fn pending(&self) -> PathBuf {
        self.config_dir.join("pending")
    }

    /// Held by whoever changes enrolments.
    #[must_use]
    pub fn enrol_lock(&self) -> PathBuf {
        self.config_dir.join("lock")
    }

    /// Held by whoever checks in and writes the state.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.state_dir.join("lock")
    }

    /// What `vigo status` reads.
    #[must_use]
    pub fn status(&self) -> PathBuf {
        self.state_dir.join("status.json")
    }

    /// The policy bundle as it was received.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.state_dir.join("bundle")
    }

    /// The daemon's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.state_dir.join("daemon.sock")
    }
}
