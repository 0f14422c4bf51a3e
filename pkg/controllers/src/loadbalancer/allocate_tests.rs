//! Allocation from pools: cases, and what must hold of every one.

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    ("a".into(), text.into())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn pools(texts: &[&str]) -> Vec<LbPool> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn request(created: &str, current: &[&str]) -> Request {
    Request {
        created: created.into(),
        families: vec![false],
        current: current.iter().map(|text| ip(text)).collect(),
        ..Request::default()
    }
}

fn run(pools: &[LbPool], requests: &[(&str, Request)]) -> BTreeMap<String, Outcome> {
    let requests = requests
        .iter()
        .map(|(text, request)| (name(text), request.clone()))
        .collect();
    let outcomes = allocate(pools, &requests, &BTreeSet::new());
    outcomes
        .into_iter()
        .map(|((_, name), outcome)| (name, outcome))
        .collect()
}

#[test]
fn the_oldest_is_served_first_and_the_rest_wait() {
    let pools = pools(&["192.168.1.240"]);
    let outcomes = run(
        &pools,
        &[("young", request("2", &[])), ("old", request("1", &[]))],
    );
    assert_eq!(outcomes["old"].addresses, [ip("192.168.1.240")]);
    let text = outcomes["young"].waiting.as_ref().unwrap().to_string();
    assert_eq!(text, "no IPv4 address is free in 192.168.1.240");
}

#[test]
fn who_has_an_address_keeps_it_against_an_older_one() {
    let pools = pools(&["192.168.1.240"]);
    let outcomes = run(
        &pools,
        &[
            ("young", request("2", &["192.168.1.240"])),
            ("old", request("1", &[])),
        ],
    );
    assert_eq!(outcomes["young"].addresses, [ip("192.168.1.240")]);
    assert!(outcomes["old"].addresses.is_empty());
}

#[test]
fn of_two_records_of_one_address_the_older_counts() {
    let pools = pools(&["192.168.1.240-192.168.1.241"]);
    let has = ["192.168.1.240"];
    let outcomes = run(
        &pools,
        &[("young", request("2", &has)), ("old", request("1", &has))],
    );
    assert_eq!(outcomes["old"].addresses, [ip("192.168.1.240")]);
    assert_eq!(outcomes["young"].addresses, [ip("192.168.1.241")]);
}

#[test]
fn an_address_outside_every_pool_is_replaced() {
    let outcomes = run(
        &pools(&["10.9.0.0/30"]),
        &[("a", request("1", &["192.168.1.240"]))],
    );
    assert_eq!(outcomes["a"].addresses, [ip("10.9.0.0")]);
}

#[test]
fn an_address_asked_for_is_given_or_nothing() {
    let pools = pools(&["192.168.1.240-192.168.1.249"]);
    let asks = |ips: &[&str]| Request {
        requested: ips.iter().map(|t| ip(t)).collect(),
        ..request("2", &[])
    };
    let outcomes = run(
        &pools,
        &[
            ("any", request("1", &[])),
            ("first", asks(&["192.168.1.240"])),
            ("outside", asks(&["192.168.1.9"])),
            ("family", asks(&["fd00::1"])),
            ("two", asks(&["192.168.1.242", "192.168.1.243"])),
        ],
    );
    // The oldest could have any address: it does not get the one that another has to have.
    assert_eq!(outcomes["first"].addresses, [ip("192.168.1.240")]);
    assert_eq!(outcomes["any"].addresses, [ip("192.168.1.241")]);
    assert_eq!(
        outcomes["outside"].waiting,
        Some(Waiting::NotInPool(ip("192.168.1.9")))
    );
    assert_eq!(
        outcomes["family"].waiting,
        Some(Waiting::WrongFamily(ip("fd00::1")))
    );
    assert_eq!(
        outcomes["two"].waiting,
        Some(Waiting::WrongFamily(ip("192.168.1.243")))
    );
    let holder = request("9", &["192.168.1.240"]);
    let outcomes = run(
        &pools,
        &[("holder", holder), ("asks", asks(&["192.168.1.240"]))],
    );
    assert_eq!(
        outcomes["asks"].waiting,
        Some(Waiting::Taken {
            ip: ip("192.168.1.240"),
            by: Some(name("holder"))
        })
    );
}

