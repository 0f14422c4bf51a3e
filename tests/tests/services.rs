//! Each Service type carries packets from each side: the LAN client, a pod, the node.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::net::SocketAddr;

use kedge_tests::addresses::until_gone;
use kedge_tests::ask;
use kedge_tests::lab::{CLIENT, NODE, PODS, PORT, address};
use kedge_tests::netns::Netns;
use kedge_tests::site::{Site, pods, service};
use kedge_tests::tool::run;
use serde_json::json;

/// Where the node's metrics are told.
const METRICS: ([u8; 4], u16) = ([127, 0, 0, 1], 10249);
const FAMILIES: [(bool, &str); 2] = [(true, "IPv4"), (false, "IPv6")];

/// A site with the backends' Pods.
fn site() -> Site {
    let site = Site::new().unwrap();
    site.apply(&pods()).unwrap();
    site
}

/// Applies a Service over the backends and waits for its endpoints.
fn serve(site: &Site, name: &str, spec: serde_json::Value) {
    site.apply(&[service(name, spec)]).unwrap();
    for (_, family) in FAMILIES {
        site.until_endpoints(name, family, 3).unwrap();
    }
}

/// The LoadBalancer address of a Service, once it serves: the status tells it a moment before the rules do.
fn balancer(site: &Site, name: &str, ipv4: bool) -> SocketAddr {
    let to = site.balancer(name, ipv4, 80).unwrap();
    ask::until_connected(&site.lab.client, to).unwrap();
    to
}

/// TCP and UDP answer from a host, and the backends all get their share.
fn answers(from: &Netns, to: SocketAddr) {
    let names: BTreeSet<String> = (0..24)
        .map(|_| {
            ask::http(from, to)
                .unwrap_or_else(|e| panic!("TCP {} to {to}: {e}", from.name()))
                .name
        })
        .collect();
    assert_eq!(names.len(), 3, "from {} to {to}: {names:?}", from.name());
    ask::udp(from, to).unwrap_or_else(|e| panic!("UDP {} to {to}: {e}", from.name()));
}

#[test]
fn cluster_ip_from_pods_and_the_node_and_a_routed_client() {
    let site = site();
    serve(&site, "web", json!({}));
    site.lab
        .client
        .ip(&format!("route add 10.43.0.0/16 via {}", NODE[0]))
        .unwrap();
    site.lab
        .client
        .ip(&format!("-6 route add fd00:43::/112 via {}", NODE[1]))
        .unwrap();
    for (ipv4, _) in FAMILIES {
        let to = site.cluster_ip("web", ipv4, 80).unwrap();
        for from in site
            .lab
            .pods
            .iter()
            .chain([&site.lab.node, &site.lab.client])
        {
            answers(from, to);
        }
        let wrong = SocketAddr::from((to.ip(), 81));
        let refused = ask::http(&site.lab.pods[0], wrong).unwrap_err();
        assert_eq!(
            refused.kind(),
            Some(std::io::ErrorKind::ConnectionRefused),
            "a port that the Service does not have"
        );
    }
}

#[test]
fn node_port_from_everywhere() {
    let site = site();
    serve(
        &site,
        "web",
        json!({"type": "NodePort", "ports": [
            {"name": "tcp", "port": 80, "targetPort": "http", "nodePort": 30080},
            {"name": "udp", "protocol": "UDP", "port": 80, "targetPort": PORT, "nodePort": 30080},
        ]}),
    );
    for node in NODE {
        let to = SocketAddr::from((address(node), 30080));
        for from in [&site.lab.client, &site.lab.pods[0], &site.lab.node] {
            answers(from, to);
        }
    }
}

#[test]
fn load_balancer_address_is_reached_by_a_lan_client_with_no_route() {
    let site = site();
    serve(&site, "web", json!({"type": "LoadBalancer"}));
    for (ipv4, _) in FAMILIES {
        let to = balancer(&site, "web", ipv4);
        for from in [&site.lab.client, &site.lab.pods[0], &site.lab.node] {
            answers(from, to);
        }
    }
    site.kedge(&["delete", "service", "web"]).unwrap();
    // They go a moment after their Service.
    for gone in ["192.168.50.240", "fd00:50::f0"] {
        until_gone(&site.lab.node, address(gone)).unwrap();
    }
}

#[test]
fn external_ips_and_source_addresses() {
    let site = site();
    let external = "192.168.50.200";
    serve(&site, "web", json!({"externalIPs": [external]}));
    serve(
        &site,
        "local",
        json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}),
    );
    site.lab
        .client
        .ip(&format!("route add {external}/32 via {}", NODE[0]))
        .unwrap();
    let answer = ask::http(&site.lab.client, (address(external), 80).into()).unwrap();
    assert_ne!(
        answer.saw,
        address(CLIENT[0]),
        "traffic from outside is masqueraded"
    );
    let to = balancer(&site, "local", true);
    let answer = ask::http(&site.lab.client, to).unwrap();
    assert_eq!(
        answer.saw,
        address(CLIENT[0]),
        "externalTrafficPolicy Local keeps the client's address"
    );
}

#[test]
fn hairpin_and_direct_sources() {
    let site = site();
    serve(&site, "web", json!({}));
    for (ipv4, i) in [(true, 0), (false, 1)] {
        let to = site.cluster_ip("web", ipv4, 80).unwrap();
        let mut met = BTreeSet::new();
        for _ in 0..60 {
            let answer = ask::http(&site.lab.pods[0], to).unwrap();
            if answer.name != "web-1" {
                assert_eq!(
                    answer.saw,
                    address(PODS[0][i]),
                    "a pod is seen as itself by others"
                );
            }
            met.insert(answer.name);
        }
        assert!(
            met.contains("web-1"),
            "a pod that reaches itself through its Service: {met:?}"
        );
    }
}

