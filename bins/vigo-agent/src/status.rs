use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::record::{FailureRecord, PolicyRecord};
use crate::update::{Build, Ledger};
use crate::{Config, Paths, Record, Trust, stamp};

/// What `vigo status` shows: who this machine is, what it holds, when it last spoke. Read beside the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    envoy_id: String,
    server: String,
    api_addr: String,
    server_id: String,
    hostname: String,
    data_directory: String,
    state_store: String,
    trusted_by: Trust,
    service: ServiceState,
    policy: PolicyRecord,
    #[serde(with = "stamp")]
    last_attempt_at: Option<vigo_core::UnixTime>,
    #[serde(with = "stamp")]
    last_success_at: Option<vigo_core::UnixTime>,
    last_failure: Option<FailureRecord>,
    #[serde(with = "stamp")]
    next_check_in_at: Option<vigo_core::UnixTime>,
    #[serde(with = "stamp")]
    revoked_at: Option<vigo_core::UnixTime>,
    updates: Updates,
}

/// By which keys updates are taken, and what became of the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Updates {
    /// The version that this program is.
    version: String,
    /// The pins of the keys; with none every update is refused.
    signed_by: Vec<String>,
    /// The version that is not run, a code and a sentence.
    last_failure: Option<(String, String, String)>,
}

impl Updates {
    pub(crate) fn of(paths: &Paths, build: &Build) -> Self {
        let last_failure = match Ledger::read(paths) {
            Ok(ledger) => ledger.report().0.map(|failed| (failed.version.to_string(), failed.why)),
            Err(error) => Some((build.version.to_string(), error.notice())),
        };
        Self {
            version: build.version.to_string(),
            signed_by: build.keys.as_slice().iter().map(|key| key.pin().to_string()).collect(),
            last_failure: last_failure.map(|(version, why)| (version, why.code, why.message)),
        }
    }
}

/// Whether a daemon answers on its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// One does.
    Running,
    /// None does.
    NotRunning,
}

impl Status {
    /// From what is on disk. `policy` is what the cached bundle says now, whatever was written down of it.
    #[must_use]
    pub fn new(
        paths: &Paths,
        config: &Config,
        record: Option<Record>,
        policy: PolicyRecord,
        service: ServiceState,
    ) -> Self {
        let (last_attempt_at, last_success_at, last_failure, next_check_in_at, revoked_at) = match record {
            Some(r) => (r.last_attempt_at, r.last_success_at, r.last_failure, r.next_check_in_at, r.revoked_at),
            None => (None, None, None, None, None),
        };
        Self {
            envoy_id: config.envoy.to_string(),
            server: config.server.to_string(),
            api_addr: config.api.to_string(),
            server_id: config.server_id.to_string(),
            hostname: config.hostname.to_string(),
            data_directory: paths.config_dir().display().to_string(),
            state_store: paths.state_dir().display().to_string(),
            trusted_by: config.trust,
            service,
            policy,
            last_attempt_at,
            last_success_at,
            last_failure,
            next_check_in_at: next_check_in_at.filter(|_| service == ServiceState::Running),
            revoked_at,
            updates: Updates::default(),
        }
    }

    pub(crate) fn with_updates(self, updates: Updates) -> Self {
        Self { updates, ..self }
    }

    /// For a person, times in `zone`.
    #[must_use]
    pub fn text(&self, zone: &TimeZone) -> String {
        let time = |time: Option<vigo_core::UnixTime>| {
            time.map_or_else(|| "never".to_owned(), |time| stamp::local(time, zone))
        };
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{label}{value}");
        };
        line("Envoy ID: ", &self.envoy_id);
        line("Server: ", &self.server);
        line("Data directory: ", &self.data_directory);
        line("State store: ", &self.state_store);
        line("", "");
        line("Policy:", "");
        line("  Cached: ", if self.policy.cached { "yes" } else { "no" });
        line("  Version: ", self.policy.version.as_deref().unwrap_or("none"));
        line("  Configcrates: ", &crates(&self.policy.configcrates));
        line("  Resources: ", &self.policy.resources.to_string());
        line("", "");
        line("Hostname: ", &self.hostname);
        line("Last check-in: ", &time(self.last_success_at));
        if let Some(failure) = &self.last_failure {
            line("Last failure: ", &format!("{} {}: {}", time(failure.at), failure.code, failure.message));
        }
        if let Some(revoked) = self.revoked_at {
            let since = stamp::local(revoked, zone);
            line("Revoked: ", &format!("yes, known since {since}; register again to rejoin"));
        }
        if let Some(next) = self.next_check_in_at {
            line("Next check-in: ", &stamp::local(next, zone));
        }
        line(
            "Trusted by: ",
            match self.trusted_by {
                Trust::CaPin => "CA pin",
                Trust::LeafPin => "pin of the server's own key",
                Trust::FirstUse => "first use (no pin was given; compare with `vigocli ca show`)",
            },
        );
        line(
            "Service: ",
            match self.service {
                ServiceState::Running => "running",
                ServiceState::NotRunning => "not running",
            },
        );
        if !self.updates.version.is_empty() {
            line("Version: ", &self.updates.version);
            line(
                "Updates: ",
                &match self.updates.signed_by.as_slice() {
                    [] => "refused (this agent was built without a signing key)".to_owned(),
                    keys => format!("signed by {}", keys.join(" or ")),
                },
            );
        }
        if let Some((version, code, message)) = &self.updates.last_failure {
            line("Last update: ", &format!("{version} {code}: {message}"));
        }
        text
    }
}

