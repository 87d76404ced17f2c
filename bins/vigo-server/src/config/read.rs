//! Reading `server.yaml`.

use std::path::{Path, PathBuf};

use crate::config::Config;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; `vigo-server quickstart` makes a home with one, or name it with --config", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is in it cannot be meant.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What and how to mend it.
        message: String,
    },
}

impl Config {
    /// Reads a file. Relative paths in it are relative to its folder: see [`Config::home_of`].
    ///
    /// # Errors
    /// When it cannot be read, has an unknown key, or a value that cannot be meant.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        Self::parse(&text, path)
    }

    /// Parses the text of a file; `path` is for its errors.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Self::default());
        }
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            ConfigError::Wrong { path: path.into(), line, column, message: message(&error) }
        })
    }

    /// The home that relative paths of a configuration file are relative to.
    #[must_use]
    pub fn home_of(path: &Path) -> PathBuf {
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
            _ => PathBuf::from("."),
        }
    }
}

/// The parser's sentence, without the position that it repeats.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    // What the program could set, and the operator cannot.
    let first = first.replace(", set DuplicateKeyPolicy in Options if acceptable", "");
    let end = first.rfind(" at line ").or_else(|| first.rfind(" (line ")).unwrap_or(first.len());
    let start = first.find("error: ").map_or(0, |at| at + "error: ".len());
    first.get(start..end).unwrap_or(&first).to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::ReenrollMode;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = Config::parse(text, Path::new("server.yaml")).map(|_| "accepted").unwrap_err();
        assert_eq!(error.to_string(), format!("server.yaml:{expected}"));
    }

    #[test]
    fn an_empty_file_is_the_default() {
        for text in ["", "# nothing\n", "server: {}\n"] {
            let config = Config::parse(text, Path::new("server.yaml")).unwrap();
            assert_eq!(config.server.grpc_listen.to_string(), ":1530");
            assert_eq!(config.checkin.interval.0, Duration::from_secs(300));
            assert_eq!(config.bootstrap.reenroll, ReenrollMode::Token);
        }
    }

    #[test]
    fn rule_07_what_cannot_be_meant_is_refused_with_its_place() {
        check(
            "server:\n  hostnam: x\n",
            "2:3: unknown field `hostnam`, expected one of grpc_listen, api_listen, hostname, tls, tls_sans, api_tls, \
             trusted_proxies",
        );
        let rule = |pattern: &str, cidrs: &str| {
            format!("bootstrap:\n  trusted_enrollment:\n    - pattern: '{pattern}'\n      cidrs: {cidrs}\n")
        };
        check(
            &rule("[a]", "[10.0.0.0/8]"),
            "3:16: `[a]`: `[` is not a sign of host patterns: `*` is one or more characters, `?` one that is no dot",
        );
        check(
            &rule("*.a", "[]"),
            "4:14: an empty list of networks admits nobody: name one, `0.0.0.0/0` and `::/0` for any",
        );
        check(
            &rule("*.a", "[10.0.0.1/8]"),
            "4:15: 10.0.0.1/8 has host bits set: write 10.0.0.0/8, or 10.0.0.1/32 for the one host",
        );
        check("bootstrap:\n  trusted_enrollment:\n    - pattern: '*.a'\n", "3:7: missing field `cidrs`");
        let span = "is no length of time: write `30s`, `5m` or `8760h`, one second at least";
        check("checkin:\n  interval: soon\n", &format!("2:13: `soon` {span}"));
        check("checkin:\n  interval: 0s\n", &format!("2:13: `0s` {span}"));
        check("store:\n  engine: oracle\n", "2:11: unknown variant `oracle`, expected one of redb");
        check(
            "server:\n  grpc_listen: 1530\n",
            "2:16: `1530` is no listening address: write `:1530`, `10.0.0.1:1530` or `[::1]:1530`",
        );
        check("bootstrap:\n  token_hash: {cost: 40}\n", "2:22: cost 40: bcrypt's cost is 4 to 16 here");
        check("bootstrap:\n  reenroll: maybe\n", "2:13: unknown variant `maybe`, expected one of proof, token, any");
        check("bootstrap: 7\n", "1:12: expected mapping start");
        check("server: [1\n", "1:9: expected mapping start");
        check("server:\n  tls_sans: [a]\n  tls_sans: [b]\n", "3:3: duplicate mapping key: tls_sans");
        check("server:\n\tx: 1\n", "2:2: tabs disallowed within this context (block indentation)");
    }
}
