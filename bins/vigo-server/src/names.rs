//! The names and addresses that this server answers to.

use std::net::{IpAddr, ToSocketAddrs};

use vigo_core::Hostname;

use crate::config::ServerSection;

/// What agents are told to dial, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Public {
    /// A hostname or an address.
    pub(crate) host: String,
    /// A warning for the operator, where it is a guess.
    pub(crate) warning: Option<String>,
}

/// The configured name; else this host's name if it resolves; else its first address that is not loopback.
pub(crate) fn public(section: &ServerSection) -> Result<Public, String> {
    if let Some(host) = &section.hostname {
        let known =
            host.parse::<Hostname>().map(|h| h.to_string()).or_else(|_| host.parse::<IpAddr>().map(|i| i.to_string()));
        return match known {
            Ok(host) => Ok(Public { host, warning: None }),
            Err(_) => Err(format!("server.hostname: `{host}` is neither a hostname nor an IP address")),
        };
    }
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    let name = name.parse::<Hostname>().ok().filter(|name| name.as_str().contains('.') && resolves(name));
    if let Some(name) = name {
        return Ok(Public { host: name.to_string(), warning: None });
    }
    let address = interfaces().into_iter().find(|ip| !ip.is_loopback() && !is_link_local(*ip));
    let host = address.map_or_else(|| "127.0.0.1".to_owned(), |ip| ip.to_string());
    let warning =
        format!("server.hostname is not set and this host's name does not resolve: agents are told to dial {host}");
    Ok(Public { host, warning: Some(warning) })
}

fn resolves(name: &Hostname) -> bool {
    // An answer that is all loopback is /etc/hosts speaking of this host alone; no other machine can use it.
    (name.as_str(), 0).to_socket_addrs().is_ok_and(|mut found| found.any(|addr| !addr.ip().is_loopback()))
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Every name and address for the server's certificate: loopback, the public name, the configured ones, the interfaces'.
pub(crate) fn all(section: &ServerSection, public: &Public) -> Result<Vec<vigo_ca::SubjectName>, String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.push(public.host.clone());
    names.extend(section.tls_sans.iter().cloned());
    let own = gethostname::gethostname().to_string_lossy().into_owned();
    names.extend(own.parse::<Hostname>().ok().map(|name| name.to_string()));
    names.extend(interfaces().into_iter().filter(|ip| !is_link_local(*ip)).map(|ip| ip.to_string()));
    let mut subjects = Vec::new();
    for name in names {
        let subject = name.parse::<vigo_ca::SubjectName>();
        let subject = subject.map_err(|error| format!("server.tls_sans: `{name}` is refused: {error}"))?;
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    Ok(subjects)
}

/// The addresses of this host's interfaces.
fn interfaces() -> Vec<IpAddr> {
    match if_addrs::get_if_addrs() {
        Ok(found) => found.into_iter().map(|interface| interface.ip()).collect(),
        Err(error) => {
            tracing::warn!(%error, "cannot list this host's addresses");
            Vec::new()
        }
    }
}

/// A host and a port as one text, with brackets around an IPv6 address.
pub(crate) fn with_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_name_is_taken_as_it_is() {
        let section = |host: &str| ServerSection { hostname: Some(host.into()), ..ServerSection::default() };
        assert_eq!(public(&section("Vigo.Example.com")).unwrap().host, "vigo.example.com");
        assert_eq!(public(&section("fd00::1")).unwrap().host, "fd00::1");
        assert!(public(&section("a_b")).is_err());
        assert!(public(&section("$(id)")).is_err());
    }

    #[test]
    fn the_certificate_always_names_loopback() {
        let section = ServerSection::default();
        let public = public(&section).unwrap();
        let names = all(&section, &public).unwrap();
        for name in ["127.0.0.1", "::1"] {
            assert!(names.contains(&vigo_ca::SubjectName::Ip(name.parse().unwrap())), "{name}");
        }
        assert!(names.contains(&vigo_ca::SubjectName::Dns("localhost".parse().unwrap())));
    }

    #[test]
    fn addresses_with_ports() {
        assert_eq!(with_port("a.example", 1530), "a.example:1530");
        assert_eq!(with_port("fd00::1", 1530), "[fd00::1]:1530");
    }
}
