use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rustls_pki_types::ServerName;
use vigo_core::Hostname;

/// Where the server's HTTPS port is unless the URL says.
const PORT: u16 = 8443;

/// A server's address, `https://vigo.example.com:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    host: Host,
    /// As it is dialled: an IPv6 address without brackets.
    bare: String,
    name: ServerName<'static>,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(Hostname),
    Address(IpAddr),
}

/// Not the address of a server.
#[derive(Debug, thiserror::Error)]
#[error("write https://vigo.example.com:8443: a name or an address, the port if it is not 8443, and no path")]
pub(crate) struct UrlError;

impl ServerUrl {
    pub(crate) fn bare_host(&self) -> &str {
        &self.bare
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What its certificate must say.
    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// `host:port`.
    pub(crate) fn authority(&self) -> String {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            _ => format!("{}:{}", self.bare, self.port),
        }
    }
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let text = match text.split_once("://") {
            Some(("https", rest)) => rest,
            Some(_) => return Err(UrlError),
            None => text,
        };
        let text = text.strip_suffix('/').unwrap_or(text);
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']').ok_or(UrlError)?;
                let address: std::net::Ipv6Addr = address.parse().map_err(|_| UrlError)?;
                let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(UrlError)?) };
                (Host::Address(address.into()), port)
            }
            None => {
                let (host, port) = match text.split_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (text, None),
                };
                let host = match host.parse() {
                    Ok(address) => Host::Address(address),
                    Err(_) => Host::Name(host.parse().map_err(|_| UrlError)?),
                };
                (host, port)
            }
        };
        let port = match port {
            None => PORT,
            // A sign or a space would be taken by the number's own reader.
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| UrlError)?,
            Some(_) => return Err(UrlError),
        };
        if port == 0 {
            return Err(UrlError);
        }
        let bare = match &host {
            Host::Name(name) => name.to_string(),
            Host::Address(address) => address.to_string(),
        };
        let name = ServerName::try_from(bare.clone()).map_err(|_| UrlError)?;
        Ok(Self { host, bare, name, port })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(text.parse::<ServerUrl>().ok().map(|url| url.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn addresses_of_servers() {
        check("https://Vigo.example.com", Some("https://vigo.example.com:8443"));
        check("https://vigo.example.com:443/", Some("https://vigo.example.com:443"));
        check("vigo.example.com", Some("https://vigo.example.com:8443"));
        check("https://10.1.0.2:9000", Some("https://10.1.0.2:9000"));
        check("https://[fd00::1]", Some("https://[fd00::1]:8443"));
        check("[fd00::1]:9000", Some("https://[fd00::1]:9000"));
        let none = ["", "https://", "http://vigo", "ftp://vigo", "https://vigo/envoys", "https://user@vigo", "vigo:0"];
        for text in
            none.iter().chain(&["vigo:+1", "vigo:99999", "vigo:", "[fd00::1", "[vigo]", "vigo?x", "vi go", "a:b:c"])
        {
            check(text, None);
        }
    }
}
