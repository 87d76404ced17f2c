//! `server.yaml`: what an operator may set, refused with file, line and column where it cannot be meant.

mod keys;
mod read;
mod value;

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

pub use keys::{KEYS, Key};
pub use read::ConfigError;
pub use value::{BuildKeys, Cost, Listen, Network, Networks, Pattern, Span};

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
    /// The public keys of which one must have signed a build, at most two; empty: those that the server was built with.
    pub signing_keys: BuildKeys,
}

/// `stacks:`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StacksSection {
    /// A folder with `.vgo` files.
    pub dir: PathBuf,
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
        Self { dir: "agents".into(), signing_keys: BuildKeys::default() }
    }
}

impl Default for StacksSection {
    fn default() -> Self {
        Self { dir: "stacks".into() }
    }
}
