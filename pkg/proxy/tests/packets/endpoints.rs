//! Which endpoints are used, and how evenly.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::api::{Api, config, node, service, slice};
use crate::support::family::{Ask, Family, PROTOCOLS, V4, V6, at, names};
use crate::support::lab::Lab;
use crate::support::sctp::sctp;
use crate::support::talk::{Answer, PATIENCE, eventually, tcp};

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

/// Each endpoint has its share of 100,000 new flows to within 2 %: four standard deviations and more.
#[rstest]
fn shares_are_even(#[values(V4, V6)] family: Family) {
    const FLOWS: u32 = 100_000;
    let lab = Lab::new(1);
    let mut objects = vec![service("web", &[family.cluster_ip], json!({}))];
    objects.extend((0..3).map(|n| server(family, n)));
    let _api = Api::start(&lab.node, config(), objects);
    // Source addresses enough for as many flows, each with a port of its own.
    let sources: Vec<String> = (0..5).map(|n| source(family, n)).collect();
    let counts = Servers::start(&lab, family).draw(&sources, (FLOWS / 5) as u16);
    let share = f64::from(FLOWS) / 3.0;
    for count in &counts {
        let off = (f64::from(*count) / share - 1.0).abs();
        assert!(off < 0.02, "{counts:?}");
    }
}

/// A slice with one server, a port of the first pod, on a node of its own.
fn server(family: Family, n: u16) -> Value {
    let mut one = slice(
        "web",
        family.name,
        &family.pods[..1],
        Some(&format!("node-{n}")),
    );
    one["metadata"]["name"] = json!(format!("web-{n}"));
    one["ports"] = json!([{"name": "udp", "protocol": "UDP", "port": 9000 + n}]);
    one
}

/// Three servers that count.
struct Servers<'a> {
    lab: &'a Lab,
    family: Family,
    received: Vec<UdpSocket>,
}

impl<'a> Servers<'a> {
    fn start(lab: &'a Lab, family: Family) -> Self {
        let bind = |n: u16| UdpSocket::bind(at(family.pods[0], 9000 + n)).unwrap();
        Self {
            lab,
            family,
            received: lab.pods[0].run(|| (0..3).map(bind).collect()),
        }
    }

    fn drain(&self, counts: &mut [u32]) {
        for (socket, count) in self.received.iter().zip(counts) {
            socket.set_nonblocking(true).unwrap();
            while socket.recv(&mut [0; 8]).is_ok() {
                *count += 1;
            }
        }
    }

    /// How many of so many new flows come to each: one for each port of these addresses of the node's.
    fn draw(&self, sources: &[String], ports: u16) -> Vec<u32> {
        for source in sources {
            self.family.add_address(&self.lab.node, source, "lan0");
        }
        let to: SocketAddr = at(self.family.cluster_ip, 80).parse().unwrap();
        let mut counts = vec![0u32; self.received.len()];
        self.lab.node.run(|| {
            for source in sources {
                for port in 0..ports {
                    let here: SocketAddr = at(source, 10_000 + port).parse().unwrap();
                    let socket = UdpSocket::bind(here).unwrap();
                    socket.send_to(b"?", to).unwrap();
                    // What is on its way fits in the servers' buffers.
                    if port % 50 == 0 {
                        self.drain(&mut counts);
                    }
                }
            }
        });
        let flows = sources.len() as u32 * u32::from(ports);
        eventually("all of them", || {
            self.drain(&mut counts);
            counts.iter().sum::<u32>() == flows
        });
        counts
    }
}

/// An address that nobody else has.
fn source(family: Family, n: u16) -> String {
    match family.host {
        32 => format!("192.0.2.{}", 100 + n),
        _ => format!("2001:db8::{:x}", 0x100 + n),
    }
}

