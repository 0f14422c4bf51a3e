//! What the kernel remembers of connections: stale UDP flows are forgotten, those to serving endpoints never; and a reply
//! that fits no connection reaches nobody.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};

use kedge_nftables::conntrack::{Filter, Socket};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::api::{Api, config, node_ports, service, slice};
use crate::support::family::{Family, V4, V6, at};
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::segment::{Witness, send_acks};
use crate::support::talk::{Answer, Udp, eventually};

const UDP: u8 = 17;

/// Clients' flows, each with who answers it.
struct Flows(Vec<(Udp, String)>);

impl Flows {
    /// So many as it takes to have some at each of `count` pods.
    fn to_each(from: &Host, to: &str, count: usize) -> Self {
        let mut flows = Vec::new();
        for _ in 0..200 {
            let flow = Udp::new(from, to);
            let name = flow.ask().name().to_owned();
            flows.push((flow, name));
            let mut names: Vec<&String> = flows.iter().map(|(_, name)| name).collect();
            names.sort_unstable();
            names.dedup();
            if names.len() == count && flows.len() > 10 {
                break;
            }
        }
        Self(flows)
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Udp> + 'a {
        let of = self.0.iter().filter(move |(_, answers)| answers == name);
        of.map(|(flow, _)| flow)
    }

    fn stay(&self) {
        for (flow, name) in &self.0 {
            assert_eq!(flow.ask().name(), name, "a flow stays where it is");
        }
    }
}

/// The kernel's entries of UDP flows to an address, by the client's port: who answers, and the entry's identity.
fn entries(node: &Host, to: &str) -> BTreeMap<u16, (IpAddr, Option<u32>)> {
    let to: std::net::SocketAddr = to.parse().unwrap();
    node.run(|| {
        let of_it = |e: &kedge_nftables::conntrack::Entry| {
            e.original.protocol == UDP
                && e.original.destination == to.ip()
                && e.original.destination_port() == Some(to.port())
        };
        let found = Socket::open().unwrap().entries(Filter::default(), of_it);
        let found = found.unwrap().into_iter();
        found
            .map(|e| (e.original.source_port().unwrap(), (e.reply.source, e.id)))
            .collect()
    })
}

fn web(family: &Family) -> Vec<Value> {
    vec![
        service("web", &[family.cluster_ip], json!({})),
        slice("web", family.name, &family.pods[..2], Some("node")),
    ]
}

#[rstest]
fn flows_leave_an_endpoint_that_goes_and_no_other(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let api = Api::start(&lab.node, config(), web(&family));
    let to = at(family.cluster_ip, 80);
    let flows = Flows::to_each(&lab.client, &to, 2);
    flows.stay();
    let before = entries(&lab.node, &to);
    assert_eq!(before.len(), flows.0.len());
    api.apply([slice("web", family.name, &family.pods[..1], Some("node"))]);
    let gone: IpAddr = family.pods[1].parse().unwrap();
    eventually("no flow to the endpoint that is gone", || {
        entries(&lab.node, &to)
            .values()
            .all(|(pod, _)| *pod != gone)
    });
    let mut kept = before.clone();
    kept.retain(|_, (pod, _)| *pod != gone);
    assert_eq!(entries(&lab.node, &to), kept, "the very same entries");
    assert!(flows.0.iter().all(|(flow, _)| flow.ask().name() == "pod1"));
    // None is left: the client is told, rather than sent into the void.
    api.apply([slice("web", family.name, &[], None)]);
    let (any, _) = &flows.0[0];
    eventually("the refusal", || any.ask() == Answer::Refused);
    eventually("no flow", || entries(&lab.node, &to).is_empty());
    api.apply([slice("web", family.name, &family.pods[1..2], None)]);
    eventually("another endpoint", || matches!(any.ask(), Answer::From(..)));
    assert_eq!(any.ask().name(), "pod2");
}

