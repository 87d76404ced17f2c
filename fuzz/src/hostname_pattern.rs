//! Patterns over hostnames and networks, against the plainest way to match them.
//!
//! The data is lines of text, the first a hostname and the others patterns; behind a NUL byte come an address and
//! lists of networks in binary.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vigo_core::{Breadth, Cidr, CidrSet, ClientAddr, HostPattern, Hostname, PatternSet};

use crate::Seed;
use crate::input::Input;

const MOST_LINES: usize = 40;
const MOST_NETWORKS: usize = 24;

/// The target.
pub fn check(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (text, networks) = data.split_at(at);
    if let Ok(text) = std::str::from_utf8(&text[..text.len().min(4096)]) {
        names(text);
    }
    addresses(networks.get(1..).unwrap_or_default());
}

fn names(text: &str) {
    let mut lines = text.split('\n').take(MOST_LINES);
    let name = lines.next().and_then(name);
    let mut patterns = Vec::new();
    for line in lines {
        network(line);
        patterns.extend(pattern(line));
    }
    let Some(name) = name else { return };
    let exactly = HostPattern::exactly(&name);
    assert_eq!(exactly.breadth(), Breadth::One);
    patterns.push(exactly);
    let alone = |pattern: &HostPattern| {
        let expected = fits(pattern.as_str().as_bytes(), name.as_str().as_bytes());
        assert_eq!(pattern.matches(&name), expected, "{pattern} and {name}");
        expected
    };
    let expected: Vec<usize> = (0..patterns.len()).filter(|&at| alone(&patterns[at])).collect();
    assert_eq!(expected.last(), Some(&(patterns.len() - 1)), "{name} is not the one name of its own pattern");
    assert_eq!(PatternSet::new(&patterns).matches(&name), expected, "{name} and {patterns:?}");
}

/// What is read is written in its normal form, which is read as the same again.
fn name(text: &str) -> Option<Hostname> {
    let name: Hostname = text.parse().ok()?;
    assert_eq!(name.as_str().parse().as_ref(), Ok(&name));
    assert_eq!(format!("{}.", name.as_str().to_ascii_uppercase()).parse().as_ref(), Ok(&name));
    assert!(name.as_str().len() <= Hostname::MAX_LEN && name.as_str().parse::<IpAddr>().is_err(), "{name}");
    Some(name)
}

fn pattern(text: &str) -> Option<HostPattern> {
    let pattern: HostPattern = text.parse().ok()?;
    assert_eq!(pattern.as_str().parse().as_ref(), Ok(&pattern));
    let wild = pattern.as_str().contains(['*', '?']);
    assert_eq!(pattern.breadth() == Breadth::One, !wild, "{pattern}");
    assert_eq!(pattern.as_str().parse::<Hostname>().is_ok(), !wild, "{pattern}");
    Some(pattern)
}

fn network(text: &str) {
    if let Ok(cidr) = text.parse::<Cidr>() {
        assert_eq!(cidr.to_string().parse().as_ref(), Ok(&cidr));
    }
}

/// By the set of places that each sign can reach.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for sign in pattern {
        let mut next = vec![false; name.len() + 1];
        let mut before = false;
        for at in 1..=name.len() {
            before |= reached[at - 1];
            next[at] = match sign {
                b'*' => before,
                b'?' => reached[at - 1] && name[at - 1] != b'.',
                sign => reached[at - 1] && name[at - 1] == *sign,
            };
        }
        reached = next;
    }
    reached[name.len()]
}

/// A network as a number of bits that must agree.
struct Plain {
    bits: u128,
    length: u8,
    width: u8,
}

impl Plain {
    fn mask(&self) -> u128 {
        let bits = u128::MAX.checked_shl(u32::from(self.width - self.length)).unwrap_or(0);
        if self.width == 32 { bits & u128::from(u32::MAX) } else { bits }
    }

    fn address(&self) -> IpAddr {
        if self.width == 32 {
            Ipv4Addr::from_bits(self.bits as u32).into()
        } else {
            Ipv6Addr::from_bits(self.bits).into()
        }
    }

    /// Reads it with the crate: exactly the networks without host bits, and none that is IPv4 in disguise, are taken.
    fn cidr(&self) -> Option<Cidr> {
        let disguised = self.length > 0 && self.width == 128 && self.bits >> 32 == 0xffff;
        let text = format!("{}/{}", self.address(), self.length);
        let cidr = text.parse::<Cidr>();
        assert_eq!(cidr.is_ok(), self.bits & !self.mask() == 0 && !disguised, "{text}");
        cidr.ok()
    }

