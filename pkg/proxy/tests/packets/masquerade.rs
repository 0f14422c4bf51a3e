//! Whose connections get the node's address as their source: every place to ask from and to ask at, under every policy
//! and setting, as kube-proxy's own tests tabulate it (`TestInternalExternalMasquerade`).

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use kedge_proxy::{Masquerade, ProxyConfig};
use rstest::rstest;
use rustix::net::{AddressFamily, SocketType, bind, socket};
use serde_json::json;

use crate::support::api::{Api, balanced, config, node_ports, service, slice};
use crate::support::family::{Family, PROTOCOLS, V4, V6, at};
use crate::support::lab::Lab;
use crate::support::talk::{PATIENCE, tcp};

/// Which endpoints are reached, and from which source they see the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Both, from the client's own address.
    Kept,
    /// Both, from the node's.
    Masked,
    /// The local one, from the client's own address.
    LocalKept,
    /// The local one, from the node's.
    LocalMasked,
}

use Way::{Kept, LocalKept, LocalMasked, Masked};

/// One column of the table: settings, policies, and the way from a pod, the node and a client outside to a cluster IP,
/// a node port and a load balancer's address, in this order.
struct Column {
    masquerade_all: bool,
    knows_pods: bool,
    external: &'static str,
    internal: &'static str,
    ways: [[Way; 3]; 3],
}

const BASE: Column = Column {
    masquerade_all: false,
    knows_pods: true,
    external: "Cluster",
    internal: "Cluster",
    ways: [
        [Kept, Masked, Masked],
        [Masked, Masked, Masked],
        [Masked, Masked, Masked],
    ],
};
const ALL: Column = Column {
    masquerade_all: true,
    ways: [
        [Masked, Masked, Masked],
        [Masked, Masked, Masked],
        [Masked, Masked, Masked],
    ],
    ..BASE
};
const EXTERNAL_LOCAL: Column = Column {
    external: "Local",
    ways: [
        [Kept, Masked, Masked],
        [Kept, Masked, LocalKept],
        [Kept, Masked, LocalKept],
    ],
    ..BASE
};
const ALL_AND_EXTERNAL_LOCAL: Column = Column {
    masquerade_all: true,
    ways: [
        [Masked, Masked, Masked],
        [Kept, Masked, LocalKept],
        [Kept, Masked, LocalKept],
    ],
    ..EXTERNAL_LOCAL
};
const INTERNAL_LOCAL: Column = Column {
    internal: "Local",
    ways: [
        [LocalKept, LocalMasked, LocalMasked],
        [Masked, Masked, Masked],
        [Masked, Masked, Masked],
    ],
    ..BASE
};
const BOTH_LOCAL: Column = Column {
    external: "Local",
    ways: [
        [LocalKept, LocalMasked, LocalMasked],
        [Kept, Masked, LocalKept],
        [Kept, Masked, LocalKept],
    ],
    ..INTERNAL_LOCAL
};
/// Without a range of pods, nobody is known to be outside of it.
const BLIND: Column = Column {
    knows_pods: false,
    ways: [
        [Kept, Kept, Kept],
        [Masked, Masked, Masked],
        [Masked, Masked, Masked],
    ],
    ..BASE
};
const BLIND_AND_EXTERNAL_LOCAL: Column = Column {
    external: "Local",
    ways: [
        [Kept, Kept, Kept],
        [LocalKept, Masked, LocalKept],
        [LocalKept, Masked, LocalKept],
    ],
    ..BLIND
};

#[rstest]
#[case::base(BASE)]
#[case::all(ALL)]
#[case::external_local(EXTERNAL_LOCAL)]
#[case::all_and_external_local(ALL_AND_EXTERNAL_LOCAL)]
#[case::internal_local(INTERNAL_LOCAL)]
#[case::both_local(BOTH_LOCAL)]
#[case::blind(BLIND)]
#[case::blind_and_external_local(BLIND_AND_EXTERNAL_LOCAL)]
fn sources(#[values(V4, V6)] family: Family, #[case] column: Column) {
    let lab = Lab::new(3);
    let mut settings = config();
    if column.masquerade_all {
        settings.masquerade = Masquerade::All;
    }
    if !column.knows_pods {
        settings = ProxyConfig {
            cluster_cidrs: Vec::new(),
            ..settings
        };
    }
    let more = json!({
        "type": "LoadBalancer", "ports": node_ports(30080),
        "externalTrafficPolicy": column.external, "internalTrafficPolicy": column.internal,
    });
    let web = balanced(
        service("web", &[family.cluster_ip], more),
        &[family.balancer],
    );
    let mut endpoints = slice("web", family.name, &family.pods[..2], Some("node"));
    endpoints["endpoints"][1]["nodeName"] = json!("elsewhere");
    let _api = Api::start(&lab.node, settings, vec![web, endpoints]);

    let asked = [
        at(family.cluster_ip, 80),
        at(family.node, 30080),
        at(family.balancer, 80),
    ];
    let from = [
        (&lab.pods[2], family.pods[2]),
        (&lab.node, family.node),
        (&lab.client, family.client),
    ];
    for (to, ways) in asked.iter().zip(column.ways) {
        for ((host, own), expected) in from.iter().zip(ways) {
            let mut local = true;
            let mut masked = HashSet::new();
            for _ in 0..20 {
                let answer = tcp(host, to);
                local &= answer.name() == "pod1";
                let gateway = match answer.name() {
                    "pod1" => family.gateways[0],
                    _ => family.gateways[1],
                };
                let source = answer.source().to_string();
                assert!(
                    source == *own || source == gateway,
                    "{own} to {to}: {answer:?}"
                );
                masked.insert(source != *own);
            }
            assert_eq!(masked.len(), 1, "{own} to {to} is masqueraded now and then");
            let way = match (local, masked.contains(&true)) {
                (false, false) => Kept,
                (false, true) => Masked,
                (true, false) => LocalKept,
                (true, true) => LocalMasked,
            };
            assert_eq!(way, expected, "{own} to {to}");
        }
    }
}

