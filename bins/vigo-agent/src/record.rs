use std::path::Path;

use serde::{Deserialize, Serialize};
use vigo_ca::files::{self, FileError};
use vigo_core::{EnvoyId, UnixTime};

use crate::{Policy, stamp};

/// What whoever checks in writes down for `vigo status`, after every attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The envoy that it is of.
    pub envoy_id: String,
    /// The last check-in that was tried.
    #[serde(with = "stamp", default)]
    pub last_attempt_at: Option<UnixTime>,
    /// The last one that was accepted.
    #[serde(with = "stamp", default)]
    pub last_success_at: Option<UnixTime>,
    /// The last one that was not, if none was accepted since.
    #[serde(default)]
    pub last_failure: Option<FailureRecord>,
    /// When the daemon tries again.
    #[serde(with = "stamp", default)]
    pub next_check_in_at: Option<UnixTime>,
    /// Since when the server says that this envoy is revoked.
    #[serde(with = "stamp", default)]
    pub revoked_at: Option<UnixTime>,
    /// The policy held.
    #[serde(default)]
    pub policy: PolicyRecord,
}

/// A check-in that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// When.
    #[serde(with = "stamp", default)]
    pub at: Option<UnixTime>,
    /// A stable `snake_case` code.
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// The policy held, as `status` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// Whether a verified bundle is on disk.
    pub cached: bool,
    /// Its version.
    pub version: Option<String>,
    /// Its configcrates, in order.
    pub configcrates: Vec<String>,
    /// The number of its resources.
    pub resources: usize,
}

impl Record {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(envoy: EnvoyId, policy: &Policy) -> Self {
        Self {
            envoy_id: envoy.to_string(),
            last_attempt_at: None,
            last_success_at: None,
            last_failure: None,
            next_check_in_at: None,
            revoked_at: None,
            policy: PolicyRecord::of(policy),
        }
    }

    /// Reads what was written of this envoy; `None` where nothing was, or nothing that can be read.
    #[must_use]
    pub fn read(path: &Path, envoy: EnvoyId) -> Option<Self> {
        let text = files::read_private(path).ok()?;
        serde_json::from_str::<Self>(&text).ok().filter(|record| record.envoy_id == envoy.to_string())
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        files::replace_private(path, text.as_bytes())
    }

    pub(crate) fn accepted(&mut self, now: UnixTime) {
        self.last_attempt_at = Some(now);
        self.last_success_at = Some(now);
        self.last_failure = None;
        self.revoked_at = None;
    }

    pub(crate) fn failed(&mut self, now: UnixTime, code: &str, message: &str) {
        self.last_attempt_at = Some(now);
        self.last_failure = Some(FailureRecord { at: Some(now), code: code.to_owned(), message: message.to_owned() });
        self.revoked_at = (code == "envoy_revoked").then(|| self.revoked_at.unwrap_or(now));
    }
}

impl PolicyRecord {
    pub(crate) fn of(policy: &Policy) -> Self {
        policy.held().map_or_else(Self::default, |held| Self {
            cached: true,
            version: Some(held.state.version.clone()),
            configcrates: held.bundle.configcrates.iter().map(|crate_| crate_.name.clone()).collect(),
            resources: held.bundle.resources(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_written_and_read_by_its_own_envoy_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status.json");
        let envoy = EnvoyId::from_random([1; 16]);
        let mut record = Record::new(envoy, &Policy::default());
        record.accepted(UnixTime::from_secs(1_700_000_000));
        record.failed(UnixTime::from_secs(1_700_000_300), "envoy_revoked", "revoked");
        record.failed(UnixTime::from_secs(1_700_000_600), "envoy_revoked", "revoked");
        assert_eq!(record.revoked_at, Some(UnixTime::from_secs(1_700_000_300)), "since the first time");
        record.write(&path).unwrap();
        assert_eq!(Record::read(&path, envoy), Some(record.clone()));
        assert_eq!(Record::read(&path, EnvoyId::from_random([2; 16])), None);
        assert!(std::fs::read_to_string(&path).unwrap().contains("\"last_success_at\": \"2023-11-14T22:13:20Z\""));
        record.accepted(UnixTime::from_secs(1_700_000_900));
        assert_eq!((record.revoked_at, &record.last_failure), (None, &None));
    }
}
