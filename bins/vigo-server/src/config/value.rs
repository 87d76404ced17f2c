//! The values of `server.yaml`: each cannot be wrong once it was read.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use vigo_core::{Cidr, HostPattern, SigningKeys, SigningKeysError};

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

/// The keys that sign builds of the agent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct BuildKeys(pub SigningKeys);

impl TryFrom<Vec<String>> for BuildKeys {
    type Error = String;

    fn try_from(keys: Vec<String>) -> Result<Self, String> {
        let parsed: SigningKeys = keys.join(",").parse().map_err(|error: SigningKeysError| error.to_string())?;
        if parsed.as_slice().len() < keys.len() {
            return Err("a signing key of zero bytes is none: leave it out".into());
        }
        Ok(Self(parsed))
    }
}

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

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.ip().is_unspecified() { write!(f, ":{}", self.0.port()) } else { self.0.fmt(f) }
    }
}
