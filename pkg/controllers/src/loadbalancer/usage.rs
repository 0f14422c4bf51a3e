//! How much of each pool is in use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::outcome::{Name, Outcome};
use super::pool::Pool;
use crate::view::PoolStatus;

/// Counts, by namespace and name of the pools. An address that Services share counts once; one that two pools have, for
/// the first of them.
pub(super) fn usage(
    pools: &[Pool],
    outcomes: &BTreeMap<Name, Outcome>,
) -> BTreeMap<Name, PoolStatus> {
    let given: BTreeSet<IpAddr> = outcomes
        .values()
        .flat_map(|outcome| outcome.addresses.iter().copied())
        .collect();
    let mut assigned = vec![[0; 2]; pools.len()];
    for ip in given {
        if let Some(at) = pools.iter().position(|pool| pool.contains(ip)) {
            assigned[at][usize::from(ip.is_ipv6())] += 1;
        }
    }
    let counted = pools.iter().zip(assigned);
    counted
        .map(|(pool, [ipv4, ipv6])| {
            let name = (pool.namespace.clone(), pool.name.clone());
            let status = PoolStatus {
                assigned_ipv4: ipv4,
                assigned_ipv6: ipv6,
                available_ipv4: rest(pool, false, ipv4),
                available_ipv6: rest(pool, true, ipv6),
            };
            (name, status)
        })
        .collect()
}

/// What is left of a family; of more than can be counted, all that can.
fn rest(pool: &Pool, ipv6: bool, assigned: i64) -> i64 {
    match i64::try_from(pool.capacity(ipv6)) {
        Ok(capacity) => capacity.saturating_sub(assigned),
        Err(_) => i64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_counts_once() {
        let pool = |name: &str, ranges: &[&str]| Pool {
            name: name.into(),
            ranges: ranges.iter().map(|text| text.parse().unwrap()).collect(),
            ..Pool::default()
        };
        let pools = [
            pool("four", &["10.0.0.1-10.0.0.3"]),
            pool("six", &["fd00::/64", "10.0.1.0/24"]),
        ];
        let on = |service: &str, addresses: &[&str]| {
            let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
            (
                ("a".to_string(), service.to_string()),
                Outcome::served(addresses),
            )
        };
        let outcomes = [
            on("one", &["10.0.0.1", "fd00::1"]),
            on("same", &["10.0.0.1"]),
            on("two", &["10.0.0.2"]),
            on("node", &["192.168.1.1"]),
        ];
        let used = usage(&pools, &outcomes.into());
        let of = |name: &str| {
            let s = used[&(String::new(), name.to_string())];
            [
                s.assigned_ipv4,
                s.assigned_ipv6,
                s.available_ipv4,
                s.available_ipv6,
            ]
        };
        assert_eq!(of("four"), [2, 0, 1, 0]);
        assert_eq!(of("six"), [0, 1, 256, i64::MAX]);
    }
}
