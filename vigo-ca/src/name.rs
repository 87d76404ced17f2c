use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use vigo_core::{Hostname, HostnameError};

/// What a server's certificate may be for: a DNS name or an address.
///
/// ```
/// use vigo_ca::SubjectName;
/// assert_eq!("[::1]".parse::<SubjectName>().unwrap().to_string(), "::1");
/// assert_eq!("Vigo.Example.com".parse::<SubjectName>().unwrap().to_string(), "vigo.example.com");
/// assert!("*.example.com".parse::<SubjectName>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectName {
    /// A DNS name, never with a wildcard.
    Dns(Hostname),
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
}

impl From<Hostname> for SubjectName {
    fn from(name: Hostname) -> Self {
        Self::Dns(name)
    }
}

impl From<IpAddr> for SubjectName {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address.to_canonical())
    }
}

impl FromStr for SubjectName {
    type Err = HostnameError;

    fn from_str(text: &str) -> Result<Self, HostnameError> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        match bare.parse::<IpAddr>() {
            Ok(address) => Ok(address.into()),
            Err(_) => text.parse().map(Self::Dns),
        }
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => name.fmt(f),
            Self::Ip(address) => address.fmt(f),
        }
    }
}