/// Weights of Nodes and of slices are shares of new flows; a flow stays where it is, also where no new one comes.
#[rstest]
fn weights_are_shares(#[values(V4, V6)] family: Family) {
    const FLOWS: u16 = 7000;
    let lab = Lab::new(1);
    let weighted = |mut object: Value, weight: &str| {
        object["metadata"]["annotations"] = json!({"kedge.io/weight": weight});
        object
    };
    let other = |n: u16, weight: &str| {
        let node = json!({"kind": "Node", "metadata": {"name": format!("node-{n}")}});
        weighted(node, weight)
    };
    let objects = vec![
        service("web", &[family.cluster_ip], json!({})),
        server(family, 0),
        server(family, 1),
        weighted(server(family, 2), "50"),
        other(1, "50"),
        other(2, "50"),
    ];
    let api = Api::start(&lab.node, config(), objects);
    let servers = Servers::start(&lab, family);
    let counts = servers.draw(&[source(family, 0)], FLOWS);
    for (count, share) in counts.iter().zip([4.0, 2.0, 1.0]) {
        // Five standard deviations.
        let (expected, p) = (f64::from(FLOWS) * share / 7.0, share / 7.0);
        let allowed = 5.0 * (f64::from(FLOWS) * p * (1.0 - p)).sqrt();
        assert!((f64::from(*count) - expected).abs() < allowed, "{counts:?}");
    }

    let slots = |port: u16| {
        let listed = lab.listed(family, "eps");
        listed
            .matches(&format!(": {} . {port}", family.pods[0]))
            .count()
    };
    assert_eq!([9000, 9001, 9002].map(slots), [4, 2, 1]);
    // Flows that have come to each of them.
    let mut before = [0; 3];
    let flows: Vec<UdpSocket> = lab.node.run(|| {
        let any = at(&source(family, 0), 0);
        let flows = (0..50).map(|_| UdpSocket::bind(&any).unwrap());
        flows.collect()
    });
    let to = at(family.cluster_ip, 80);
    let send = |counts: &mut [u32; 3]| {
        for flow in &flows {
            flow.send_to(b"?", &to).unwrap();
        }
        eventually("all flows", || {
            servers.drain(counts);
            counts.iter().sum::<u32>() == 50
        });
    };
    send(&mut before);
    api.apply([weighted(server(family, 2), "0")]);
    eventually("no slot of the third", || slots(9002) == 0);
    assert_eq!([9000, 9001].map(slots), [2, 1]);
    let mut after = [0; 3];
    send(&mut after);
    assert_eq!(after, before, "a flow stays where it is");
    assert_eq!(servers.draw(&[source(family, 1)], 200)[2], 0, "no new ones");

    // All at nothing: any is better than none. Without weights, each has the one slot that it always had.
    api.apply([other(0, "0"), other(1, "0")]);
    eventually("all", || [9000, 9001, 9002].map(slots) == [1, 1, 1]);
    api.apply([
        other(0, "100"),
        other(1, "100"),
        other(2, "100"),
        server(family, 2),
    ]);
    eventually("all the same", || {
        [9000, 9001, 9002].map(slots) == [1, 1, 1]
    });
}

/// Hints of zones and nodes, as controllers write them for `trafficDistribution` PreferSameZone (PreferClose) and
/// PreferSameNode.
#[rstest]
fn hints_keep_traffic_close(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(3);
    let hinted = |hints: [Value; 3]| {
        let mut slice = slice("web", family.name, &family.pods, None);
        for (n, hints) in hints.into_iter().enumerate() {
            slice["endpoints"][n]["hints"] = hints;
        }
        slice
    };
    let zone = |name: &str| json!({"forZones": [{"name": name}]});
    let node_in = |zone: &str, node: &str| json!({"forZones": [{"name": zone}], "forNodes": [{"name": node}]});
    let api = Api::start(
        &lab.node,
        config(),
        vec![
            node("a"),
            service("web", &[family.cluster_ip], json!({})),
            hinted([zone("a"), zone("b"), zone("c")]),
        ],
    );
    let to = at(family.cluster_ip, 80);
    let used = |expected: &[&str]| {
        let expected: HashSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        eventually(&format!("{expected:?}"), || {
            names(tcp, &lab.client, &to) == expected
        });
        // Of UDP, flows to endpoints that are passed over but serve stay where they are.
        for ask in [tcp as Ask, sctp] {
            assert_eq!(names(ask, &lab.pods[0], &to), expected);
        }
    };
    used(&["pod1"]);
    // The node moves.
    api.apply([node("b")]);
    used(&["pod2"]);
    // No endpoint is meant for its zone: better any than none.
    api.apply([node("z")]);
    used(&["pod1", "pod2", "pod3"]);
    api.apply([
        node("a"),
        hinted([zone("a"), node_in("a", "other"), node_in("a", "node")]),
    ]);
    // One endpoint without a node's hint is reason to go by zones.
    used(&["pod1", "pod2", "pod3"]);
    api.apply([hinted([
        node_in("a", "other"),
        node_in("a", "other"),
        node_in("a", "node"),
    ])]);
    used(&["pod3"]);
    // One endpoint without any hint: hints are not complete, and count for nothing.
    api.apply([hinted([zone("a"), zone("b"), Value::Null])]);
    used(&["pod1", "pod2", "pod3"]);
}

