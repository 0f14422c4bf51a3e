//! Packets through a real kernel: every way to ask a Service, from every place, in both families.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use support::api::{Api, balanced, config, service, slice};
use support::host::Host;
use support::lab::Lab;
use support::sctp::sctp;
use support::talk::{Answer, eventually, tcp, udp};

/// The addresses of one family.
struct Family {
    name: &'static str,
    cluster_ip: &'static str,
    other_ip: &'static str,
    unclaimed: &'static str,
    external: &'static str,
    node: &'static str,
    client: &'static str,
    pods: [&'static str; 3],
}

const V4: Family = Family {
    name: "IPv4",
    cluster_ip: "10.43.0.10",
    other_ip: "10.43.0.11",
    unclaimed: "10.43.9.9",
    external: "198.51.100.1",
    node: "192.0.2.1",
    client: "192.0.2.2",
    pods: ["10.42.1.2", "10.42.2.2", "10.42.3.2"],
};

const V6: Family = Family {
    name: "IPv6",
    cluster_ip: "fd43::10",
    other_ip: "fd43::11",
    unclaimed: "fd43::99",
    external: "2001:db8:1::1",
    node: "2001:db8::1",
    client: "2001:db8::2",
    pods: ["fd42:1::2", "fd42:2::2", "fd42:3::2"],
};

fn at(address: &str, port: u16) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

type Ask = fn(&Host, &str) -> Answer;

const PROTOCOLS: [Ask; 3] = [tcp, udp, sctp];

/// Who answers, of many questions.
fn names(ask: Ask, from: &Host, to: &str) -> HashSet<String> {
    (0..30).map(|_| ask(from, to).name().to_owned()).collect()
}

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
fn node_port(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let ports = json!([{"name": "tcp", "port": 80, "nodePort": 30080},
                       {"name": "udp", "port": 80, "protocol": "UDP", "nodePort": 30080},
                       {"name": "sctp", "port": 80, "protocol": "SCTP", "nodePort": 30080}]);
    let web = service("web", &[family.cluster_ip], json!({"ports": ports}));
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
fn external_and_load_balancer_addresses(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let balancer = if family.name == "IPv4" {
        "203.0.113.9"
    } else {
        "2001:db8:2::9"
    };
    let allowed = if family.name == "IPv4" {
        "192.0.2.2/32"
    } else {
        "2001:db8::2/128"
    };
    let guarded = service(
        "guarded",
        &[family.other_ip],
        json!({"loadBalancerSourceRanges": [allowed]}),
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
            balanced(guarded, &[balancer]),
            slice("guarded", family.name, &family.pods[..1], None),
        ],
    );
    for ask in PROTOCOLS {
        assert_eq!(names(ask, &lab.client, &at(family.external, 80)).len(), 2);
        assert_eq!(
            ask(&lab.client, &at(balancer, 80)).name(),
            "pod1",
            "an allowed source"
        );
        assert_eq!(
            ask(&lab.pods[1], &at(balancer, 80)),
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

#[rstest]
fn session_affinity(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(3);
    let sticky = json!({"sessionAffinity": "ClientIP"});
    let api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], sticky),
            slice("web", family.name, &family.pods, None),
        ],
    );
    let to = at(family.cluster_ip, 80);
    for ask in PROTOCOLS {
        for from in [&lab.client, &lab.node, &lab.pods[0]] {
            assert_eq!(names(ask, from, &to).len(), 1);
        }
    }
    // Its endpoint goes: another one, and that one again and again.
    let first = tcp(&lab.client, &to).name().to_owned();
    let left: Vec<&str> = (1..=3)
        .filter(|n| first != format!("pod{n}"))
        .map(|n| family.pods[n - 1])
        .collect();
    api.apply([slice("web", family.name, &left, None)]);
    eventually("another endpoint", || tcp(&lab.client, &to).name() != first);
    assert_eq!(names(tcp, &lab.client, &to).len(), 1);
}

#[rstest]
fn affinity_to_the_node_itself(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    support::talk::serve(&lab.node, "node", family.node);
    let sticky = json!({"sessionAffinity": "ClientIP"});
    let _api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], sticky),
            slice("web", family.name, &[family.node, family.pods[0]], None),
        ],
    );
    let to = at(family.cluster_ip, 80);
    for from in [&lab.client, &lab.node, &lab.pods[0]] {
        assert_eq!(names(tcp, from, &to).len(), 1);
        assert_eq!(names(udp, from, &to).len(), 1);
    }
}

