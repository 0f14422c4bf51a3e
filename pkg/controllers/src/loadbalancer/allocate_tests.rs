//! Allocation from pools: cases, and what must hold of every one.

use std::collections::BTreeSet;

use kedge_machinery::AddressRange;
use kedge_machinery::selector::LabelSelector;
use proptest::prelude::*;

use super::super::pool::ServiceAllocation;
use super::super::request::{Sharing, Transport};
use super::*;

fn name(text: &str) -> Name {
    ("a".into(), text.into())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn pools(texts: &[&str]) -> Vec<Pool> {
    let ranges: Vec<AddressRange> = texts.iter().map(|text| text.parse().unwrap()).collect();
    vec![Pool::of_settings(&ranges)]
}

fn pool(name: &str, texts: &[&str]) -> Pool {
    Pool {
        name: name.into(),
        ..pools(texts).remove(0)
    }
}

/// Pools that one label of a Service opens.
fn pinned(name: &str, texts: &[&str], priority: u32, label: &str) -> Pool {
    Pool {
        allocation: Some(ServiceAllocation {
            priority,
            service_selectors: vec![LabelSelector::from_pairs([(label, "yes")])],
            ..ServiceAllocation::default()
        }),
        ..pool(name, texts)
    }
}

fn allocate_all(pools: &[Pool], requests: &BTreeMap<Name, Request>) -> BTreeMap<Name, Outcome> {
    let world = World {
        pools,
        namespaces: &BTreeMap::new(),
        held: &BTreeMap::new(),
        promised: &BTreeMap::new(),
    };
    allocate(world, &requests.iter().collect())
}

fn request(created: &str, current: &[&str]) -> Request {
    Request {
        created: created.into(),
        families: vec![false],
        current: current.iter().map(|text| ip(text)).collect(),
        ..Request::default()
    }
}

fn run(pools: &[Pool], requests: &[(&str, Request)]) -> BTreeMap<String, Outcome> {
    let requests = requests
        .iter()
        .map(|(text, request)| (name(text), request.clone()))
        .collect();
    let outcomes = allocate_all(pools, &requests);
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
    assert_eq!(text, "no IPv4 address is free in lb-pool (192.168.1.240)");
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
            by: name("holder")
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
fn what_somebody_else_has_is_not_given() {
    let held = BTreeMap::from([
        (ip("10.0.0.1"), Holder::OtherBalancer),
        (ip("10.0.0.2"), Holder::Machine),
    ]);
    let world = World {
        pools: &pools(&["10.0.0.1-10.0.0.4"]),
        namespaces: &BTreeMap::new(),
        held: &held,
        promised: &BTreeMap::new(),
    };
    let asks = |text: &str| Request {
        requested: vec![ip(text)],
        ..request("1", &[])
    };
    // The machine may come by an address that a Service has, and keeps it.
    let requests = [
        (name("any"), request("1", &[])),
        (name("had"), request("2", &["10.0.0.2"])),
        (name("theirs"), asks("10.0.0.1")),
        (name("own"), asks("10.0.0.2")),
    ];
    let outcomes = allocate(
        world,
        &requests
            .iter()
            .map(|(name, request)| (name, request))
            .collect(),
    );
    assert_eq!(outcomes[&name("any")].addresses, [ip("10.0.0.3")]);
    assert_eq!(outcomes[&name("had")].addresses, [ip("10.0.0.4")]);
    for (who, why) in [
        ("theirs", "another load balancer"),
        ("own", "10.0.0.2 is this machine's own address"),
    ] {
        let text = outcomes[&name(who)].waiting.as_ref().unwrap().to_string();
        assert!(text.contains(why), "{text}");
    }
}

/// A Service with a label.
fn labelled(label: &str, created: &str) -> Request {
    Request {
        labels: [(label.to_string(), "yes".to_string())].into(),
        ..request(created, &[])
    }
}

#[test]
fn a_pool_by_name_is_the_only_one_asked() {
    let reserve = Pool {
        auto_assign: false,
        ..pool("reserve", &["10.0.1.1"])
    };
    let pools = [
        pool("lan", &["10.0.0.1"]),
        reserve,
        pinned("others", &["10.0.2.1"], 0, "x"),
    ];
    let asks = |pool: &str, created: &str| Request {
        pool: Some(pool.into()),
        ..request(created, &[])
    };
    let outcomes = run(
        &pools,
        &[
            ("anywhere", request("1", &[])),
            ("reserve", asks("reserve", "2")),
            ("late", asks("reserve", "3")),
            ("full", request("4", &[])),
            ("none", asks("dmz", "5")),
            ("closed", asks("others", "6")),
        ],
    );
    assert_eq!(outcomes["anywhere"].addresses, [ip("10.0.0.1")]);
    assert_eq!(outcomes["reserve"].addresses, [ip("10.0.1.1")]);
    let why = |name: &str| outcomes[name].waiting.as_ref().unwrap().to_string();
    assert_eq!(why("late"), "no IPv4 address is free in reserve (10.0.1.1)");
    assert_eq!(why("full"), "no IPv4 address is free in lan (10.0.0.1)");
    assert_eq!(why("none"), "there is no address pool dmz");
    assert!(why("closed").contains("pool others is not compatible"));
    // Who asks for another pool than it has leaves.
    let moved = Request {
        current: vec![ip("10.0.0.1")],
        ..asks("reserve", "1")
    };
    assert_eq!(
        run(&pools, &[("a", moved)])["a"].addresses,
        [ip("10.0.1.1")]
    );
}

#[test]
fn an_address_and_a_pool_must_agree() {
    let pools = [pool("lan", &["10.0.0.1"]), pool("dmz", &["10.0.1.1"])];
    let asks = |pool: &str| Request {
        requested: vec![ip("10.0.1.1")],
        pool: Some(pool.into()),
        ..request("1", &[])
    };
    assert_eq!(
        run(&pools, &[("a", asks("dmz"))])["a"].addresses,
        [ip("10.0.1.1")]
    );
    let outcome = &run(&pools, &[("a", asks("lan"))])["a"];
    let why = outcome.waiting.as_ref().unwrap().to_string();
    assert_eq!(
        why,
        "10.0.1.1 is not in the address pool lan, which is asked for too"
    );
}

#[test]
fn pools_made_for_a_service_come_first_by_priority() {
    let pools = [
        pool("lan", &["10.0.0.1-10.0.0.9"]),
        pinned("last", &["10.0.3.1"], 0, "x"),
        pinned("second", &["10.0.2.1"], 20, "x"),
        pinned("first", &["10.0.1.1"], 10, "x"),
    ];
    let names = ["a", "b", "c", "d"];
    let requests: Vec<(&str, Request)> = names
        .iter()
        .map(|name| (*name, labelled("x", name)))
        .collect();
    let outcomes = run(&pools, &requests);
    let given = names.map(|name| outcomes[name].addresses[0].to_string());
    assert_eq!(given, ["10.0.1.1", "10.0.2.1", "10.0.3.1", "10.0.0.1"]);
    // Others see only what is for everybody.
    let outcome = &run(&pools[1..], &[("other", request("1", &[]))])["other"];
    let why = outcome.waiting.as_ref().unwrap().to_string();
    assert!(
        why.contains("no address pool gives to this Service"),
        "{why}"
    );
}

#[test]
fn a_pool_that_is_no_longer_for_a_service_is_left() {
    let pools = [
        pool("lan", &["10.0.0.1"]),
        pinned("mine", &["10.0.1.1"], 0, "x"),
    ];
    let has = |current: &str, label: &str| Request {
        current: vec![ip(current)],
        ..labelled(label, "1")
    };
    assert_eq!(
        run(&pools, &[("a", has("10.0.1.1", "x"))])["a"].addresses,
        [ip("10.0.1.1")]
    );
    assert_eq!(
        run(&pools, &[("a", has("10.0.1.1", "y"))])["a"].addresses,
        [ip("10.0.0.1")]
    );
    // What it has stays, though a pool is better now; also when that gives nothing of itself any more.
    assert_eq!(
        run(&pools, &[("a", has("10.0.0.1", "x"))])["a"].addresses,
        [ip("10.0.0.1")]
    );
    let closing = [Pool {
        auto_assign: false,
        ..pools[0].clone()
    }];
    assert_eq!(
        run(&closing, &[("a", has("10.0.0.1", "x"))])["a"].addresses,
        [ip("10.0.0.1")]
    );
    // An address that the pool avoids now is not given any more.
    let careful = [Pool {
        avoid_buggy_ips: true,
        ..pool("lan", &["10.0.0.0/31"])
    }];
    assert_eq!(
        run(&careful, &[("a", has("10.0.0.0", "x"))])["a"].addresses,
        [ip("10.0.0.1")]
    );
}

/// A Service on a port, that shares under a key.
fn sharer(created: &str, key: &str, port: u16) -> Request {
    let key = key.to_string();
    Request {
        sharing: Some(Sharing {
            key,
            backend: String::new(),
        }),
        ports: vec![(Transport::Tcp, port)],
        ..request(created, &[])
    }
}

#[test]
fn services_share_under_a_key() {
    let pools = pools(&["10.0.0.1-10.0.0.3"]);
    let outcomes = run(
        &pools,
        &[
            ("alone", request("1", &[])),
            ("http", sharer("2", "k", 80)),
            ("https", sharer("3", "k", 443)),
            ("again", sharer("4", "k", 80)),
            ("other", sharer("5", "l", 22)),
        ],
    );
    assert_eq!(outcomes["http"].addresses, [ip("10.0.0.2")]);
    assert_eq!(outcomes["https"].addresses, [ip("10.0.0.2")]);
    assert_eq!(outcomes["again"].addresses, [ip("10.0.0.3")]);
    assert!(outcomes["other"].addresses.is_empty());
    let asks = Request {
        requested: vec![ip("10.0.0.2")],
        ..sharer("3", "k", 80)
    };
    let outcomes = run(
        &pools,
        &[
            ("asks", asks),
            ("http", holder("10.0.0.2", sharer("1", "k", 80))),
        ],
    );
    let why = outcomes["asks"].waiting.as_ref().unwrap().to_string();
    assert_eq!(why, "port 80/TCP of 10.0.0.2 belongs to Service a/http");
}

fn holder(address: &str, request: Request) -> Request {
    Request {
        current: vec![ip(address)],
        ..request
    }
}

#[test]
fn who_changes_its_mind_is_the_one_to_leave() {
    let pools = pools(&["10.0.0.1-10.0.0.3"]);
    let both = |old_key: &str, old_port| {
        let edited = Request {
            edited: true,
            ..holder("10.0.0.1", sharer("1", old_key, old_port))
        };
        [
            ("old", edited),
            ("young", holder("10.0.0.1", sharer("2", "k", 443))),
        ]
    };
    assert_eq!(
        run(&pools, &both("k", 80))["old"].addresses,
        [ip("10.0.0.1")]
    );
    for changed in [both("l", 80), both("k", 443)] {
        let outcomes = run(&pools, &changed);
        assert_eq!(outcomes["young"].addresses, [ip("10.0.0.1")]);
        assert_eq!(outcomes["old"].addresses, [ip("10.0.0.2")]);
    }
    // Alone, it may change what it likes.
    let [old, _] = both("l", 443);
    assert_eq!(run(&pools, &[old])["old"].addresses, [ip("10.0.0.1")]);
}

/// A Service of both families, IPv4 first.
fn dual(created: &str, current: &[&str]) -> Request {
    Request {
        families: vec![false, true],
        ..request(created, current)
    }
}

fn strict(created: &str, current: &[&str]) -> Request {
    Request {
        all_families: true,
        ..dual(created, current)
    }
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| ip(text)).collect()
}

#[test]
fn both_families_come_from_one_pool() {
    let four = pool("four", &["10.0.0.1-10.0.0.9"]);
    let six = pool("six", &["fd00:1::1-fd00:1::9"]);
    let both = pool("both", &["10.0.1.1", "fd00::1"]);
    let all = [four.clone(), six.clone(), both.clone()];
    let outcomes = run(&all, &[("a", dual("1", &[])), ("b", dual("2", &[]))]);
    assert_eq!(
        outcomes["a"],
        Outcome::served(ips(&["10.0.1.1", "fd00::1"]))
    );
    // None has both any more: the primary family, whatever comes first of the pools, and no Event.
    assert_eq!(outcomes["b"], Outcome::served(ips(&["10.0.0.1"])));
    let six_first = Request {
        families: vec![true, false],
        ..dual("1", &[])
    };
    let outcomes = run(&all[..2], &[("a", six_first)]);
    assert_eq!(outcomes["a"], Outcome::served(ips(&["fd00:1::1"])));
    let outcome = &run(&all[..2], &[("a", strict("1", &[]))])["a"];
    let why = outcome.waiting.as_ref().unwrap().to_string();
    assert!(
        why.contains("no pool has a free address of both families: four"),
        "{why}"
    );
    // One address is not what RequireDualStack asks for.
    let one = Request {
        requested: ips(&["10.0.1.1"]),
        ..strict("1", &[])
    };
    assert_eq!(
        run(&all, &[("a", one)])["a"].waiting,
        Some(Waiting::OneFamily)
    );
    // Who asks for addresses of two pools by name gets them.
    let two = Request {
        requested: ips(&["fd00:1::5", "10.0.0.5"]),
        ..strict("1", &["10.0.0.5", "fd00:1::5"])
    };
    assert_eq!(
        run(&all, &[("a", two)])["a"],
        Outcome::served(ips(&["10.0.0.5", "fd00:1::5"]))
    );
}

#[test]
fn a_second_family_comes_from_the_pool_of_the_first() {
    let grown = [
        pool("other", &["10.0.1.0/24", "fd00:1::1"]),
        pool("lan", &["10.0.0.0/24", "fd00::1"]),
    ];
    let outcomes = run(&grown, &[("a", dual("1", &["10.0.0.9"]))]);
    assert_eq!(outcomes["a"].addresses, ips(&["10.0.0.9", "fd00::1"]));
    // And from no other: who has one address stays where it is.
    let single = [grown[0].clone(), pool("lan", &["10.0.0.0/24"])];
    let outcomes = run(&single, &[("a", dual("1", &["10.0.0.9"]))]);
    assert_eq!(outcomes["a"], Outcome::served(ips(&["10.0.0.9"])));
    // Who must have both goes where both are.
    let outcomes = run(&single, &[("a", strict("1", &["10.0.0.9"]))]);
    assert_eq!(outcomes["a"].addresses, ips(&["10.0.1.0", "fd00:1::1"]));
    let outcome = &run(&single[1..], &[("a", strict("1", &["10.0.0.9"]))])["a"];
    assert!(outcome.addresses.is_empty() && outcome.waiting.is_some());
}

#[test]
fn a_pool_that_loses_a_family_is_left_for_one_that_has_both() {
    let has = ["10.0.0.9", "fd00::9"];
    let six = pool("lan", &["fd00::/64"]);
    let both = pool("both", &["10.0.1.1", "fd00:1::1"]);
    let outcomes = run(&[six.clone(), both], &[("a", dual("1", &has))]);
    assert_eq!(outcomes["a"].addresses, ips(&["10.0.1.1", "fd00:1::1"]));
    let outcomes = run(&[six], &[("a", dual("1", &has))]);
    assert_eq!(outcomes["a"].addresses, ips(&["fd00::9"]));
}

#[test]
fn what_is_left_behind_serves_those_who_waited() {
    // The older one waits for the address that the younger one has no use for without the other family.
    let pools = pools(&["10.0.0.1"]);
    let outcomes = run(
        &pools,
        &[
            ("old", request("1", &[])),
            ("young", strict("2", &["10.0.0.1"])),
        ],
    );
    assert_eq!(outcomes["old"].addresses, ips(&["10.0.0.1"]));
    assert!(outcomes["young"].addresses.is_empty());
}

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