/// Ready ones; when none is, those that terminate and still serve; what `publishNotReadyAddresses` calls ready is.
#[rstest]
fn readiness_decides(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(3);
    let conditions = |all: [[Option<bool>; 3]; 3]| {
        let mut slice = slice("web", family.name, &family.pods, None);
        for (n, [ready, serving, terminating]) in all.into_iter().enumerate() {
            slice["endpoints"][n]["conditions"] =
                json!({"ready": ready, "serving": serving, "terminating": terminating});
        }
        slice
    };
    const READY: [Option<bool>; 3] = [Some(true), Some(true), Some(false)];
    const UNKNOWN: [Option<bool>; 3] = [None; 3];
    const TERMINATING: [Option<bool>; 3] = [Some(false), Some(true), Some(true)];
    const GONE: [Option<bool>; 3] = [Some(false), Some(false), Some(true)];
    const FAILING: [Option<bool>; 3] = [Some(false), Some(false), Some(false)];
    // With publishNotReadyAddresses the controller says ready of all of them.
    const PUBLISHED: [Option<bool>; 3] = [Some(true), Some(false), Some(true)];
    let to = at(family.cluster_ip, 80);
    let web = service("web", &[family.cluster_ip], json!({}));
    let api = Api::start(&lab.node, config(), vec![web]);
    for (all, expected) in [
        ([READY, TERMINATING, FAILING], vec!["pod1"]),
        ([READY, UNKNOWN, GONE], vec!["pod1", "pod2"]),
        ([FAILING, TERMINATING, TERMINATING], vec!["pod2", "pod3"]),
        ([FAILING, PUBLISHED, GONE], vec!["pod2"]),
        ([GONE, GONE, TERMINATING], vec!["pod3"]),
    ] {
        api.apply([conditions(all)]);
        let expected: HashSet<String> = expected.into_iter().map(str::to_owned).collect();
        let given = || (0..30).all(|_| matches!(tcp(&lab.client, &to), Answer::From(..)));
        eventually(&format!("{expected:?}"), || {
            given() && names(tcp, &lab.client, &to) == expected
        });
        for ask in PROTOCOLS {
            assert_eq!(names(ask, &lab.pods[0], &to), expected);
        }
    }
    api.apply([conditions([FAILING, GONE, FAILING])]);
    eventually("a closed port", || tcp(&lab.client, &to) == Answer::Refused);
}

/// Whichever endpoint comes or goes, connections to the others go on.
#[rstest]
fn a_change_moves_no_established_connection(#[values(V4, V6)] family: Family) {
    const CONNECTIONS: usize = 30;
    let lab = Lab::new(3);
    let listeners: Vec<TcpListener> = (0..3)
        .map(|n| lab.pods[n].run(|| TcpListener::bind(at(family.pods[n], 9000)).unwrap()))
        .collect();
    let among = |pods: &[&str]| {
        let mut slice = slice("web", family.name, pods, None);
        slice["ports"] = json!([{"name": "tcp", "port": 9000}]);
        slice
    };
    let api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], json!({})),
            among(&family.pods[..2]),
        ],
    );
    let to = at(family.cluster_ip, 80);
    let mut connections: Vec<(TcpStream, TcpStream)> = (0..CONNECTIONS)
        .map(|_| {
            let mut client = lab.client.run(|| TcpStream::connect(&to).unwrap());
            client.write_all(b"hello").unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let server = listeners[..2].iter().find_map(|listener| {
                listener.set_nonblocking(true).unwrap();
                listener.accept().ok()
            });
            let (server, _) = server.unwrap();
            server.set_nonblocking(false).unwrap();
            server.set_read_timeout(Some(PATIENCE)).unwrap();
            (client, server)
        })
        .collect();
    let mut exchange = |what: &str| {
        for (client, server) in &mut connections {
            let mut buffer = [0; 5];
            server.read_exact(&mut buffer).expect(what);
            server.write_all(&buffer).expect(what);
            client.read_exact(&mut buffer).expect(what);
            client.write_all(&buffer).expect(what);
        }
    };
    exchange("at first");
    let pods = family.pods;
    for (what, left) in [
        ("one more", vec![pods[0], pods[1], pods[2]]),
        ("another order", vec![pods[2], pods[1], pods[0]]),
        ("one less", vec![pods[1], pods[2]]),
        ("others than before", vec![pods[2]]),
        ("none at all", vec![]),
        ("all again", vec![pods[0], pods[1], pods[2]]),
    ] {
        api.apply([among(&left)]);
        eventually(what, || {
            let slots = lab.listed(family, "eps");
            pods.iter()
                .all(|pod| slots.contains(&format!(": {pod} . 9000")) == left.contains(pod))
        });
        exchange(what);
    }
}
