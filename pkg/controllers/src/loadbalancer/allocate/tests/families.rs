//! Both families.

use super::*;
use crate::loadbalancer::outcome::Waiting;

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