#[rstest]
fn many_endpoints_are_used_evenly(#[values(1, 100)] port_count: usize) {
    // One pod under many ports' worth of endpoints: the address stays, so count them by port.
    let lab = Lab::new(1);
    let slices: Vec<_> = (0..port_count)
        .map(|n| {
            let mut one = slice("web", "IPv4", &["10.42.1.2"], None);
            one["metadata"]["name"] = json!(format!("web-{n}"));
            one["ports"] = json!([{"name": "tcp", "port": 9000 + n}]);
            one
        })
        .collect();
    let mut objects = vec![service("web", &["10.43.0.10"], json!({}))];
    objects.extend(slices);
    let _api = Api::start(&lab.node, config(), objects);
    let listeners: Vec<_> = lab.pods[0].run(|| {
        (0..port_count)
            .map(|n| std::net::TcpListener::bind(("0.0.0.0", 9000 + n as u16)).unwrap())
            .collect()
    });
    let connections = 20 * port_count;
    lab.node.run(|| {
        for _ in 0..connections {
            drop(std::net::TcpStream::connect("10.43.0.10:80").unwrap());
        }
    });
    let accepted: Vec<usize> = listeners
        .iter()
        .map(|listener| {
            listener.set_nonblocking(true).unwrap();
            std::iter::from_fn(|| listener.accept().ok()).count()
        })
        .collect();
    assert_eq!(accepted.iter().sum::<usize>(), connections);
    // 20 expected each: three standard deviations and more on either side.
    assert!(
        accepted.iter().all(|n| (2..=45).contains(n)),
        "{accepted:?}"
    );
}

#[test]
fn what_others_translate_is_left_alone() {
    let lab = Lab::new(1);
    let web = service("web", &["10.43.0.10"], json!({}));
    let objects = vec![web, slice("web", "IPv4", &["10.42.1.2"], None)];
    let _api = Api::start(&lab.node, config(), objects);
    // A port that somebody else forwards, with a mark of theirs that looks like one of ours.
    let rules = "table ip other {
        chain pre { type nat hook prerouting priority -150; tcp dport 7000 ct mark set 0x1301 dnat to 10.42.1.2:8080; }
    }";
    lab.node.command("nft", &[rules]);
    let answer = tcp(&lab.client, "192.0.2.1:7000");
    assert_eq!(
        answer,
        Answer::From("pod1".into(), "192.0.2.2".parse().unwrap())
    );
}

#[test]
fn the_systems_nft_still_lists() {
    let lab = Lab::new(0);
    let everything = json!({
        "sessionAffinity": "ClientIP", "externalTrafficPolicy": "Local", "loadBalancerSourceRanges": ["192.0.2.0/24"],
    });
    let web = service("web", &["10.43.0.10", "fd43::10"], everything);
    let web = balanced(web, &["203.0.113.9", "2001:db8:2::9"]);
    let objects = vec![
        web,
        slice("web", "IPv4", &["10.42.1.2"], Some("node")),
        slice("web", "IPv6", &["fd42:1::2"], Some("node")),
    ];
    let _api = Api::start(&lab.node, config(), objects);
    // Protocols by number: their names are not on every machine.
    let listed = lab.node.command("nft", &["-p", "list", "ruleset"]);
    for expected in [
        "table ip kedge",
        "table ip6 kedge",
        "10.43.0.10 . 6 . 80",
        "masquerade fully-random",
        "fd43::10",
        "comment \"kedge services, layout 1\"",
    ] {
        assert!(listed.contains(expected), "{expected} is not in\n{listed}");
    }
}

/// Its packets are on their way through the rules at any moment, and must not bring back what is forgotten.
#[rstest]
fn a_busy_client_leaves_an_endpoint_that_goes(#[values(V4, V6)] family: Family) {
    const ROUNDS: usize = 40;
    let lab = Lab::new(2);
    let sticky = json!({"sessionAffinity": "ClientIP"});
    let only = |n: usize| slice("web", family.name, &family.pods[n..=n], None);
    let api = Api::start(
        &lab.node,
        config(),
        vec![service("web", &[family.cluster_ip], sticky), only(0)],
    );
    let to: SocketAddr = at(family.cluster_ip, 80).parse().unwrap();
    let here = SocketAddr::new(family.client.parse().unwrap(), 0);
    let sending = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            lab.client.run(|| {
                while sending.load(Ordering::Relaxed) {
                    let socket = UdpSocket::bind(here).unwrap();
                    let wait = Some(Duration::from_millis(1));
                    socket.set_read_timeout(wait).unwrap();
                    socket.send_to(b"?", to).unwrap();
                    let _ = socket.recv(&mut [0; 64]);
                }
            });
        });
        // A failure must end the client too.
        let _end = Defer(|| sending.store(false, Ordering::Relaxed));
        for round in 0..ROUNDS {
            let now = round % 2;
            api.apply([only(now)]);
            let name = format!("pod{}", now + 1);
            for ask in PROTOCOLS {
                let right = |answer| matches!(answer, Answer::From(from, _) if from == name);
                eventually(&name, || right(ask(&lab.client, &to.to_string())));
            }
        }
    });
}

/// Calls a function when it is dropped.
struct Defer<F: FnMut()>(F);

impl<F: FnMut()> Drop for Defer<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
