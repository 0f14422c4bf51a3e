//! `externalTrafficPolicy` and `internalTrafficPolicy`.

use std::collections::HashSet;

use rstest::rstest;
use serde_json::json;

use crate::support::api::{Api, balanced, config, node_ports, service, slice};
use crate::support::family::{Ask, Family, PROTOCOLS, V4, V6, at, names};
use crate::support::lab::Lab;
use crate::support::sctp::sctp;
use crate::support::talk::{Answer, eventually, tcp, udp};

#[rstest]
fn external_traffic_policy_local(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(3);
    let more = json!({"externalTrafficPolicy": "Local", "externalIPs": [family.external]});
    let both = |node: &str| {
        let mut slice = slice("web", family.name, &family.pods[..2], Some("elsewhere"));
        slice["endpoints"][0]["nodeName"] = json!(node);
        slice
    };
    let api = Api::start(
        &lab.node,
        config(),
        vec![service("web", &[family.cluster_ip], more), both("node")],
    );
    let to = at(family.external, 80);
    for ask in PROTOCOLS {
        let outside: Vec<Answer> = (0..20).map(|_| ask(&lab.client, &to)).collect();
        assert!(
            outside
                .iter()
                .all(|a| *a == Answer::From("pod1".into(), family.client.parse().unwrap())),
            "{outside:?}"
        );
        assert_eq!(
            names(ask, &lab.pods[2], &to).len(),
            2,
            "a pod gets them all"
        );
        assert_eq!(names(ask, &lab.node, &to).len(), 2, "and so does the node");
    }
    api.apply([both("elsewhere")]);
    eventually("no local endpoints", || {
        tcp(&lab.client, &to) == Answer::Nothing
    });
    assert_eq!(names(tcp, &lab.pods[2], &to).len(), 2);
}

#[rstest]
fn internal_traffic_policy_local(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let mut slice = slice("web", family.name, &family.pods[..2], Some("elsewhere"));
    let web = service(
        "web",
        &[family.cluster_ip],
        json!({"internalTrafficPolicy": "Local"}),
    );
    let api = Api::start(&lab.node, config(), vec![web, slice.clone()]);
    let to = at(family.cluster_ip, 80);
    assert_eq!(tcp(&lab.pods[0], &to), Answer::Nothing);
    slice["endpoints"][1]["nodeName"] = json!("node");
    api.apply([slice]);
    eventually("a local endpoint", || {
        matches!(udp(&lab.pods[0], &to), Answer::From(..))
    });
    assert_eq!(
        names(tcp, &lab.pods[0], &to),
        HashSet::from(["pod2".to_owned()])
    );
}

/// Local endpoints, at every kind of address that is asked from outside.
#[rstest]
fn external_local_holds_at_every_external_address(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(3);
    let more = json!({
        "type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": node_ports(30080),
        "externalIPs": [family.external],
    });
    let web = service("web", &[family.cluster_ip], more);
    let web = balanced(web, &[family.balancer]);
    let here = |node: &str| {
        let mut slice = slice("web", family.name, &family.pods[..2], Some("elsewhere"));
        slice["endpoints"][0]["nodeName"] = json!(node);
        slice
    };
    let api = Api::start(&lab.node, config(), vec![web, here("node")]);
    let asked = [
        at(family.external, 80),
        at(family.balancer, 80),
        at(family.node, 30080),
    ];
    for to in &asked {
        for ask in PROTOCOLS {
            let kept = Answer::From("pod1".into(), family.client.parse().unwrap());
            assert!((0..10).all(|_| ask(&lab.client, to) == kept), "{to}");
            assert_eq!(names(ask, &lab.pods[2], to).len(), 2, "{to} from inside");
        }
    }
    api.apply([here("elsewhere")]);
    eventually("no local endpoints", || {
        tcp(&lab.client, &asked[0]) == Answer::Nothing
    });
    for to in &asked {
        for ask in PROTOCOLS {
            assert_eq!(ask(&lab.client, to), Answer::Nothing, "{to}");
            assert_eq!(names(ask, &lab.pods[2], to).len(), 2, "{to} from inside");
        }
    }
}

/// What is on its way out takes new connections as long as nothing else can (KEP-1669), by either policy.
#[rstest]
fn terminating_local_endpoints_serve_to_the_end(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(3);
    let more = json!({
        "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Local", "externalIPs": [family.external],
    });
    // A local one that terminates, and one elsewhere that is ready.
    let endpoints = |serving: bool, second: &str| {
        let mut slice = slice("web", family.name, &family.pods[..2], Some("node"));
        slice["endpoints"][0]["conditions"] =
            json!({"ready": false, "serving": serving, "terminating": true});
        slice["endpoints"][1]["nodeName"] = json!(second);
        slice
    };
    let objects = vec![
        service("web", &[family.cluster_ip], more),
        endpoints(true, "elsewhere"),
    ];
    let api = Api::start(&lab.node, config(), objects);
    let (outside, inside) = (at(family.external, 80), at(family.cluster_ip, 80));
    for ask in PROTOCOLS {
        assert_eq!(ask(&lab.client, &outside).name(), "pod1");
        assert_eq!(ask(&lab.pods[2], &inside).name(), "pod1");
    }
    // A ready one here takes over.
    api.apply([endpoints(true, "node")]);
    eventually("the ready one", || {
        tcp(&lab.client, &outside).name() == "pod2"
    });
    // Of UDP, flows to the one that terminates stay while it serves.
    for ask in [tcp as Ask, sctp] {
        assert_eq!(
            names(ask, &lab.client, &outside),
            HashSet::from(["pod2".to_owned()])
        );
        assert_eq!(
            names(ask, &lab.pods[2], &inside),
            HashSet::from(["pod2".to_owned()])
        );
    }
    // The one that terminated has ended, and the other moved.
    api.apply([endpoints(false, "elsewhere")]);
    eventually("nothing local", || {
        tcp(&lab.client, &outside) == Answer::Nothing
    });
    assert_eq!(tcp(&lab.pods[2], &inside), Answer::Nothing);
}
