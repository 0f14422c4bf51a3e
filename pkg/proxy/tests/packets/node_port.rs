//! Node ports: where they are open, and from when to when.

use std::net::IpAddr;

use kedge_proxy::{NodePorts, ProxyConfig};
use rstest::rstest;
use serde_json::json;

use crate::support::api::{Api, config, node_ports, service, slice};
use crate::support::family::{Ask, Family, PROTOCOLS, V4, V6, at, names};
use crate::support::lab::Lab;
use crate::support::talk::{Answer, eventually, tcp, udp};

#[rstest]
fn node_port(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let web = service(
        "web",
        &[family.cluster_ip],
        json!({"ports": node_ports(30080)}),
    );
    let api = Api::start(
        &lab.node,
        config(),
        vec![
            web.clone(),
            slice("web", family.name, &family.pods[..2], None),
        ],
    );
    let to = at(family.node, 30080);
    for ask in PROTOCOLS {
        for from in [&lab.client, &lab.node, &lab.pods[0]] {
            assert_eq!(names(ask, from, &to).len(), 2);
        }
        assert_ne!(
            ask(&lab.client, &to).source().to_string(),
            family.client,
            "from outside it is masqueraded"
        );
    }
    // Another address of the node, from one moment to the next.
    let other = if family.name == "IPv4" {
        "192.0.2.7"
    } else {
        "2001:db8::7"
    };
    lab.node.ip(&format!(
        "addr add {other} dev lan0 {}",
        if family.name == "IPv6" { "nodad" } else { "" }
    ));
    // The kernel answers for a new address a moment later.
    eventually("an answer from the new address", || {
        tcp(&lab.client, &at(other, 30080)) == Answer::Refused
    });
    api.addresses.send([other.parse().unwrap()].into()).unwrap();
    eventually("the node port on the new address", || {
        matches!(tcp(&lab.client, &at(other, 30080)), Answer::From(..))
    });
    assert_eq!(
        tcp(&lab.client, &to),
        Answer::Refused,
        "and no longer on the old"
    );
    api.delete(&web);
    eventually("the release of the node port", || {
        tcp(&lab.client, &at(other, 30080)) == Answer::Refused
    });
}

#[rstest]
fn the_nodes_primary_addresses_are_open(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    family.add_address(&lab.node, family.second, "lan0");
    let api = Api::start(
        &lab.node,
        config(),
        vec![
            service(
                "web",
                &[family.cluster_ip],
                json!({"ports": node_ports(30080)}),
            ),
            slice("web", family.name, &family.pods[..1], None),
        ],
    );
    let all = [family.loopback, family.node, family.second];
    let all: Vec<IpAddr> = all.iter().map(|ip| ip.parse().unwrap()).collect();
    api.addresses.send(all.into()).unwrap();
    for ask in [tcp as Ask, udp] {
        for from in [&lab.client, &lab.node] {
            assert_eq!(ask(from, &at(family.node, 30080)).name(), "pod1");
            assert_eq!(
                ask(from, &at(family.second, 30080)),
                Answer::Refused,
                "a further address"
            );
        }
        assert_eq!(
            ask(&lab.node, &at(family.loopback, 30080)),
            Answer::Refused,
            "loopback"
        );
    }
}

#[rstest]
fn addresses_in_given_ranges_are_open(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    family.add_address(&lab.node, family.second, "lan0");
    let settings = ProxyConfig {
        node_ports: NodePorts {
            cidrs: vec![family.only(family.second).parse().unwrap()],
            guarded: false,
        },
        ..config()
    };
    let objects = vec![
        service(
            "web",
            &[family.cluster_ip],
            json!({"ports": node_ports(30080)}),
        ),
        slice("web", family.name, &family.pods[..1], None),
    ];
    let api = Api::start(&lab.node, settings, objects);
    let (node, second) = (at(family.node, 30080), at(family.second, 30080));
    for ask in PROTOCOLS {
        assert!(!matches!(ask(&lab.client, &node), Answer::From(..)));
    }
    assert_eq!(tcp(&lab.client, &second), Answer::Refused, "not known yet");
    let both = [family.node, family.second].map(|ip| ip.parse().unwrap());
    api.addresses.send(both.into()).unwrap();
    eventually("the node port", || {
        matches!(tcp(&lab.client, &second), Answer::From(..))
    });
    for ask in PROTOCOLS {
        assert_eq!(ask(&lab.client, &second).name(), "pod1");
        assert!(!matches!(ask(&lab.client, &node), Answer::From(..)));
    }
}

#[rstest]
fn another_number_is_open_at_once_and_the_old_one_closed(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    let web = |number: u16| {
        let ports = json!({"ports": node_ports(number)});
        service("web", &[family.cluster_ip], ports)
    };
    let endpoints = slice("web", family.name, &family.pods[..1], None);
    let api = Api::start(&lab.node, config(), vec![web(30080), endpoints]);
    assert_eq!(tcp(&lab.client, &at(family.node, 30080)).name(), "pod1");
    api.apply([web(30081)]);
    eventually("the new number", || {
        matches!(tcp(&lab.client, &at(family.node, 30081)), Answer::From(..))
    });
    for ask in [tcp as Ask, udp] {
        assert_eq!(ask(&lab.client, &at(family.node, 30080)), Answer::Refused);
        assert_eq!(ask(&lab.client, &at(family.node, 30081)).name(), "pod1");
    }
}
