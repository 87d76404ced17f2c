//! `server.yaml`: what an operator may set, refused with file, line and column where it cannot be meant.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use vigo_core::{Cidr, HostPattern};

/// The whole of `server.yaml`. Every key may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Listeners, names, certificates.
    pub server: ServerSection,
    /// Who may enrol.
    pub bootstrap: BootstrapSection,
    /// The rhythm of check-ins.
    pub checkin: CheckInSection,
    /// Where facts are kept.
    pub store: StoreSection,
    /// The agent binaries on offer.
    pub agents: AgentsSection,
    /// The policies.
    pub stacks: StacksSection,
}

/// `server:`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// Where agents enrol and check in.
    pub grpc_listen: Listen,
    /// Where bootstrap and the API are.
    pub api_listen: Listen,
    /// The name or address that agents are told to dial; unset: found out at the start.
    pub hostname: Option<String>,
    /// Certificate and key files.
    pub tls: TlsFiles,
    /// More names and addresses for the server's certificate.
    pub tls_sans: Vec<String>,
    /// A publicly trusted certificate for the API alone.
    pub api_tls: Option<ApiTls>,
    /// The proxies whose forwarding headers count.
    pub trusted_proxies: Vec<Network>,
}

/// `server.tls:`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsFiles {
    /// The server's certificate.
    pub cert_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
    /// The fleet's CA.
    pub ca_file: PathBuf,
    /// The CA's key; empty: this server enrols nobody.
    pub ca_key_file: PathBuf,
}

/// `server.api_tls:`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiTls {
    /// The certificate chain, PEM.
    pub cert_file: PathBuf,
    /// Its key, PEM.
    pub key_file: PathBuf,
}

/// `bootstrap:`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BootstrapSection {
    /// Hostnames that may enrol from a network without a token.
    pub trusted_enrollment: Vec<TrustedEnrollment>,
    /// How long an envoy's certificate is valid.
    pub cert_validity: Span,
    /// What may replace an active envoy of the same name.
    pub reenroll: ReenrollMode,
    /// The cost of hashing tokens.
    pub token_hash: TokenHash,
}

/// One entry of `bootstrap.trusted_enrollment`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedEnrollment {
    /// The hostnames.
    pub pattern: Pattern,
    /// The networks; at least one.
    pub cidrs: Networks,
}

/// `bootstrap.reenroll`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReenrollMode {
    /// The old identity's signature, or an operator's leave.
    Proof,
    /// That, or a token for exactly that name.
    #[default]
    Token,
    /// Whatever way in.
    Any,
}

/// `bootstrap.token_hash:`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenHash {
    /// bcrypt's cost, 4 to 16.
    pub cost: Cost,
}

/// `checkin:`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckInSection {
    /// How often an envoy checks in.
    pub interval: Span,
}

/// `store:`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// Which engine.
    pub engine: Engine,
    /// The file of the embedded one.
    pub path: PathBuf,
}

/// `store.engine`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// One file in the server's home.
    #[default]
    Redb,
}

/// `agents:`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentsSection {
    /// A folder with `<os>-<arch>/vigo`.
    pub dir: PathBuf,
}

/// `stacks:`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StacksSection {
    /// A folder with `.vgo` files.
    pub dir: PathBuf,
}

/// A listening address: `:1530`, `10.0.0.1:1530`, `[::1]:1530`. Without a host: every address, IPv4 and IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(pub SocketAddr);

/// A pattern over hostnames.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(pub HostPattern);

/// A network.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub Cidr);

/// Networks, at least one.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<Network>")]
pub struct Networks(pub Vec<Cidr>);

/// A length of time: `30s`, `5m`, `8760h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

/// bcrypt's cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Cost(pub u32);

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no listening address: write `:1530`, `10.0.0.1:1530` or `[::1]:1530`");
        match text.strip_prefix(':') {
            Some(port) => {
                let port = u16::from_str(port).map_err(|_| wrong())?;
                Ok(Self(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))))
            }
            None => text.parse().map(Self).map_err(|_| wrong()),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error| format!("`{text}`: {error}"))
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: vigo_core::CidrError| error.to_string())
    }
}