/// `3 (base, web, …)`: how many, and the first two.
fn crates(names: &[String]) -> String {
    match names {
        [] => "0".to_owned(),
        [one] => format!("1 ({one})"),
        [one, two] => format!("2 ({one}, {two})"),
        [one, two, ..] => format!("{} ({one}, {two}, …)", names.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::sample;
    use vigo_core::UnixTime;

    fn paths() -> Paths {
        Paths::new("/etc/vigo-envoy".into(), "/var/lib/vigo/state".into())
    }

    #[test]
    fn the_text_of_a_healthy_envoy() {
        let policy = PolicyRecord {
            cached: true,
            version: Some("0f1e2d3c4b5a".into()),
            configcrates: vec!["base".into(), "web".into(), "tls".into()],
            resources: 7,
        };
        let mut record = Record::new(sample().envoy, &crate::Policy::default());
        record.accepted(UnixTime::from_secs(1_700_000_000));
        record.next_check_in_at = Some(UnixTime::from_secs(1_700_000_300));
        let status = Status::new(&paths(), &sample(), Some(record), policy, ServiceState::Running);
        assert_eq!(
            status.text(&TimeZone::UTC),
            "Envoy ID: 07070707-0707-4707-8707-070707070707\n\
             Server: fleet.example.com:1530\n\
             Data directory: /etc/vigo-envoy\n\
             State store: /var/lib/vigo/state\n\
             \n\
             Policy:\n\
             \x20 Cached: yes\n\
             \x20 Version: 0f1e2d3c4b5a\n\
             \x20 Configcrates: 3 (base, web, …)\n\
             \x20 Resources: 7\n\
             \n\
             Hostname: web3.example.com\n\
             Last check-in: 2023-11-14 22:13\n\
             Next check-in: 2023-11-14 22:18\n\
             Trusted by: CA pin\n\
             Service: running\n"
        );
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["envoy_id"], "07070707-0707-4707-8707-070707070707");
        assert_eq!(json["last_success_at"], "2023-11-14T22:13:20Z");
        assert_eq!(json["policy"]["configcrates"][2], "tls");
        assert_eq!(json["service"], "running");
    }

    #[test]
    fn rule_01_the_text_after_a_first_use_and_a_revocation() {
        let mut record = Record::new(sample().envoy, &crate::Policy::default());
        record.failed(UnixTime::from_secs(1_700_000_000), "envoy_revoked", "This envoy was revoked");
        let config = Config { trust: Trust::FirstUse, ..sample() };
        let status = Status::new(&paths(), &config, Some(record), PolicyRecord::default(), ServiceState::NotRunning);
        let text = status.text(&TimeZone::UTC);
        let tail = text.split_once("Policy:\n").unwrap().1;
        assert_eq!(
            tail,
            "\x20 Cached: no\n\
             \x20 Version: none\n\
             \x20 Configcrates: 0\n\
             \x20 Resources: 0\n\
             \n\
             Hostname: web3.example.com\n\
             Last check-in: never\n\
             Last failure: 2023-11-14 22:13 envoy_revoked: This envoy was revoked\n\
             Revoked: yes, known since 2023-11-14 22:13; register again to rejoin\n\
             Trusted by: first use (no pin was given; compare with `vigocli ca show`)\n\
             Service: not running\n"
        );
    }

    #[test]
    fn how_configcrates_are_counted() {
        let names = |n: usize| (0..n).map(|i| format!("c{i}")).collect::<Vec<_>>();
        assert_eq!(crates(&names(0)), "0");
        assert_eq!(crates(&names(1)), "1 (c0)");
        assert_eq!(crates(&names(2)), "2 (c0, c1)");
        assert_eq!(crates(&names(3)), "3 (c0, c1, …)");
    }
}
