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
