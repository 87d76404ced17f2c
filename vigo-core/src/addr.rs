use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// The address that a request came from: canonical, so that an IPv4 client of a dual-stack socket is an IPv4 address.
///
/// ```
/// use vigo_core::ClientAddr;
/// let mapped: std::net::IpAddr = "::ffff:10.1.0.2".parse().unwrap();
/// assert_eq!(ClientAddr::new(mapped).to_string(), "10.1.0.2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientAddr(IpAddr);

impl ClientAddr {
    /// The canonical form of `ip`.
    #[must_use]
    pub fn new(ip: IpAddr) -> Self {
        Self(ip.to_canonical())
    }

    /// The address, never IPv4-mapped.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
    }

    /// What limits count by: the IPv4 address, or the /64 of an IPv6 one, since a host commands all of that.
    #[must_use]
    pub fn limit_key(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        }
    }
}

impl From<SocketAddr> for ClientAddr {
    fn from(socket: SocketAddr) -> Self {
        Self::new(socket.ip())
    }
}

impl fmt::Display for ClientAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A network in CIDR notation with no host bits set (RFC 4632 §3.1).
///
/// ```
/// use vigo_core::{Cidr, ClientAddr};
/// let net: Cidr = "10.1.0.0/24".parse().unwrap();
/// assert!(net.contains(ClientAddr::new("10.1.0.2".parse().unwrap())));
/// assert_eq!("10.1.0.7/24".parse::<Cidr>().unwrap_err().to_string(), "10.1.0.7/24 has host bits set: write 10.1.0.0/24, or 10.1.0.7/32 for the one host");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(IpNet);

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CidrError {
    /// Not `address/length`.
    #[error("`{0}` is no network: write it as address/length, for example 10.1.0.0/24 or fd00:a::/64")]
    Syntax(String),
    /// Bits behind the prefix.
    #[error("{given} has host bits set: write {network}, or {host} for the one host")]
    HostBits {
        /// What was given.
        given: IpNet,
        /// The network it lies in.
        network: IpNet,
        /// The one host.
        host: IpNet,
    },
    /// `::ffff:…`: no client address is ever of this form.
    #[error("{0} is IPv4-mapped and would match nothing: write the IPv4 network")]
    Mapped(IpNet),
}

impl Cidr {
    pub(crate) fn net(&self) -> IpNet {
        self.0
    }

    /// Whether the address lies in the network. IPv4 and IPv6 never match each other.
    #[must_use]
    pub fn contains(&self, addr: ClientAddr) -> bool {
        self.0.contains(&addr.ip())
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let net: IpNet = text.parse().map_err(|_| CidrError::Syntax(text.chars().take(64).collect()))?;
        if net.prefix_len() > 0 && net.addr().to_canonical() != net.addr() {
            return Err(CidrError::Mapped(net));
        }
        if net.trunc() != net {
            return Err(CidrError::HostBits { given: net, network: net.trunc(), host: net.addr().into() });
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(net: &str, addr: &str, expected: bool) {
        let addr = ClientAddr::new(addr.parse().unwrap());
        assert_eq!(net.parse::<Cidr>().unwrap().contains(addr), expected, "{net} {addr}");
    }

    #[test]
    fn rule_06_addresses_are_canonical() {
        check("10.1.0.0/24", "10.1.0.2", true);
        check("10.1.0.0/24", "::ffff:10.1.0.2", true);
        check("10.1.0.0/24", "10.1.1.2", false);
        check("fd00:a::/64", "fd00:a::2", true);
        check("fd00:a::/64", "fd00:b::2", false);
        check("0.0.0.0/0", "fd00:b::2", false);
        check("::/0", "10.1.0.2", false);
        check("10.1.0.2/32", "10.1.0.2", true);
    }

    #[test]
    fn rule_07_networks_are_written_exactly() {
        for text in ["", "10.1.0.0", "10.1.0.0/33", "10.1/16", "example.com/8", "10.1.0.0/24 "] {
            assert!(matches!(text.parse::<Cidr>(), Err(CidrError::Syntax(_))), "{text:?}");
        }
        assert!(matches!("fd00::1/64".parse::<Cidr>(), Err(CidrError::HostBits { .. })));
        assert!(matches!("::ffff:10.0.0.0/104".parse::<Cidr>(), Err(CidrError::Mapped(_))));
    }

    #[test]
    fn limits_count_a_v6_host_by_its_network() {
        let key = |a: &str| ClientAddr::new(a.parse().unwrap()).limit_key().to_string();
        assert_eq!(key("fd00:a::2"), "fd00:a::");
        assert_eq!(key("10.1.0.2"), "10.1.0.2");
    }
}
