//! Cluster IPs: every protocol, from everywhere; closed ports and addresses that nobody has.

use std::collections::HashSet;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::api::{Api, config, service, slice};
use crate::support::family::{Family, PROTOCOLS, V4, V6, at, names};
use crate::support::lab::Lab;
use crate::support::talk::{Answer, eventually, tcp, udp};

#[rstest]
fn cluster_ip(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(3);
    let to = at(family.cluster_ip, 80);
    let _api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], json!({})),
            slice("web", family.name, &family.pods, Some("node")),
        ],
    );
    for ask in PROTOCOLS {
        // A pod's connections keep their source; those from outside get the node's.
        let answer = ask(&lab.pods[0], &to);
        assert!(matches!(answer, Answer::From(..)), "{answer:?}");
        for from in [&lab.client, &lab.node, &lab.pods[0]] {
            assert_eq!(names(ask, from, &to).len(), 3, "all endpoints are used");
        }
        let seen: HashSet<_> = (0..30)
            .map(|_| ask(&lab.pods[0], &to))
            .collect::<Vec<_>>()
            .into_iter()
            .filter(|answer| answer.name() != "pod1")
            .map(|answer| answer.source().to_string())
            .collect();
        assert_eq!(seen, HashSet::from([family.pods[0].to_owned()]));
        assert_ne!(ask(&lab.client, &to).source().to_string(), family.client);
    }
}

#[rstest]
fn closed_ports_and_unclaimed_addresses(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    let api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], json!({})),
            slice("web", family.name, &family.pods[..1], None),
            service("none", &[family.other_ip], json!({})),
        ],
    );
    for ask in PROTOCOLS {
        for from in [&lab.client, &lab.node, &lab.pods[0]] {
            assert_eq!(
                ask(from, &at(family.cluster_ip, 81)),
                Answer::Refused,
                "a port that it does not have"
            );
            assert_eq!(
                ask(from, &at(family.other_ip, 80)),
                Answer::Refused,
                "no endpoints"
            );
        }
        assert_eq!(
            ask(&lab.pods[0], &at(family.unclaimed, 80)),
            Answer::Nothing,
            "nobody's address"
        );
    }
    api.apply([slice("none", family.name, &family.pods[..1], None)]);
    let to = at(family.other_ip, 80);
    eventually("an endpoint", || {
        matches!(udp(&lab.client, &to), Answer::From(..))
    });
    assert_eq!(tcp(&lab.client, &to).name(), "pod1");
}

/// Another pod stands for an address that somebody has outside: as one of the range, only a Service may have it.
#[rstest]
fn what_nobody_claims_of_an_added_range_is_dropped(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let api = Api::start(&lab.node, config(), vec![]);
    let to = at(family.pods[1], 8080);
    assert_eq!(tcp(&lab.pods[0], &to).name(), "pod2");
    let range = format!("{}/{}", family.pods[1], family.host);
    api.ranges.send_replace([range.parse().unwrap()].into());
    eventually("a drop", || tcp(&lab.pods[0], &to) == Answer::Nothing);
    api.ranges.send_replace([].into());
    eventually("an answer", || {
        matches!(tcp(&lab.pods[0], &to), Answer::From(..))
    });
}

#[rstest]
fn hairpin(#[values(V4, V6)] family: Family, #[values(Some("node"), None)] node: Option<&str>) {
    let lab = Lab::new(1);
    let _api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], json!({})),
            slice("web", family.name, &family.pods[..1], node),
        ],
    );
    let to = at(family.cluster_ip, 80);
    for ask in PROTOCOLS {
        let answer = ask(&lab.pods[0], &to);
        assert_eq!(answer.name(), "pod1");
        assert_ne!(
            answer.source().to_string(),
            family.pods[0],
            "else it would answer itself"
        );
    }
}

#[rstest]
fn each_port_has_its_own_endpoints(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(3);
    let ports = json!([{"name": "tcp", "port": 53}, {"name": "udp", "port": 53, "protocol": "UDP"},
                       {"name": "admin", "port": 54}]);
    // One slice a port, each with a pod of its own.
    let only = |n: usize, port: Value| {
        let mut one = slice("web", family.name, &family.pods[n..=n], None);
        one["metadata"]["name"] = json!(format!("web-{n}"));
        one["ports"] = json!([port]);
        one
    };
    let _api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], json!({"ports": ports})),
            only(0, json!({"name": "tcp", "port": 8080})),
            only(1, json!({"name": "udp", "port": 8080, "protocol": "UDP"})),
            only(2, json!({"name": "admin", "port": 8080})),
        ],
    );
    let (dns, admin) = (at(family.cluster_ip, 53), at(family.cluster_ip, 54));
    for from in [&lab.client, &lab.node, &lab.pods[0]] {
        assert_eq!(tcp(from, &dns).name(), "pod1");
        assert_eq!(
            udp(from, &dns).name(),
            "pod2",
            "the same number of another protocol"
        );
        assert_eq!(tcp(from, &admin).name(), "pod3");
        assert_eq!(udp(from, &admin), Answer::Refused);
    }
}

#[rstest]
#[case::another_proxy(json!({"metadata": {"labels": {"service.kubernetes.io/service-proxy-name": "theirs"}}}))]
#[case::headless(json!({"metadata": {"labels": {"service.kubernetes.io/headless": ""}}}))]
#[case::a_name(json!({"spec": {"type": "ExternalName", "externalName": "example.org"}}))]
#[case::no_address(json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"]}}))]
fn what_is_others_is_left_to_them(#[values(V4, V6)] family: Family, #[case] theirs: Value) {
    let lab = Lab::new(2);
    // Another proxy, with a rule for the address.
    let rules = format!(
        "table {0} theirs {{ chain pre {{ type nat hook prerouting priority -110; \
         {0} daddr {1} tcp dport 80 dnat to {2}; }};\n}}",
        family.table,
        family.cluster_ip,
        at(family.pods[1], 8080)
    );
    lab.node.command("nft", &[&rules]);
    let ours = service("web", &[family.cluster_ip], json!({}));
    let mut left = ours.clone();
    for part in ["metadata", "spec"] {
        if let Some(fields) = theirs[part].as_object() {
            left[part].as_object_mut().unwrap().extend(fields.clone());
        }
    }
    let endpoints = slice("web", family.name, &family.pods[..1], None);
    let api = Api::start(&lab.node, config(), vec![left.clone(), endpoints]);
    let to = at(family.cluster_ip, 80);
    assert_eq!(tcp(&lab.client, &to).name(), "pod2");
    assert_eq!(udp(&lab.client, &to), Answer::Nothing, "no rule of ours");
    // From one moment to the next it is ours, and theirs again.
    api.apply([ours]);
    eventually("our rules", || {
        matches!(udp(&lab.client, &to), Answer::From(..))
    });
    api.apply([left]);
    eventually("no rules of ours", || {
        udp(&lab.client, &to) == Answer::Nothing
    });
}
