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
