use std::fmt;
use std::str::FromStr;

/// A host's DNS name: lower-case LDH labels, no trailing dot, never an address.
///
/// One parser for every place that reads a name. ASCII case and one trailing dot are normalised away; whatever else
/// does not fit RFC 1123 §2.1 is refused, never repaired.
///
/// ```
/// use vigo_core::Hostname;
/// assert_eq!("Web3.Example.COM.".parse::<Hostname>().unwrap().as_str(), "web3.example.com");
/// assert!("web_3.example.com".parse::<Hostname>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(Box<str>);

/// Why a text is no hostname.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostnameError {
    /// Nothing, or only a dot.
    #[error("a hostname may not be empty")]
    Empty,
    /// More than 253 characters.
    #[error("a hostname has at most 253 characters")]
    TooLong,
    /// Two dots in a row, or one at the start.
    #[error("a hostname may not have an empty label (two dots in a row, or one at the start)")]
    EmptyLabel,
    /// A label of more than 63 characters.
    #[error("a label of a hostname has at most 63 characters")]
    LabelTooLong,
    /// A label that starts or ends with a hyphen.
    #[error("a label of a hostname may not start or end with a hyphen")]
    Hyphen,
    /// A character that is no ASCII letter, digit or hyphen.
    #[error("a hostname has letters, digits, hyphens and dots only (byte 0x{0:02x} found)")]
    Character(u8),
    /// An IPv4 address in any of the forms that resolvers take.
    #[error("an IP address is no hostname")]
    Address,
}

impl Hostname {
    /// The most characters a name may have (RFC 1035 §2.3.4, without the trailing dot).
    pub const MAX_LEN: usize = 253;

    /// The name as text, lower-case, without a trailing dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Hostname {
    type Err = HostnameError;

    fn from_str(text: &str) -> Result<Self, HostnameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        check_labels(name, |_| false)?;
        if is_address(name) {
            return Err(HostnameError::Address);
        }
        Ok(Self(name.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Hostname {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The rules for labels, with room for the signs of a pattern.
pub(crate) fn check_labels(name: &str, also: impl Fn(u8) -> bool) -> Result<(), HostnameError> {
    if name.is_empty() {
        return Err(HostnameError::Empty);
    }
    if name.len() > Hostname::MAX_LEN {
        return Err(HostnameError::TooLong);
    }
    if let Some(bad) = name.bytes().find(|&b| !(b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || also(b))) {
        return Err(HostnameError::Character(bad));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(HostnameError::EmptyLabel);
        }
        if label.len() > 63 {
            return Err(HostnameError::LabelTooLong);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(HostnameError::Hyphen);
        }
    }
    Ok(())
}

/// Whether `inet_aton` would read the name as an IPv4 address: up to four numbers, decimal, octal or hexadecimal.
fn is_address(name: &str) -> bool {
    let mut last = 0;
    let mut parts = 0u32;
    for label in name.split('.') {
        let number = match label.strip_prefix("0x").or_else(|| label.strip_prefix("0X")) {
            Some("") => Some(0),
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None if label.bytes().all(|b| b.is_ascii_digit()) => label.parse().ok(),
            None => None,
        };
        let Some(number) = number else { return false };
        last = number;
        parts += 1;
    }
    (1..=4).contains(&parts) && last < 1u64 << (8 * (5 - parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, HostnameError>) {
        assert_eq!(text.parse::<Hostname>().as_ref().map(Hostname::as_str), expected.as_ref().copied(), "{text:?}");
    }

    #[test]
    fn rule_05_hostnames() {
        use HostnameError::*;
        check("web3.example.com", Ok("web3.example.com"));
        check("WEB3.Example.Com", Ok("web3.example.com"));
        check("web3.example.com.", Ok("web3.example.com"));
        check("localhost", Ok("localhost"));
        check("4e1", Ok("4e1"));
        check("123456789012", Ok("123456789012"));
        check("xn--bcher-kva.example", Ok("xn--bcher-kva.example"));
        check("", Err(Empty));
        check(".", Err(Empty));
        check("a..b", Err(EmptyLabel));
        check(".a", Err(EmptyLabel));
        check("a..", Err(EmptyLabel));
        check("-a.example.com", Err(Hyphen));
        check("a-.example.com", Err(Hyphen));
        check("web_3", Err(Character(b'_')));
        check("a b", Err(Character(b' ')));
        check("a\0b", Err(Character(0)));
        check("a\nb", Err(Character(b'\n')));
        check("bücher.example", Err(Character(0xc3)));
        check("а.example", Err(Character(0xd0)));
        check("*.example.com", Err(Character(b'*')));
        check("../etc", Err(Character(b'/')));
        check("$(id)", Err(Character(b'$')));
        check("10.1.0.2", Err(Address));
        check("10.1.0.2.", Err(Address));
        check("127.1", Err(Address));
        check("0x7f.1", Err(Address));
        check("2130706433", Err(Address));
        check("::1", Err(Character(b':')));
        check(&"a".repeat(63), Ok(&"a".repeat(63)));
        check(&"a".repeat(64), Err(LabelTooLong));
        let long = vec!["a".repeat(49); 5].join(".");
        check(&format!("{long}.abc"), Ok(&format!("{long}.abc")));
        check(&format!("{long}.abcde"), Err(TooLong));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_normal(text in ".{0,300}") {
            if let Ok(name) = text.parse::<Hostname>() {
                prop_assert_eq!(name.as_str().parse::<Hostname>().unwrap(), name.clone());
                prop_assert_eq!(name.as_str(), text.strip_suffix('.').unwrap_or(&text).to_ascii_lowercase());
                prop_assert!(name.as_str().parse::<std::net::IpAddr>().is_err());
            }
        }
    }
}