#[rstest]
fn flows_go_with_their_service_and_no_others(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let mut objects = web(&family);
    objects.push(service("other", &[family.other_ip], json!({})));
    objects.push(slice("other", family.name, &family.pods[..2], None));
    let api = Api::start(&lab.node, config(), objects.clone());
    let (to, other) = (at(family.cluster_ip, 80), at(family.other_ip, 80));
    let flows = Flows::to_each(&lab.client, &to, 2);
    let others = Flows::to_each(&lab.client, &other, 2);
    let before = entries(&lab.node, &other);
    api.delete(&objects[0]);
    eventually("no flow to the Service that is gone", || {
        entries(&lab.node, &to).is_empty()
    });
    assert_eq!(flows.0[0].0.ask(), Answer::Nothing);
    assert_eq!(entries(&lab.node, &other), before);
    others.stay();
}

/// Addresses that a Service is no longer asked at: another node port, another external address.
#[rstest]
fn flows_end_where_an_address_or_node_port_moves(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let asked_at = |number: u16, external: &str| {
        let more = json!({"ports": node_ports(number), "externalIPs": [external]});
        service("web", &[family.cluster_ip], more)
    };
    let endpoints = slice("web", family.name, &family.pods[..2], None);
    let objects = vec![asked_at(30080, family.external), endpoints];
    let api = Api::start(&lab.node, config(), objects);
    let cluster_ip = at(family.cluster_ip, 80);
    let (old_port, new_port) = (at(family.node, 30080), at(family.node, 30081));
    let (old_external, new_external) = (at(family.external, 80), at(family.balancer, 80));
    let stay = Flows::to_each(&lab.client, &cluster_ip, 2);
    let moved = [&old_port, &old_external].map(|to| Flows::to_each(&lab.client, to, 2));
    // One that was at the new address before anybody answered there.
    let early = Udp::new(&lab.pods[0], &new_external);
    assert!(!matches!(early.ask(), Answer::From(..)));
    let before = entries(&lab.node, &cluster_ip);
    api.apply([asked_at(30081, family.balancer)]);
    eventually("the end of flows at the old addresses", || {
        entries(&lab.node, &old_port).is_empty() && entries(&lab.node, &old_external).is_empty()
    });
    for (flow, _) in moved.iter().flat_map(|flows| &flows.0) {
        assert!(!matches!(flow.ask(), Answer::From(..)));
    }
    assert_eq!(entries(&lab.node, &cluster_ip), before);
    stay.stay();
    eventually("the early one's answer", || {
        matches!(early.ask(), Answer::From(..))
    });
    for to in [&new_port, &new_external] {
        assert!(matches!(Udp::new(&lab.client, to).ask(), Answer::From(..)));
    }
}

/// Whatever else changes about a Service, a flow to an endpoint that serves is left alone.
#[rstest]
fn flows_to_what_serves_are_never_cut(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(3);
    let api = Api::start(&lab.node, config(), web(&family));
    let to = at(family.cluster_ip, 80);
    let flows = Flows::to_each(&lab.client, &to, 2);
    let before = entries(&lab.node, &to);
    let all = |node: Option<&str>| slice("web", family.name, &family.pods, node);
    let mut terminating = all(None);
    terminating["endpoints"][0]["conditions"] =
        json!({"ready": false, "serving": true, "terminating": true});
    let mut hinted = all(None);
    for n in 0..3 {
        let zone = ["a", "b", "c"][n];
        hinted["endpoints"][n]["hints"] = json!({"forZones": [{"name": zone}]});
    }
    let with = |more: Value| service("web", &[family.cluster_ip], more);
    for (what, change) in [
        ("one endpoint more", all(None)),
        ("one that terminates and serves", terminating),
        ("hints", hinted),
        ("endpoints of this node", all(Some("node"))),
        ("affinity", with(json!({"sessionAffinity": "ClientIP"}))),
        ("Local", with(json!({"internalTrafficPolicy": "Local"}))),
        (
            "an external address",
            with(json!({"externalIPs": [family.external]})),
        ),
        (
            "one port",
            with(json!({"ports": [{"name": "udp", "port": 80, "protocol": "UDP"}]})),
        ),
    ] {
        let generation = |node: &Host| {
            node.run(|| {
                kedge_nftables::Socket::open()
                    .unwrap()
                    .generation()
                    .unwrap()
                    .id
            })
        };
        let earlier = generation(&lab.node);
        api.apply([crate::support::api::node("a"), change]);
        eventually(what, || generation(&lab.node) > earlier);
        assert_eq!(entries(&lab.node, &to), before, "{what}");
        flows.stay();
    }
}

