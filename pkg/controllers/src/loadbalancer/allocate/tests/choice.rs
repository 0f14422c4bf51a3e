//! From which pool a Service gets its addresses.

use super::*;

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
