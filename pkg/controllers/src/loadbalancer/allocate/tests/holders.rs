//! Who has, keeps and is refused which address.

use super::*;
use crate::loadbalancer::outcome::Waiting;

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

#[test]
fn a_record_that_cannot_be_is_put_right() {
    let pools = pools(&["10.0.0.1-10.0.0.3", "fd00::1-fd00::3"]);
    let six = |current: &[&str]| Request {
        families: vec![true],
        ..request("1", current)
    };
    for (request, right) in [
        // More than one of a family.
        (
            request("1", &["10.0.0.2", "10.0.0.3", "10.0.0.1"]),
            "10.0.0.2",
        ),
        // Of another family, alone or besides.
        (request("1", &["fd00::2"]), "10.0.0.1"),
        (six(&["10.0.0.2"]), "fd00::1"),
        (request("1", &["fd00::2", "10.0.0.2"]), "10.0.0.2"),
        // Of no pool, and one of a pool.
        (request("1", &["192.168.9.9", "10.0.0.3"]), "10.0.0.3"),
    ] {
        let outcome = &run(&pools, &[("a", request.clone())])["a"];
        assert_eq!(outcome.addresses, [ip(right)], "{request:?}");
    }
}

#[test]
fn pools_that_are_renamed_split_or_swapped_move_nobody() {
    let has = [
        ("a", request("1", &["10.0.0.2"])),
        ("b", request("2", &["10.0.1.1"])),
    ];
    let [low, high] = [["10.0.0.0/24"], ["10.0.1.0/24"]];
    for pools in [
        vec![pool("one", &low), pool("two", &high)],
        vec![pool("two", &low), pool("one", &high)],
        vec![pool("other", &["10.0.0.0/23"])],
        vec![
            pool("one", &["10.0.0.0/31"]),
            pool("two", &["10.0.0.2-10.0.1.1"]),
        ],
    ] {
        let outcomes = run(&pools, &has);
        assert_eq!(outcomes["a"].addresses, [ip("10.0.0.2")]);
        assert_eq!(outcomes["b"].addresses, [ip("10.0.1.1")]);
    }
}

#[test]
fn an_address_of_a_pool_that_gives_none_of_itself_may_be_asked_for() {
    let reserve = Pool {
        auto_assign: false,
        ..pool("reserve", &["10.0.1.1", "fd00::1"])
    };
    let asks = |ips: &[&str], families: &[bool]| Request {
        requested: ips.iter().map(|text| ip(text)).collect(),
        families: families.to_vec(),
        ..request("1", &[])
    };
    let one = asks(&["10.0.1.1"], &[false]);
    let pools = [pool("lan", &["10.0.0.1"]), reserve];
    assert_eq!(run(&pools, &[("a", one)])["a"].addresses, [ip("10.0.1.1")]);
    let both = ["fd00::1", "10.0.1.1"];
    let outcome = &run(&pools, &[("a", asks(&both, &[false, true]))])["a"];
    assert_eq!(outcome.addresses, [ip("10.0.1.1"), ip("fd00::1")]);
    // A Service of one family has no use for the other.
    let outcome = &run(&pools, &[("a", asks(&both, &[false]))])["a"];
    assert_eq!(outcome.waiting, Some(Waiting::WrongFamily(ip("fd00::1"))));
}
