use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vigo_core::{Hostname, HostnameError, Pin};

/// The port of an `https` address that names none.
const HTTPS_PORT: u16 = 443;

/// Whose certificate the HTTPS listener shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebCertificate {
    /// One of the server's own CA: nothing but a pin can check it.
    OwnCa,
    /// One that every system's root store verifies.
    PubliclyTrusted,
}

/// What the server's configuration puts into the script: parsed, so that it cannot be anything but a name and a number.
///
/// ```
/// use vigo_core::Pin;
/// use vigo_enroll::script::{OneLiner, ScriptValues, WebCertificate, bootstrap, one_liner};
/// let (ca, leaf) = (Pin::from([1; 32]), Pin::from([2; 32]));
/// let server = "vigo.example.com:1530";
/// let values = ScriptValues::new(server, "https://vigo.example.com:8443", ca, leaf, WebCertificate::OwnCa).unwrap();
/// assert!(bootstrap(&values).contains(&ca.to_string()));
/// let line = one_liner(&values, &OneLiner::default());
/// assert!(line.starts_with("curl -sSfk --pinnedpubkey 'sha256//"));
/// assert!(ScriptValues::new("$(reboot):1530", "https://a:8443", ca, leaf, WebCertificate::OwnCa).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptValues {
    server: Endpoint,
    api: Endpoint,
    server_text: String,
    api_text: String,
    ca_pin: Pin,
    leaf_pin: Pin,
    certificate: WebCertificate,
}

/// Why a value may not stand in the script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// The gRPC address has no port.
    #[error("`{0}` is no `host:port`, as in `vigo.example.com:1530`")]
    NoPort(String),
    /// A port that is no number from 1 to 65535.
    #[error("the port of `{0}` is no number from 1 to 65535")]
    Port(String),
    /// Not an `https` address.
    #[error("`{0}` does not start with `https://`")]
    NotHttps(String),
    /// More than a host and a port.
    #[error("`{0}` has more than a host and a port: user, path and query have no place in it")]
    MoreThanAuthority(String),
    /// An IPv6 address without its brackets, or with a zone.
    #[error("`{0}` has no IPv6 address in brackets, as in `[fd00::1]:1530`")]
    Ipv6(String),
    /// The host is no name.
    #[error("the host of `{text}`: {reason}")]
    Host {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: HostnameError,
    },
}

impl ScriptValues {
    /// Parses what the configuration says.
    ///
    /// - `server`: where agents dial gRPC, `host:port`.
    /// - `api_addr`: where they fetch by HTTPS, `https://host[:port]`.
    /// - `ca_pin`, `leaf_pin`: the keys of the server's own CA and of the certificate that it signed for itself.
    ///
    /// # Errors
    /// A [`ScriptError`] that names the value and what is wrong with it.
    pub fn new(
        server: &str,
        api_addr: &str,
        ca_pin: Pin,
        leaf_pin: Pin,
        certificate: WebCertificate,
    ) -> Result<Self, ScriptError> {
        let authority = api_addr.strip_prefix("https://").ok_or_else(|| ScriptError::NotHttps(api_addr.to_owned()))?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let api = Endpoint::parse(authority, Some(HTTPS_PORT))?;
        let server = Endpoint::parse(server, None)?;
        let (server_text, api_text) = (server.to_text(), format!("https://{}", api.to_text()));
        Ok(Self { server, api, server_text, api_text, ca_pin, leaf_pin, certificate })
    }

    /// Where agents dial gRPC, `host:port`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server_text
    }

    /// Where agents fetch by HTTPS, `https://host:port`, without a slash at the end.
    #[must_use]
    pub fn api_addr(&self) -> &str {
        &self.api_text
    }

    /// The CA's pin.
    #[must_use]
    pub const fn ca_pin(&self) -> Pin {
        self.ca_pin
    }

    pub(super) const fn endpoints(&self) -> (&Endpoint, &Endpoint) {
        (&self.server, &self.api)
    }

    pub(super) const fn certificate(&self) -> WebCertificate {
        self.certificate
    }

    /// The pin of the server's own certificate.
    #[must_use]
    pub const fn leaf_pin(&self) -> Pin {
        self.leaf_pin
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(Hostname),
    Address(IpAddr),
}

impl Endpoint {
    fn parse(text: &str, default_port: Option<u16>) -> Result<Self, ScriptError> {
        if text.contains(['/', '?', '#', '@']) {
            return Err(ScriptError::MoreThanAuthority(text.to_owned()));
        }
        let (host, port) = if text.starts_with('[') {
            let end = text.find(']').ok_or_else(|| ScriptError::Ipv6(text.to_owned()))?;
            let (host, port) = text.split_at(end + 1);
            if port.is_empty() { (host, None) } else { (host, port.strip_prefix(':').or(Some(port))) }
        } else {
            match text.split_once(':') {
                Some((_, port)) if port.contains(':') => return Err(ScriptError::Ipv6(text.to_owned())),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let port = match (port, default_port) {
            (Some(port), _) => parse_port(port).ok_or_else(|| ScriptError::Port(text.to_owned()))?,
            (None, Some(port)) => port,
            (None, None) => return Err(ScriptError::NoPort(text.to_owned())),
        };
        let host = if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Host::Address(inner.parse::<Ipv6Addr>().map_err(|_| ScriptError::Ipv6(text.to_owned()))?.into())
        } else if let Ok(address) = host.parse::<Ipv4Addr>() {
            Host::Address(address.into())
        } else {
            Host::Name(host.parse().map_err(|reason| ScriptError::Host { text: text.to_owned(), reason })?)
        };
        Ok(Self { host, port })
    }

    pub(super) fn to_text(&self) -> String {
        let port = self.port;
        match &self.host {
            Host::Name(name) => format!("{name}:{port}"),
            Host::Address(IpAddr::V4(address)) => format!("{address}:{port}"),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        }
    }

    /// The same port of this very machine.
    pub(super) fn on_loopback(&self) -> Self {
        Self { host: Host::Address(Ipv4Addr::LOCALHOST.into()), port: self.port }
    }

    /// What makes `openssl s_client` expect this host's name in the certificate, and ask for it.
    pub(super) fn to_openssl(&self) -> String {
        match &self.host {
            Host::Name(name) => format!("-servername {name} -verify_hostname {name}"),
            Host::Address(address) => format!("-verify_ip {address}"),
        }
    }
}

/// Digits alone: `u16::from_str` would take a sign too.
fn parse_port(text: &str) -> Option<u16> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|&port| port != 0)
}
