//! What holds of every allocation.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::loadbalancer::request::{Sharing, Transport};

fn any_request() -> impl Strategy<Value = Request> {
    let address = || (0u8..12).prop_map(|n| IpAddr::from([10, 0, 0, n]));
    let sharing = prop::sample::select(vec!["", "k", "l"]).prop_map(|key| {
        let (key, backend) = (key.to_string(), String::new());
        (!key.is_empty()).then_some(Sharing { key, backend })
    });
    let asked = (
        prop::option::weighted(0.3, address()),
        prop::option::weighted(0.2, prop::sample::select(vec!["one", "two", "none"])),
        sharing,
        1u16..3,
    );
    let is = (
        0u8..5,
        prop::collection::vec(address(), 0..2),
        prop::sample::select(vec![vec![false], vec![true], vec![false, true]]),
        any::<bool>(),
        prop::sample::select(vec!["x", "y"]),
    );
    (asked, is).prop_map(
        |((requested, pool, sharing, port), (created, current, families, all_families, label))| {
            Request {
                current,
                requested: requested.into_iter().collect(),
                pool: pool.map(ToString::to_string),
                families,
                all_families,
                sharing,
                ports: vec![(Transport::Tcp, port)],
                ..labelled(label, &created.to_string())
            }
        },
    )
}

/// That everybody on an address may be there together.
fn in_peace(requests: &BTreeMap<Name, Request>, outcomes: &BTreeMap<Name, Outcome>) -> bool {
    let mut on: BTreeMap<IpAddr, Vec<&Request>> = BTreeMap::new();
    for (name, outcome) in outcomes {
        for ip in &outcome.addresses {
            on.entry(*ip).or_default().push(&requests[name]);
        }
    }
    on.values().all(|those| {
        let ports: BTreeSet<_> = those.iter().flat_map(|request| &request.ports).collect();
        let one_key = those
            .iter()
            .all(|request| request.sharing.is_some() && request.sharing == those[0].sharing);
        those.len() == 1 || (one_key && ports.len() == those.len())
    })
}

proptest! {
    #[test]
    fn nothing_is_given_twice_and_nobody_moves(
        requests in prop::collection::btree_map("[a-f]", any_request(), 0..6),
        size in 1u8..8,
    ) {
        let pools = [
            pool("one", &[&format!("10.0.0.2-10.0.0.{}", 2 + size), "fd00::1-fd00::3"]),
            pinned("two", &["10.0.0.11"], 1, "x"),
        ];
        let mut requests: BTreeMap<Name, Request> = requests.into_iter().map(|(n, r)| (name(&n), r)).collect();
        let first = allocate_all(&pools, &requests);
        prop_assert!(in_peace(&requests, &first), "{:?}", first);
        for (name, outcome) in &first {
            let request = &requests[name];
            let labels = BTreeMap::new();
            let consumer = Consumer { namespace: "a", namespace_labels: &labels, labels: &request.labels };
            let of_a_pool = |ip: &IpAddr| pools.iter().any(|pool| {
                pool.contains(*ip) && pool.serves(&consumer) && request.pool.as_ref().is_none_or(|n| *n == pool.name)
            });
            prop_assert!(outcome.addresses.iter().all(of_a_pool));
            prop_assert!(request.requested.is_empty() || outcome.addresses.is_empty() || outcome.addresses == request.requested);
            prop_assert!(!outcome.addresses.is_empty() || outcome.waiting.is_some());
            prop_assert!(!request.all_families || [0, request.families.len()].contains(&outcome.addresses.len()));
        }
        // With the status as written, a restart changes nothing; and when any one Service goes, nobody else moves.
        for (name, outcome) in &first {
            requests.get_mut(name).unwrap().current = outcome.addresses.clone();
        }
        for (name, outcome) in allocate_all(&pools, &requests) {
            prop_assert_eq!(&outcome.addresses, &first[&name].addresses);
            // Why somebody waits may be another thing once all are served.
            prop_assert_eq!(outcome.waiting.is_some(), first[&name].waiting.is_some());
        }
        for gone in first.keys() {
            let mut fewer = requests.clone();
            fewer.remove(gone);
            for (name, outcome) in allocate_all(&pools, &fewer) {
                prop_assert!(first[&name].addresses.iter().all(|ip| outcome.addresses.contains(ip)), "{name:?} moved");
            }
        }
    }
}
