use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use rustls_pki_types::ServerName;
use vigo_core::Hostname;

/// A server's name or address, and the port.
///
/// ```
/// use vigo_agent::ServerAddr;
/// let server: ServerAddr = "fleet.example.com".parse().unwrap();
/// assert_eq!(server.to_string(), "fleet.example.com:1530");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddr {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(Hostname),
    Ip(IpAddr),
}

/// The address of a server's HTTPS side: `https://HOST:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiAddr(ServerAddr);

/// Why a text is no address of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddrError {
    /// Neither a name nor an address stands before the port.
    #[error("`{0}` is no host name and no IP address")]
    Host(String),
    /// What follows the last colon is no port.
    #[error("`{0}` is no port: a number from 1 to 65535 expected")]
    Port(String),
    /// Not an `https://` address, or something follows the port.
    #[error("`{0}` is not of the form https://HOST:8443")]
    Url(String),
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

impl ServerAddr {
    /// The port of gRPC where none is named.
    pub const PORT: u16 = 1530;

    fn parse(text: &str, default: u16) -> Result<Self, AddrError> {
        if let Ok(ip) = text.parse::<Ipv6Addr>() {
            return Ok(Self { host: Host::Ip(ip.into()), port: default });
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (ip, port) = rest.split_once(']').ok_or_else(|| AddrError::Host(shown(text)))?;
                let ip: Ipv6Addr = ip.parse().map_err(|_| AddrError::Host(shown(ip)))?;
                let port = match port {
                    "" => None,
                    port => Some(port.strip_prefix(':').ok_or_else(|| AddrError::Port(shown(port)))?),
                };
                (Host::Ip(ip.into()), port)
            }
            None => {
                let (host, port) = match text.rsplit_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (text, None),
                };
                let host = match host.parse::<IpAddr>() {
                    Ok(ip) => Host::Ip(ip),
                    Err(_) => Host::Name(host.parse().map_err(|_| AddrError::Host(shown(host)))?),
                };
                (host, port)
            }
        };
        let port = match port {
            None => default,
            Some(port) => port
                .parse::<u16>()
                .ok()
                .filter(|&number| number > 0 && port.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| AddrError::Port(shown(port)))?,
        };
        Ok(Self { host, port })
    }

    /// The host, without brackets, as a resolver takes it.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.to_string(),
            Host::Ip(ip) => ip.to_string(),
        }
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The name or address that the server's certificate must be for.
    #[must_use]
    pub fn server_name(&self) -> ServerName<'static> {
        match &self.host {
            Host::Ip(ip) => ServerName::from(*ip),
            Host::Name(name) => ServerName::try_from(name.to_string())
                .expect("a hostname of ours is a DNS name, its rules are stricter"),
        }
    }

    /// The same host's HTTPS side, at its usual port.
    #[must_use]
    pub fn api(&self) -> ApiAddr {
        ApiAddr(Self { host: self.host.clone(), port: ApiAddr::PORT })
    }
}

impl FromStr for ServerAddr {
    type Err = AddrError;

    fn from_str(text: &str) -> Result<Self, AddrError> {
        Self::parse(text, Self::PORT)
    }
}

impl fmt::Display for ServerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(ip) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl ApiAddr {
    /// The port of HTTPS where none is named.
    pub const PORT: u16 = 8443;

    /// The same host's gRPC side, at its usual port.
    #[must_use]
    pub fn server(&self) -> ServerAddr {
        ServerAddr { host: self.0.host.clone(), port: ServerAddr::PORT }
    }
}

impl FromStr for ApiAddr {
    type Err = AddrError;

    fn from_str(text: &str) -> Result<Self, AddrError> {
        let url = || AddrError::Url(shown(text));
        let authority = text.strip_prefix("https://").ok_or_else(url)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(url());
        }
        ServerAddr::parse(authority, Self::PORT).map(Self)
    }
}

impl fmt::Display for ApiAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = match text.parse::<ServerAddr>() {
            Ok(server) => format!("{server} {:?}", server.server_name()),
            Err(error) => error.to_string(),
        };
        assert!(shown.starts_with(expected), "{text}: {shown}");
    }

    #[test]
    fn servers() {
        check("fleet.example.com:1530", "fleet.example.com:1530 DnsName");
        check("Fleet.Example.com", "fleet.example.com:1530 DnsName");
        check("10.0.0.7:99", "10.0.0.7:99 IpAddress");
        check("10.0.0.7", "10.0.0.7:1530 IpAddress");
        check("::1", "[::1]:1530 IpAddress");
        check("[::1]", "[::1]:1530 IpAddress");
        check("[fd00::7]:99", "[fd00::7]:99 IpAddress");
        check("", "`` is no host name");
        check(":1530", "`` is no host name");
        check("a b:1530", "`a b` is no host name");
        check("https://x:1530", "`https://x` is no host name");
        check("x:", "`` is no port");
        check("x:0", "`0` is no port");
        check("x:65536", "`65536` is no port");
        check("x:+1", "`+1` is no port");
        check("[::1]99", "`99` is no port");
        check("[x]:99", "`x` is no host name");
    }

    #[track_caller]
    fn check_api(text: &str, expected: &str) {
        let shown = match text.parse::<ApiAddr>() {
            Ok(api) => format!("{api} {}", api.server()),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn https_sides() {
        check_api("https://fleet.example.com:8443", "https://fleet.example.com:8443 fleet.example.com:1530");
        check_api("https://fleet.example.com", "https://fleet.example.com:8443 fleet.example.com:1530");
        check_api("https://[::1]:99/", "https://[::1]:99 [::1]:1530");
        check_api("http://x", "`http://x` is not of the form https://HOST:8443");
        check_api("https://x/y", "`https://x/y` is not of the form https://HOST:8443");
        check_api("https://a@x", "`https://a@x` is not of the form https://HOST:8443");
        assert_eq!("x:7".parse::<ServerAddr>().unwrap().api().to_string(), "https://x:8443");
    }
}
