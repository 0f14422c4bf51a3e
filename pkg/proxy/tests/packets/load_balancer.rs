//! External IPs and addresses of load balancers, and who may come to them.

use kedge_proxy::{NodePorts, ProxyConfig};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::api::{Api, balanced, config, node_ports, service, slice};
use crate::support::family::{Ask, Family, PROTOCOLS, V4, V6, at, names};
use crate::support::lab::Lab;
use crate::support::talk::{Answer, eventually, serve, tcp, udp};

#[rstest]
fn external_and_load_balancer_addresses(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let guarded = service(
        "guarded",
        &[family.other_ip],
        json!({"loadBalancerSourceRanges": [family.only(family.client)]}),
    );
    let _api = Api::start(
        &lab.node,
        config(),
        vec![
            service(
                "web",
                &[family.cluster_ip],
                json!({"externalIPs": [family.external]}),
            ),
            slice("web", family.name, &family.pods[..2], None),
            balanced(guarded, &[family.balancer]),
            slice("guarded", family.name, &family.pods[..1], None),
        ],
    );
    for ask in PROTOCOLS {
        assert_eq!(names(ask, &lab.client, &at(family.external, 80)).len(), 2);
        assert_eq!(
            ask(&lab.client, &at(family.balancer, 80)).name(),
            "pod1",
            "an allowed source"
        );
        assert_eq!(
            ask(&lab.pods[1], &at(family.balancer, 80)),
            Answer::Nothing,
            "one that is not"
        );
        assert_eq!(
            ask(&lab.pods[1], &at(family.other_ip, 80)).name(),
            "pod1",
            "its cluster IP is not guarded"
        );
    }
}

/// Whoever makes addresses of a load balancer says whether packets reach the node with them (KEP-1860).
#[rstest]
#[case::by_default(json!({}), "pod1")]
#[case::vip(json!({"ipMode": "VIP"}), "pod1")]
#[case::proxy(json!({"ipMode": "Proxy"}), "balancer")]
fn clients_in_the_cluster_take_the_short_way(
    #[values(V4, V6)] family: Family,
    #[case] mode: Value,
    #[case] answers: &str,
) {
    let lab = Lab::new(2);
    // The load balancer is a machine of the LAN.
    family.add_address(&lab.client, family.balancer, "eth0");
    serve(&lab.client, "balancer", family.balancer);
    let ports =
        json!([{"name": "tcp", "port": 8080}, {"name": "udp", "port": 8080, "protocol": "UDP"}]);
    let more =
        json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/theirs", "ports": ports});
    let mut web = balanced(
        service("web", &[family.cluster_ip], more),
        &[family.balancer],
    );
    let ingress = web["status"]["loadBalancer"]["ingress"][0]
        .as_object_mut()
        .unwrap();
    ingress.extend(mode.as_object().unwrap().clone());
    let objects = vec![web, slice("web", family.name, &family.pods[..1], None)];
    let _api = Api::start(&lab.node, config(), objects);
    for ask in [tcp as Ask, udp] {
        for from in [&lab.pods[1], &lab.node] {
            assert_eq!(ask(from, &at(family.balancer, 8080)).name(), answers);
        }
    }
}

#[rstest]
fn source_ranges_follow_the_service(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let open_to = |ranges: &[&str]| {
        let ranges: Vec<String> = ranges.iter().map(|ip| family.only(ip)).collect();
        let more = json!({"loadBalancerSourceRanges": ranges});
        balanced(
            service("web", &[family.cluster_ip], more),
            &[family.balancer],
        )
    };
    let to = at(family.balancer, 80);
    let endpoints = slice("web", family.name, &family.pods[..1], None);
    let objects = vec![open_to(&[family.client]), endpoints];
    let api = Api::start(&lab.node, config(), objects);
    let may = |from| PROTOCOLS.map(|ask| matches!(ask(from, &to), Answer::From(..)));
    assert_eq!(may(&lab.client), [true; 3]);
    assert_eq!(may(&lab.pods[1]), [false; 3]);
    api.apply([open_to(&[family.pods[1], family.node])]);
    eventually("the pod's turn", || {
        matches!(tcp(&lab.pods[1], &to), Answer::From(..))
    });
    assert_eq!(may(&lab.pods[1]), [true; 3]);
    assert_eq!(may(&lab.client), [false; 3]);
    assert_eq!(may(&lab.node), [true; 3]);
    api.apply([open_to(&[])]);
    eventually("no ranges", || {
        matches!(tcp(&lab.client, &to), Answer::From(..))
    });
    assert_eq!(may(&lab.client), [true; 3]);
}

/// Ranges hold before a destination is chosen: with nobody to send it to, a stranger hears no more than before.
#[rstest]
fn who_may_not_come_hears_nothing_of_a_closed_port(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    let more = json!({"loadBalancerSourceRanges": [family.only(family.client)]});
    let web = service("web", &[family.cluster_ip], more);
    let web = balanced(web, &[family.balancer]);
    let _api = Api::start(&lab.node, config(), vec![web]);
    let to = at(family.balancer, 80);
    for ask in PROTOCOLS {
        assert_eq!(ask(&lab.client, &to), Answer::Refused);
        assert_eq!(ask(&lab.pods[0], &to), Answer::Nothing);
    }
}

#[rstest]
fn source_ranges_hold_on_node_ports_where_that_is_wanted(
    #[values(V4, V6)] family: Family,
    #[values(false, true)] guarded: bool,
    #[values("Cluster", "Local")] policy: &str,
) {
    let lab = Lab::new(2);
    let more = json!({
        "type": "LoadBalancer", "ports": node_ports(30080), "externalTrafficPolicy": policy,
        "loadBalancerSourceRanges": [family.only(family.client)],
    });
    let web = balanced(
        service("web", &[family.cluster_ip], more),
        &[family.balancer],
    );
    let node_ports = NodePorts {
        guarded,
        ..NodePorts::default()
    };
    let settings = ProxyConfig {
        node_ports,
        ..config()
    };
    let endpoints = slice("web", family.name, &family.pods[..1], Some("node"));
    let _api = Api::start(&lab.node, settings, vec![web, endpoints]);
    for ask in PROTOCOLS {
        let (node, balancer) = (at(family.node, 30080), at(family.balancer, 80));
        assert_eq!(ask(&lab.client, &node).name(), "pod1");
        assert_eq!(
            matches!(ask(&lab.pods[1], &node), Answer::From(..)),
            !guarded
        );
        assert_eq!(ask(&lab.pods[1], &balancer), Answer::Nothing);
    }
}

#[rstest]
fn a_load_balancer_needs_no_node_ports(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    let more = json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false});
    let web = balanced(
        service("web", &[family.cluster_ip], more),
        &[family.balancer],
    );
    let endpoints = slice("web", family.name, &family.pods[..1], None);
    let _api = Api::start(&lab.node, config(), vec![web, endpoints]);
    for ask in PROTOCOLS {
        assert_eq!(ask(&lab.client, &at(family.balancer, 80)).name(), "pod1");
    }
    let open = lab.listed(family, "svc");
    assert!(
        open.contains(family.balancer) && !open.contains(family.node),
        "{open}"
    );
}
