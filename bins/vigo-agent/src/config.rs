use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vigo_ca::files::{self, FileError};
use vigo_core::{EnvoyId, Hostname, ServerId};

use crate::{ApiAddr, ServerAddr};

/// The configuration of an enrolled machine. That its file names an envoy is what makes that enrolment the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who this machine is.
    pub envoy: EnvoyId,
    /// Where it checks in.
    pub server: ServerAddr,
    /// The server's HTTPS side.
    pub api: ApiAddr,
    /// The fleet that it belongs to.
    pub server_id: ServerId,
    /// The name that it is known by.
    pub hostname: Hostname,
    /// How often it checks in, until a reply says otherwise.
    pub interval: Duration,
    /// How the server was trusted at first contact.
    pub trust: Trust,
}

/// How a server was trusted at first contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Its CA had a pin that was given.
    CaPin,
    /// Its own key had a pin that was given.
    LeafPin,
    /// No pin was given: whoever answered was trusted.
    FirstUse,
}

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// This machine is not enrolled.
    #[error("this machine is not enrolled: {} does not exist", path.display())]
    NotEnrolled {
        /// Where the configuration would be.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error(transparent)]
    File(FileError),
    /// The file is no configuration.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where they are known.
        message: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    envoy_id: String,
    server: String,
    api_addr: String,
    server_id: String,
    hostname: String,
    interval: String,
    identity: String,
    trusted_by: Trust,
}

const HEADER: &str =
    "# Written by `vigo register`. Everything here was told by the server; to change it, register again.\n";

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// `NotEnrolled` when it is not there; else what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = match files::read_private(path) {
            Ok(text) => text,
            Err(FileError::Absent { .. }) => return Err(ConfigError::NotEnrolled { path: path.to_owned() }),
            Err(error) => return Err(ConfigError::File(error)),
        };
        Self::parse(&text).map_err(|message| ConfigError::Syntax { path: path.to_owned(), message })
    }

    /// Replaces the file. After this the enrolment counts.
    ///
    /// # Errors
    /// When the system refuses; then the old one still counts.
    pub fn write(&self, path: &Path) -> Result<(), ConfigError> {
        let text = self.text().map_err(|message| ConfigError::Syntax { path: path.to_owned(), message })?;
        files::replace_private(path, text.as_bytes()).map_err(ConfigError::File)
    }

    fn text(&self) -> Result<String, String> {
        let text = Text {
            envoy_id: self.envoy.to_string(),
            server: self.server.to_string(),
            api_addr: self.api.to_string(),
            server_id: self.server_id.to_string(),
            hostname: self.hostname.to_string(),
            interval: format!("{}s", self.interval.as_secs()),
            identity: format!("envoys/{}", self.envoy),
            trusted_by: self.trust,
        };
        serde_saphyr::to_string(&text).map(|yaml| format!("{HEADER}{yaml}")).map_err(|error| error.to_string())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text: Text = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        fn field<T, E: std::fmt::Display>(name: &str, parsed: Result<T, E>) -> Result<T, String> {
            parsed.map_err(|error| format!("{name}: {error}"))
        }
        let envoy: EnvoyId = field("envoy_id", text.envoy_id.parse())?;
        if text.identity != format!("envoys/{envoy}") {
            return Err(format!("identity: envoys/{envoy} expected, the folder of this envoy"));
        }
        let interval: jiff::SignedDuration = field("interval", text.interval.parse())?;
        let interval = Duration::try_from(interval).ok().filter(|&span| span >= Duration::from_secs(1));
        Ok(Self {
            envoy,
            server: field("server", text.server.parse())?,
            api: field("api_addr", text.api_addr.parse())?,
            server_id: field("server_id", text.server_id.parse())?,
            hostname: field("hostname", text.hostname.parse())?,
            interval: interval.ok_or("interval: at least 1s expected")?,
            trust: text.trusted_by,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Config {
        Config {
            envoy: EnvoyId::from_random([7; 16]),
            server: "fleet.example.com:1530".parse().unwrap(),
            api: "https://fleet.example.com:8443".parse().unwrap(),
            server_id: ServerId::from_random([9; 16]),
            hostname: "web3.example.com".parse().unwrap(),
            interval: Duration::from_secs(300),
            trust: Trust::CaPin,
        }
    }

    #[test]
    fn written_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        assert!(matches!(Config::read(&path), Err(ConfigError::NotEnrolled { .. })));
        sample().write(&path).unwrap();
        assert_eq!(Config::read(&path).unwrap(), sample());
        assert_eq!(
            sample().text().unwrap().lines().skip(1).collect::<Vec<_>>(),
            [
                "envoy_id: 07070707-0707-4707-8707-070707070707",
                "server: fleet.example.com:1530",
                "api_addr: https://fleet.example.com:8443",
                "server_id: \"09090909090909090909090909090909\"",
                "hostname: web3.example.com",
                "interval: 300s",
                "identity: envoys/07070707-0707-4707-8707-070707070707",
                "trusted_by: ca-pin",
            ]
        );
    }

    #[test]
    fn names_that_yaml_reads_as_something_else_are_names() {
        for name in ["null", "true", "no", "1e5", "123456789012", "0xffffffffff", "inf", "2026-01-01"] {
            let config = Config { hostname: name.parse().unwrap(), ..sample() };
            assert_eq!(Config::parse(&config.text().unwrap()), Ok(config), "{name}");
        }
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        let text = sample().text().unwrap().replace(from, to);
        let error = Config::parse(&text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_no_configuration() {
        check("trusted_by:", "trustedby:", "trustedby");
        check("interval: 300s", "interval: soon", "interval: ");
        check("interval: 300s", "interval: 0s", "interval: at least 1s expected");
        check("interval: 300s", "interval: -5m", "interval: at least 1s expected");
        check("identity: envoys/07", "identity: ../07", "identity: envoys/07070707");
        check("web3.example.com", "web_3", "hostname: ");
        check("fleet.example.com:1530", "fleet:none", "server: `none` is no port");
    }
}