#[test]
fn no_endpoints_is_refused_at_once_and_endpoints_come_and_go() {
    let site = Site::new().unwrap();
    site.apply(&[service("web", json!({}))]).unwrap();
    let to = site.cluster_ip("web", true, 80).unwrap();
    for from in [&site.lab.pods[0], &site.lab.node] {
        assert_eq!(
            ask::http(from, to).unwrap_err().kind(),
            Some(std::io::ErrorKind::ConnectionRefused)
        );
    }
    assert_eq!(
        ask::udp(&site.lab.pods[0], to).unwrap_err().kind(),
        Some(std::io::ErrorKind::ConnectionRefused)
    );
    site.apply(&pods()).unwrap();
    site.until_endpoints("web", "IPv4", 3).unwrap();
    answers(&site.lab.pods[0], to);
    for gone in ["web-1", "web-2"] {
        site.kedge(&["delete", "pod", gone]).unwrap();
    }
    site.until_endpoints("web", "IPv4", 1).unwrap();
    for _ in 0..10 {
        assert_eq!(ask::http(&site.lab.pods[2], to).unwrap().name, "web-3");
    }
}

#[test]
fn a_pool_that_is_full_serves_the_next_when_an_address_is_freed() {
    let site = site();
    let addresses = 11;
    let all: Vec<_> = (0..=addresses)
        .map(|i| {
            service(
                &format!("lb-{i}"),
                json!({"type": "LoadBalancer", "ipFamilyPolicy": "SingleStack"}),
            )
        })
        .collect();
    site.apply(&all).unwrap();
    let assigned: BTreeSet<_> = (0..addresses)
        .map(|i| site.balancer(&format!("lb-{i}"), true, 80).unwrap().ip())
        .collect();
    assert_eq!(assigned.len(), addresses, "no address twice");
    let waiting = site.service(&format!("lb-{addresses}")).unwrap();
    assert!(
        waiting["status"]["loadBalancer"]["ingress"].is_null(),
        "{waiting}"
    );
    site.kedge(&["delete", "service", "lb-3"]).unwrap();
    site.balancer(&format!("lb-{addresses}"), true, 80).unwrap();
}

#[test]
fn top_and_metrics_show_who_is_connected() {
    let site = site();
    serve(&site, "web", json!({}));
    serve(&site, "idle", json!({}));
    let counting = "echo 1 > /proc/sys/net/netfilter/nf_conntrack_acct";
    run(site.lab.node.command("sh").args(["-c", counting])).unwrap();
    let to = site.cluster_ip("web", true, 80).unwrap();
    let mut open = ask::Connection::open(&site.lab.pods[0], to).unwrap();
    open.ask().unwrap();
    let shown = site.kedge(&["top", "--once"]).unwrap();
    let lines: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let header = "NAMESPACE NAME CONNECTIONS NEW/S PACKETS/S BYTES/S";
    assert_eq!(lines[0].join(" "), header, "{shown}");
    assert_eq!(lines[1], ["default", "web", "1", "0", "0", "0"], "{shown}");
    assert_eq!(lines.len(), 2, "{shown}");

    let measured = |what: &str| {
        let page = ask::page(&site.lab.node, METRICS.into(), "/metrics").unwrap();
        let line = format!("kedge_service_{what}{{namespace=\"default\",service=\"web\"}} ");
        let value = page.lines().find_map(|had| had.strip_prefix(&line));
        assert!(!page.contains("service=\"idle\""), "{page}");
        value.map(|value| value.parse::<u64>().unwrap())
    };
    assert_eq!(measured("open_connections"), Some(1));
    assert_eq!(measured("connections_total"), Some(1));
    let (packets, bytes) = (measured("packets_total"), measured("bytes_total"));
    assert!(
        packets >= Some(5) && bytes >= Some(200),
        "{packets:?} {bytes:?}"
    );
    let mut other = ask::Connection::open(&site.lab.pods[0], to).unwrap();
    other.ask().unwrap();
    assert_eq!(measured("connections_total"), Some(2));
    assert!(measured("packets_total") > packets);
    assert!(measured("bytes_total") > bytes);
}

#[test]
fn trace_says_what_the_rules_do() {
    let site = site();
    serve(&site, "web", json!({}));
    let config = site.lab.data().with_extension("yaml");
    let settings = "node-name: node\nnode-ip: [192.168.50.10, 'fd00:50::10']\ncluster-cidr: [10.42.0.0/16, 'fd00:42::/64']\nservice-cidr: [10.43.0.0/16, 'fd00:43::/112']\n";
    std::fs::write(&config, settings).unwrap();
    let trace = |source: &str, to: SocketAddr, more: &[&str]| {
        let to = to.to_string();
        let words = ["trace", source, &to, "--config", config.to_str().unwrap()];
        site.kedge(&[&words, more].concat()).unwrap()
    };
    for (ipv4, _) in FAMILIES {
        let to = site.cluster_ip("web", ipv4, 80).unwrap();
        let family = usize::from(!ipv4);
        let said = trace(CLIENT[family], to, &["--udp"]);
        for pod in PODS {
            let endpoint = SocketAddr::new(address(pod[family]), PORT);
            let line = format!("  {endpoint}   sees an address of this node");
            assert!(said.lines().any(|had| had == line), "{line} in\n{said}");
        }
        let said = trace(CLIENT[family], (to.ip(), 81).into(), &[]);
        assert!(said.starts_with("refused\n"), "{said}");
    }
    let to = site.cluster_ip("web", true, 80).unwrap();
    let said = trace(PODS[0][0], to, &["--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["service"]["name"], "default/web", "{said}");
    assert_eq!(said["outcome"]["verdict"], "forwarded", "{said}");
}