#[rstest]
fn a_restart_cuts_only_what_has_become_stale(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let api = Api::start(&lab.node, config(), web(&family));
    let to = at(family.cluster_ip, 80);
    let flows = Flows::to_each(&lab.client, &to, 2);
    let before = entries(&lab.node, &to);
    api.stop();
    let api = Api::start(&lab.node, config(), web(&family));
    flows.stay();
    assert_eq!(entries(&lab.node, &to), before);
    api.stop();
    // While nobody watched, one endpoint has gone.
    let mut objects = web(&family);
    objects[1] = slice("web", family.name, &family.pods[..1], Some("node"));
    let _api = Api::start(&lab.node, config(), objects);
    let stays: IpAddr = family.pods[0].parse().unwrap();
    eventually("the end of flows to it", || {
        entries(&lab.node, &to)
            .values()
            .all(|(pod, _)| *pod == stays)
    });
    let mut kept = before;
    kept.retain(|_, (pod, _)| *pod == stays);
    assert_eq!(entries(&lab.node, &to), kept);
    assert!(flows.of("pod2").all(|flow| flow.ask().name() == "pod1"));
}

/// Sent while there were no rules, a flow knows of no endpoint, and its client keeps it alive.
#[rstest]
fn flows_from_before_the_rules_find_them(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let to = at(family.cluster_ip, 80);
    let early = Udp::new(&lab.pods[0], &to);
    assert!(!matches!(early.ask(), Answer::From(..)));
    let api = Api::start(&lab.node, config(), web(&family));
    eventually("an answer", || matches!(early.ask(), Answer::From(..)));
    // The same when somebody takes the rules away while a client sends.
    api.stop();
    lab.node.command("nft", &["flush", "ruleset"]);
    let late = Udp::new(&lab.pods[0], &to);
    assert!(!matches!(late.ask(), Answer::From(..)));
    let _api = Api::start(&lab.node, config(), web(&family));
    eventually("an answer", || matches!(late.ask(), Answer::From(..)));
    assert!(matches!(early.ask(), Answer::From(..)), "as before");
}

/// An endpoint's packet that fits no connection is not translated back. A client that saw it from the endpoint's own
/// address would reset the connection (kubernetes#74839).
#[rstest]
#[case::of_pods(true, false)]
#[case::of_the_nodes_endpoints(false, false)]
#[case::a_kernel_that_translates_them(true, true)]
fn no_reply_shows_an_inner_address(
    #[values(V4, V6)] family: Family,
    #[case] knows_pods: bool,
    #[case] liberal: bool,
) {
    let lab = Lab::new(2);
    let sysctl = "netfilter/nf_conntrack_tcp_be_liberal";
    lab.node.sysctl(sysctl, if liberal { "1" } else { "0" });
    let mut settings = config();
    if !knows_pods {
        settings.cluster_cidrs.clear();
    }
    let listener = lab.pods[0].run(|| TcpListener::bind(at(family.pods[0], 8081)).unwrap());
    let mut endpoints = slice("web", family.name, &family.pods[..1], Some("node"));
    endpoints["ports"][0]["port"] = json!(8081);
    let objects = vec![service("web", &[family.cluster_ip], json!({})), endpoints];
    let _api = Api::start(&lab.node, settings, objects);
    let mut client = lab.pods[1].run(|| TcpStream::connect(at(family.cluster_ip, 80)).unwrap());
    let (mut server, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip().to_string(), family.pods[1], "not masqueraded");
    let witness = Witness::new(&lab.pods[1], family.pods[1]);
    // Three that are far from what the client expects, and on the same way one of another connection, which nobody
    // translates.
    let pod = server.local_addr().unwrap();
    let segments = [
        (pod.port(), 0x4000_0000),
        (pod.port(), 0x8000_0000),
        (pod.port(), 0xc000_0000),
        (9999, 7),
    ];
    send_acks(&lab.pods[0], pod.ip(), peer, &segments);
    assert_eq!(witness.next_from(pod.ip()), 9999);
    server.write_all(b"still here").unwrap();
    let mut heard = [0; 10];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"still here");
}
