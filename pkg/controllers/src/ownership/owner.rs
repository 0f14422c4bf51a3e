//! The choice, by rendezvous hashing: every node has a weight for every address, and the heaviest of those that may announce it does. A
//! node that comes or goes moves the addresses that are its own and no others.

use std::net::IpAddr;

/// The node that is to announce an address, of those that may; the same one in whatever order they come.
#[must_use]
pub fn owner<'a>(ip: IpAddr, nodes: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nodes
        .into_iter()
        .max_by_key(|node| (weight(ip, node), *node))
}

/// FNV-1a over both, its bits spread by the last steps of MurmurHash3: the same on every machine and in every version.
fn weight(ip: IpAddr, node: &str) -> u64 {
    let address = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in node.bytes().chain([0]).chain(address) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn ip(number: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    #[test]
    fn addresses_are_spread_evenly() {
        let nodes = ["till-1", "till-2", "till-3", "till-4"];
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for number in 0..4000 {
            *counts.entry(owner(ip(number), nodes).unwrap()).or_default() += 1;
        }
        for (node, count) in counts {
            assert!((850..1150).contains(&count), "{node}: {count}");
        }
    }

    #[test]
    fn the_choice_is_the_same_in_every_version() {
        let nodes = ["a", "b", "c"];
        let owners: Vec<_> = (0..8).map(|n| owner(ip(n), nodes).unwrap()).collect();
        assert_eq!(owners.concat(), "cababaab");
        assert_eq!(owner(ip(0), []), None);
    }

    proptest! {
        #[test]
        fn a_node_that_goes_moves_its_own_addresses_alone(
            nodes in prop::collection::btree_set("[a-z]{1,8}", 2..12),
            number: u32,
            gone in any::<prop::sample::Index>(),
        ) {
            let ip = ip(number % 0x00ff_ffff);
            let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
            let all = names(&nodes);
            let before = owner(ip, all.iter().map(String::as_str)).unwrap();
            let gone = gone.get(&all);
            let left = all.iter().rev().filter(|node| *node != gone);
            let after = owner(ip, left.map(String::as_str)).unwrap();
            prop_assert!(after == before || before == gone);
            prop_assert_ne!(after, gone);
        }
    }
}