impl TryFrom<Vec<Network>> for Networks {
    type Error = String;

    fn try_from(networks: Vec<Network>) -> Result<Self, String> {
        if networks.is_empty() {
            return Err("an empty list of networks admits nobody: name one, `0.0.0.0/0` and `::/0` for any".into());
        }
        Ok(Self(networks.into_iter().map(|n| n.0).collect()))
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let span: Option<Duration> =
            text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
        match span.filter(|span| span.as_secs() > 0) {
            Some(span) => Ok(Self(span)),
            None => Err(format!("`{text}` is no length of time: write `30s`, `5m` or `8760h`, one second at least")),
        }
    }
}

impl TryFrom<u32> for Cost {
    type Error = String;

    fn try_from(cost: u32) -> Result<Self, String> {
        if (4..=16).contains(&cost) {
            Ok(Self(cost))
        } else {
            Err(format!("cost {cost}: bcrypt's cost is 4 to 16 here"))
        }
    }
}

impl Default for ServerSection {
    fn default() -> Self {
        let any = |port| Listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
        Self {
            grpc_listen: any(1530),
            api_listen: any(8443),
            hostname: None,
            tls: TlsFiles::default(),
            tls_sans: Vec::new(),
            api_tls: None,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for TlsFiles {
    fn default() -> Self {
        Self {
            cert_file: "tls/cert".into(),
            key_file: "tls/key".into(),
            ca_file: "tls/ca".into(),
            ca_key_file: "tls/ca_key".into(),
        }
    }
}

impl Default for BootstrapSection {
    fn default() -> Self {
        Self {
            trusted_enrollment: Vec::new(),
            cert_validity: Span(Duration::from_hours(8760)),
            reenroll: ReenrollMode::default(),
            token_hash: TokenHash::default(),
        }
    }
}

impl Default for TokenHash {
    fn default() -> Self {
        Self { cost: Cost(10) }
    }
}

impl Default for CheckInSection {
    fn default() -> Self {
        Self { interval: Span(Duration::from_mins(5)) }
    }
}

impl Default for StoreSection {
    fn default() -> Self {
        Self { engine: Engine::Redb, path: "db/vigo.redb".into() }
    }
}

impl Default for AgentsSection {
    fn default() -> Self {
        Self { dir: "agents".into() }
    }
}

impl Default for StacksSection {
    fn default() -> Self {
        Self { dir: "stacks".into() }
    }
}

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
    let end = first.rfind(" at line ").or_else(|| first.rfind(" (line ")).unwrap_or(first.len());
    let start = first.find("error: ").map_or(0, |at| at + "error: ".len());
    first.get(start..end).unwrap_or(first).to_owned()
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.ip().is_unspecified() { write!(f, ":{}", self.0.port()) } else { self.0.fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = Config::parse(text, Path::new("server.yaml")).map(|_| "accepted").unwrap_err();
        assert_eq!(error.to_string(), expected);
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
        check("server:\n  hostnam: x\n", "server.yaml:2:3: x");
        check("bootstrap:\n  trusted_enrollment:\n    - pattern: '[a]'\n      cidrs: [10.0.0.0/8]\n", "x");
        check("bootstrap:\n  trusted_enrollment:\n    - pattern: '*.a'\n      cidrs: []\n", "x");
        check("bootstrap:\n  trusted_enrollment:\n    - pattern: '*.a'\n      cidrs: [10.0.0.1/8]\n", "x");
        check("checkin:\n  interval: soon\n", "x");
        check("checkin:\n  interval: 0s\n", "x");
        check("store:\n  engine: oracle\n", "x");
        check("server:\n  grpc_listen: 1530\n", "x");
        check("bootstrap:\n  token_hash: {cost: 40}\n", "x");
    }
}
