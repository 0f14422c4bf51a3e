//! Services on one address.

use super::*;
use crate::loadbalancer::request::{Sharing, Transport};

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

fn holder(address: &str, request: Request) -> Request {
    Request {
        current: vec![ip(address)],
        ..request
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

#[test]
fn a_full_pool_still_serves_who_may_share() {
    let pools = pools(&["10.0.0.1"]);
    let udp = Request {
        ports: vec![(Transport::Udp, 80)],
        ..sharer("3", "k", 80)
    };
    let asks = Request {
        requested: vec![ip("10.0.0.1")],
        ..sharer("4", "k", 443)
    };
    let outcomes = run(
        &pools,
        &[
            ("tcp", sharer("1", "k", 80)),
            ("alone", request("2", &[])),
            // The same number of another protocol is another port.
            ("udp", udp),
            ("asks", asks),
        ],
    );
    for sharing in ["tcp", "udp", "asks"] {
        assert_eq!(outcomes[sharing].addresses, [ip("10.0.0.1")], "{sharing}");
    }
    assert!(outcomes["alone"].addresses.is_empty());
}

/// With the policy Local, one node answers for the address and has to have endpoints of all.
#[test]
fn who_shares_has_the_same_endpoints_or_is_served_by_every_node() {
    let pools = pools(&["10.0.0.1-10.0.0.2"]);
    let of = |created: &str, backend: &str, port: u16| Request {
        sharing: Some(Sharing {
            key: "k".into(),
            backend: backend.into(),
        }),
        local: !backend.is_empty(),
        ..sharer(created, "k", port)
    };
    for (first, second, shares) in [
        ("", "", true),
        ("app=web", "app=web", true),
        ("app=web", "app=api", false),
        ("app=web", "", false),
    ] {
        let outcomes = run(
            &pools,
            &[("a", of("1", first, 80)), ("b", of("2", second, 443))],
        );
        assert_eq!(outcomes["a"].addresses, [ip("10.0.0.1")]);
        let other = if shares { "10.0.0.1" } else { "10.0.0.2" };
        assert_eq!(outcomes["b"].addresses, [ip(other)], "{first} {second}");
    }
}
