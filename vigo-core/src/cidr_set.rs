use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use std::net::IpAddr;

use crate::{Cidr, ClientAddr};

/// Many lists of networks, compiled once; a look-up gives the indices of all lists with a network that covers an
/// address, in ascending order. It takes at most one step for each bit of the address, however many networks there are.
///
/// ```
/// use vigo_core::{Cidr, CidrSet, ClientAddr};
/// let lists: Vec<Vec<Cidr>> = [vec!["10.0.0.0/8", "fd00::/8"], vec!["10.1.0.0/16"], vec!["192.168.0.0/16"]]
///     .map(|list| list.into_iter().map(|net| net.parse().unwrap()).collect())
///     .into();
/// let set = CidrSet::new(&lists);
/// assert_eq!(set.matches(ClientAddr::new("10.1.0.2".parse().unwrap())), [0, 1]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CidrSet {
    v4: PrefixMap<Ipv4Net, Vec<u32>>,
    v6: PrefixMap<Ipv6Net, Vec<u32>>,
}

impl CidrSet {
    /// Compiles the lists. Index `i` of every answer is the `i`-th of them.
    ///
    /// # Panics
    /// With more than `u32::MAX` lists.
    #[must_use]
    pub fn new<'a, L>(lists: impl IntoIterator<Item = L>) -> Self
    where
        L: IntoIterator<Item = &'a Cidr>,
    {
        let mut set = Self::default();
        for (index, list) in lists.into_iter().enumerate() {
            let index = u32::try_from(index).expect("fewer than 2^32 lists");
            for cidr in list {
                let owners = match cidr.net() {
                    IpNet::V4(net) => set.v4.entry(net).or_default(),
                    IpNet::V6(net) => set.v6.entry(net).or_default(),
                };
                owners.push(index);
            }
        }
        set
    }

    /// The indices of all lists that have a network that `addr` lies in, in ascending order.
    #[must_use]
    pub fn matches(&self, addr: ClientAddr) -> Vec<usize> {
        let mut found: Vec<u32> = match addr.ip() {
            IpAddr::V4(ip) => self.v4.cover(&Ipv4Net::from(ip)).flat_map(|(_, owners)| owners).copied().collect(),
            IpAddr::V6(ip) => self.v6.cover(&Ipv6Net::from(ip)).flat_map(|(_, owners)| owners).copied().collect(),
        };
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|index| index as usize).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(lists: &[&[&str]], addr: &str, expected: &[usize]) {
        let lists: Vec<Vec<Cidr>> =
            lists.iter().map(|list| list.iter().map(|net| net.parse().unwrap()).collect()).collect();
        assert_eq!(CidrSet::new(&lists).matches(ClientAddr::new(addr.parse().unwrap())), expected, "{addr}");
    }

    #[test]
    fn rule_06_every_covering_network_is_found() {
        let lists: [&[&str]; 6] = [
            &["0.0.0.0/0"],
            &["10.0.0.0/8", "10.1.0.0/16", "10.1.0.2/32"],
            &["10.1.0.2/32"],
            &["::/0"],
            &["fd00:a::/64", "192.168.5.0/24"],
            &[],
        ];
        check(&lists, "10.1.0.2", &[0, 1, 2]);
        check(&lists, "::ffff:10.1.0.2", &[0, 1, 2]);
        check(&lists, "10.2.0.1", &[0, 1]);
        check(&lists, "192.168.5.9", &[0, 4]);
        check(&lists, "fd00:a::2", &[3, 4]);
        check(&lists, "fd00:b::2", &[3]);
        check(&[], "10.1.0.2", &[]);
    }

    fn net() -> impl Strategy<Value = Cidr> {
        // Few bits, so that networks nest and addresses hit.
        let v4 = (0u8..16, 0u8..=32)
            .prop_map(|(bits, len)| Ipv4Net::new([bits << 4, bits, 0, bits].into(), len).unwrap().trunc().to_string());
        let v6 = (0u16..16, 0u8..=128).prop_map(|(bits, len)| {
            Ipv6Net::new([bits << 12, bits, 0, 0, 0, 0, 0, bits].into(), len).unwrap().trunc().to_string()
        });
        prop_oneof![v4, v6].prop_filter_map("not mapped", |text| text.parse().ok())
    }

    proptest! {
        #[test]
        fn agrees_with_each_network_alone(
            lists in prop::collection::vec(prop::collection::vec(net(), 0..4), 0..30),
            bits in 0u8..16,
        ) {
            let addrs: [IpAddr; 2] = [
                IpAddr::from([bits << 4, bits, 0, bits]),
                IpAddr::from([u16::from(bits) << 12, bits.into(), 0, 0, 0, 0, 0, bits.into()]),
            ];
            for addr in addrs.map(ClientAddr::new) {
                let expected: Vec<usize> =
                    (0..lists.len()).filter(|&i| lists[i].iter().any(|cidr| cidr.contains(addr))).collect();
                prop_assert_eq!(CidrSet::new(&lists).matches(addr), expected);
            }
        }
    }
}