/// An endpoint that comes to itself, at every kind of address and under every policy, sees another source than its own.
#[rstest]
fn endpoints_that_come_to_themselves(
    #[values(V4, V6)] family: Family,
    #[values("Cluster", "Local")] policy: &str,
) {
    let lab = Lab::new(1);
    let more = json!({
        "type": "LoadBalancer", "ports": node_ports(30080), "externalIPs": [family.external],
        "externalTrafficPolicy": policy, "internalTrafficPolicy": policy,
    });
    let web = balanced(
        service("web", &[family.cluster_ip], more),
        &[family.balancer],
    );
    let endpoints = slice("web", family.name, &family.pods[..1], Some("node"));
    let _api = Api::start(&lab.node, config(), vec![web, endpoints]);
    for to in [
        at(family.cluster_ip, 80),
        at(family.node, 30080),
        at(family.external, 80),
        at(family.balancer, 80),
    ] {
        for ask in PROTOCOLS {
            let answer = ask(&lab.pods[0], &to);
            assert_eq!(answer.name(), "pod1", "{to}");
            assert_eq!(answer.source().to_string(), family.gateways[0], "{to}");
        }
    }
}

/// A server that closes first keeps a port of the node's in TIME-WAIT, where only its client's next connection is newer.
#[rstest]
fn a_client_comes_again_with_ports_that_it_had(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    lab.client.sysctl("ipv4/ip_local_port_range", "40000 40499");
    let _api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], json!({})),
            slice("web", family.name, &family.pods[..1], None),
        ],
    );
    for _ in 0..4_000 {
        let answer = tcp(&lab.client, &at(family.cluster_ip, 80));
        assert_eq!(answer.name(), "pod1");
    }
    // All but those that are on their way there.
    assert!(lab.pods[0].tcp_counter("TW") > 3_900);
    assert_eq!(lab.pods[0].tcp_counter("PAWSTimewait"), 0);
}

/// Behind the node's one address, only one of them can have the port that both come from.
#[rstest]
fn clients_with_the_same_port_stay_apart(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    lab.client.ip("addr add 192.0.2.3/24 dev eth0");
    lab.client.ip("addr add 2001:db8::3/64 dev eth0 nodad");
    let second = match family.name {
        "IPv4" => "192.0.2.3",
        _ => "2001:db8::3",
    };
    let server = lab.pods[0].run(|| TcpListener::bind(at(family.pods[0], 9000)).unwrap());
    let mut endpoint = slice("web", family.name, &family.pods[..1], None);
    endpoint["ports"] = json!([{"name": "tcp", "port": 9000}]);
    let web = service("web", &[family.cluster_ip], json!({}));
    let _api = Api::start(&lab.node, config(), vec![web, endpoint]);
    let mut connections = Vec::new();
    for address in [family.client, second] {
        let client = lab
            .client
            .run(|| connect(&at(address, 7000), &at(family.cluster_ip, 80)));
        connections.push((client, server.accept().unwrap()));
    }
    let ports = [0, 1].map(|n: usize| connections[n].1.1.port());
    assert_eq!(ports[0], 7000);
    assert_ne!(ports[1], 7000);
    for (n, (client, (server, _))) in connections.iter_mut().enumerate() {
        server.write_all(&[n as u8]).unwrap();
        let mut word = [0];
        client.read_exact(&mut word).unwrap();
        assert_eq!(word, [n as u8]);
    }
}

/// A connection from a port of one's own choice.
fn connect(from: &str, to: &str) -> TcpStream {
    let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let family = match from {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket(family, SocketType::STREAM, None).unwrap();
    bind(&socket, &from).unwrap();
    rustix::net::connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}