    fn contains(&self, address: ClientAddr) -> bool {
        let (bits, width) = match address.ip() {
            IpAddr::V4(ip) => (ip.to_bits().into(), 32),
            IpAddr::V6(ip) => (ip.to_bits(), 128),
        };
        width == self.width && (bits ^ self.bits) & self.mask() == 0
    }
}

fn plain(input: &mut Input<'_>) -> (Plain, u8) {
    let kind = input.byte();
    let width = if kind & 1 == 0 { 32 } else { 128 };
    let length = input.byte() % (width + 1);
    let bits = match kind & 3 {
        0 | 2 => u32::from_be_bytes(input.array()).into(),
        1 => u128::from_be_bytes(input.array()),
        _ => 0xffff << 32 | u128::from(u32::from_be_bytes(input.array())),
    };
    let mut plain = Plain { bits, length, width };
    if kind & 4 == 0 {
        plain.bits &= plain.mask();
    }
    (plain, kind)
}

fn addresses(data: &[u8]) {
    let mut input = Input::new(data);
    let (single, _) = plain(&mut input);
    let address = ClientAddr::new(single.address());
    assert_eq!(ClientAddr::new(address.ip()), address);
    let mut lists: Vec<Vec<(Plain, Cidr)>> = vec![vec![]];
    for _ in 0..MOST_NETWORKS {
        if input.is_empty() {
            break;
        }
        let (mut plain, kind) = plain(&mut input);
        if kind & 8 != 0 {
            // A network around the address: by chance there would hardly be one.
            plain = Plain { bits: single.bits, width: single.width, length: plain.length % (single.width + 1) };
            plain.bits &= plain.mask();
        }
        if kind & 16 != 0 {
            lists.push(vec![]);
        }
        let Some(cidr) = plain.cidr() else { continue };
        assert_eq!(cidr.contains(address), plain.contains(address), "{cidr} and {address}");
        lists.last_mut().expect("there is always one").push((plain, cidr));
    }
    let covers = |list: &[(Plain, Cidr)]| list.iter().any(|(plain, _)| plain.contains(address));
    let expected: Vec<usize> = (0..lists.len()).filter(|&at| covers(&lists[at])).collect();
    let set = CidrSet::new(lists.iter().map(|list| list.iter().map(|(_, cidr)| cidr)));
    assert_eq!(set.matches(address), expected, "{address}");
}

/// Names beside patterns that nearly or just match them.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let crowd: String = (0..12).map(|n| format!("\nweb*rack{n}*.example.com")).collect();
    let texts = [
        ("anchors", "evilexample.com\n*.example.com\n*example.com\nexample.com".to_owned()),
        ("dots", "api.dev.example.com\n*.dev.*\n*.example.com\n?.dev.example.com\napi?dev.example.com".to_owned()),
        ("case", "Web3.Example.COM.\nWEB?.example.com.\n*.COM".to_owned()),
        ("middle", "a1bc2d.example\n*1*2*\na*b*c*d.example\n*a*\n*?*\n**\n*".to_owned()),
        ("repeats", "aaaaaaaaaaaaaaab.aaaa\n*aaaa*ab*\na*a*a*a*a*a*a\n*ab.a*\n????????????????.a*".to_owned()),
        ("crowd", format!("web1-rack11-x.example.com{crowd}")),
        ("addresses", "10.1.0.2\n0x7f.1\n10.1.0.0/24\nfd00:a::/64\n1.2.3.4.5\n10.1.0.7/24".to_owned()),
        ("hyphens", "-a.b\na-.b\n-*.b\n*-.b\na--b.c".to_owned()),
        ("signs", "a.b\n[a].b\n{a,b}.b\n!a.b\na\\.b\na/b".to_owned()),
        ("long", format!("{0}.{0}.{0}.{1}\n*{2}\n{2}*", "a".repeat(63), "b".repeat(61), "a".repeat(60))),
    ];
    let networks: [(&str, &[u8]); 4] = [
        ("networks-v4", &[0, 32, 10, 1, 0, 2, 0, 24, 10, 1, 0, 0, 16, 16, 10, 1, 0, 0, 8, 0, 0, 0, 0, 0, 24, 31]),
        ("networks-v6", &[1, 64, 0xfd, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 9, 8, 25, 127, 24, 0]),
        ("networks-mapped", &[3, 128, 10, 1, 0, 2, 0, 8, 10, 0, 0, 0, 3, 104, 10, 0, 0, 0, 1, 0, 3, 96]),
        ("networks-host-bits", &[0, 32, 10, 1, 0, 2, 4, 24, 10, 1, 0, 7, 5, 64, 0xfd, 0, 0, 1]),
    ];
    let texts = texts.into_iter().map(|(name, text)| Seed::new(name, text));
    texts.chain(networks.map(|(name, bytes)| Seed::new(name, [b"a.b\n*\0", bytes].concat()))).collect()
}