#[test]
fn a_changed_request_moves_the_service() {
    let pools = pools(&["192.168.1.240/30"]);
    let request = Request {
        requested: vec![ip("192.168.1.243")],
        ..request("1", &["192.168.1.240"])
    };
    assert_eq!(
        run(&pools, &[("a", request)])["a"].addresses,
        [ip("192.168.1.243")]
    );
}

#[test]
fn dual_stack() {
    let both = pools(&["192.168.1.240", "fd00::240"]);
    let four = pools(&["192.168.1.240"]);
    let dual = Request {
        families: vec![true, false],
        ..request("1", &[])
    };
    let strict = Request {
        all_families: true,
        ..dual.clone()
    };
    assert_eq!(
        run(&both, &[("a", dual.clone())])["a"].addresses,
        [ip("fd00::240"), ip("192.168.1.240")]
    );
    let preferred = &run(&four, &[("a", dual)])["a"];
    assert_eq!(
        (preferred.addresses.as_slice(), &preferred.waiting),
        (&[ip("192.168.1.240")][..], &None)
    );
    // The one address goes back to those whom it is of use to.
    let outcomes = run(&four, &[("a", strict), ("b", request("2", &[]))]);
    assert!(outcomes["a"].addresses.is_empty() && outcomes["a"].waiting.is_some());
    assert_eq!(outcomes["b"].addresses, [ip("192.168.1.240")]);
}

#[test]
fn addresses_of_other_implementations_are_not_given() {
    let requests = BTreeMap::from([(name("a"), request("1", &[]))]);
    let outcomes = allocate(
        &pools(&["192.168.1.240/31"]),
        &requests,
        &[ip("192.168.1.240")].into(),
    );
    assert_eq!(outcomes[&name("a")].addresses, [ip("192.168.1.241")]);
}

fn any_request() -> impl Strategy<Value = Request> {
    let address = || (0u8..12).prop_map(|n| IpAddr::from([10, 0, 0, n]));
    (
        0u8..5,
        prop::collection::vec(address(), 0..2),
        prop::option::weighted(0.3, address()),
        prop::sample::select(vec![vec![false], vec![true], vec![false, true]]),
        any::<bool>(),
    )
        .prop_map(
            |(created, current, requested, families, all_families)| Request {
                created: created.to_string(),
                current,
                requested: requested.into_iter().collect(),
                families,
                all_families,
                ..Request::default()
            },
        )
}

proptest! {
    #[test]
    fn nothing_is_given_twice_and_nobody_moves(
        requests in prop::collection::btree_map("[a-f]", any_request(), 0..6),
        size in 1u8..8,
    ) {
        let pools = pools(&[&format!("10.0.0.2-10.0.0.{}", 2 + size), "fd00::1-fd00::3"]);
        let mut requests: BTreeMap<Name, Request> = requests.into_iter().map(|(n, r)| (name(&n), r)).collect();
        let first = allocate(&pools, &requests, &BTreeSet::new());
        let given: Vec<IpAddr> = first.values().flat_map(|outcome| outcome.addresses.clone()).collect();
        let distinct: BTreeSet<IpAddr> = given.iter().copied().collect();
        prop_assert_eq!(distinct.len(), given.len());
        prop_assert!(given.iter().all(|ip| pools.iter().any(|pool| pool.contains(*ip))));
        for (name, outcome) in &first {
            let request = &requests[name];
            prop_assert!(request.requested.is_empty() || outcome.addresses.is_empty() || outcome.addresses == request.requested);
            prop_assert!(!outcome.addresses.is_empty() || outcome.waiting.is_some());
        }
        // With the status as written, a restart changes nothing; and when any one Service goes, nobody else moves.
        for (name, outcome) in &first {
            requests.get_mut(name).unwrap().current = outcome.addresses.clone();
        }
        prop_assert_eq!(&allocate(&pools, &requests, &BTreeSet::new()), &first);
        for gone in first.keys() {
            let mut fewer = requests.clone();
            fewer.remove(gone);
            for (name, outcome) in allocate(&pools, &fewer, &BTreeSet::new()) {
                prop_assert!(first[&name].addresses.iter().all(|ip| outcome.addresses.contains(ip)), "{name:?} moved");
            }
        }
    }
}
