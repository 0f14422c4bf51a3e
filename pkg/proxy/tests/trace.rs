//! The model's answer is the kernel's: random Services, asked from every place, and `Tracer` says beforehand what will come
//! of it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use kedge_proxy::Protocol;
use kedge_proxy::trace::{Outcome, Packet, Trace, Tracer};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use rstest::rstest;
use serde_json::{Value, json};
use support::api::{Api, config, put, service, slice};
use support::lab::Lab;
use support::talk::{Answer, ask_within, eventually, tcp};

const ROUNDS: u32 = 2;
const SERVICES: usize = 7;
/// Long enough for an answer; what is dropped gives none.
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(3);

/// The addresses of one family.
struct Family {
    name: &'static str,
    cluster: &'static str,
    /// Few, so that Services claim the same.
    external: [&'static str; 2],
    balanced: [&'static str; 2],
    ranges: [&'static str; 3],
    node: &'static str,
    client: &'static str,
    pod: &'static str,
    unclaimed: &'static str,
    links: [&'static str; 3],
    pods: [&'static str; 3],
}

const V4: Family = Family {
    name: "IPv4",
    cluster: "10.43.0.",
    external: ["198.51.100.1", "198.51.100.2"],
    balanced: ["198.51.100.2", "198.51.100.3"],
    ranges: ["192.0.2.2/32", "10.42.0.0/16", "203.0.113.0/24"],
    node: "192.0.2.1",
    client: "192.0.2.2",
    pod: "10.42.1.2",
    unclaimed: "10.43.9.9",
    links: ["10.42.1.1", "10.42.2.1", "10.42.3.1"],
    pods: ["10.42.1.2", "10.42.2.2", "10.42.3.2"],
};

const V6: Family = Family {
    name: "IPv6",
    cluster: "fd43::",
    external: ["2001:db8:1::1", "2001:db8:1::2"],
    balanced: ["2001:db8:1::2", "2001:db8:1::3"],
    ranges: ["2001:db8::2/128", "fd42::/16", "2001:db8:9::/64"],
    node: "2001:db8::1",
    client: "2001:db8::2",
    pod: "fd42:1::2",
    unclaimed: "fd43::99",
    links: ["fd42:1::1", "fd42:2::1", "fd42:3::1"],
    pods: ["fd42:1::2", "fd42:2::2", "fd42:3::2"],
};

/// A Service of a number, its slice, and where it is asked: addresses with ports.
#[derive(Debug, Clone)]
struct Sample {
    objects: [Value; 2],
    fronts: Vec<(String, u16)>,
}

fn sample(family: &'static Family, number: usize) -> impl Strategy<Value = Sample> {
    let policy = || select(vec!["Cluster", "Local"]);
    let some = |of: [&'static str; 2]| subsequence(of.to_vec(), 0..=2);
    let endpoint = (
        any::<bool>(),
        select(vec![Some("node"), Some("other"), None]),
        0..4u8,
    );
    (
        (policy(), policy(), any::<bool>()),
        (some(family.external), some(family.balanced)),
        subsequence(family.ranges.to_vec(), 0..=2),
        [endpoint.clone(), endpoint.clone(), endpoint],
    )
        .prop_map(move |((internal, external, sticky), (ips, balanced), ranges, endpoints)| {
            let name = format!("svc-{number}");
            let ip = format!("{}{}", family.cluster, number + 1);
            let node_port = 30000 + u16::try_from(number).unwrap();
            let ingress: Vec<Value> = balanced.iter().map(|ip| json!({"ip": ip})).collect();
            let mut web = service(
                &name,
                &[&ip],
                json!({
                    "type": "LoadBalancer", "internalTrafficPolicy": internal, "externalTrafficPolicy": external,
                    "sessionAffinity": if sticky { "ClientIP" } else { "None" },
                    "externalIPs": ips, "loadBalancerSourceRanges": ranges,
                    "ports": [{"name": "tcp", "port": 80, "nodePort": node_port},
                              {"name": "udp", "protocol": "UDP", "port": 80, "nodePort": node_port}],
                }),
            );
            web["status"] = json!({"loadBalancer": {"ingress": ingress}});
            let mut endpoints_json = Vec::new();
            for ((there, node, state), pod) in endpoints.into_iter().zip(family.pods) {
                if there {
                    // Ready, or going but serving, or gone: the last two of four are ready.
                    endpoints_json.push(json!({
                        "addresses": [pod], "nodeName": node,
                        "conditions": {"ready": state > 1, "serving": state > 0, "terminating": state < 2},
                    }));
                }
            }
            let mut all = slice(&name, family.name, &[], None);
            all["endpoints"] = endpoints_json.into();
            let addresses = ips.into_iter().chain(balanced).map(String::from);
            let mut fronts: Vec<(String, u16)> = addresses.map(|ip| (ip, 80)).collect();
            fronts.extend([(ip.clone(), 80), (ip, 81), (family.node.to_string(), node_port)]);
            Sample {
                objects: [web, all],
                fronts,
            }
        })
}

/// Whether what came is what was said. The kernel tells a sender of this machine that its datagram was dropped (`EPERM`).
fn agrees(trace: &Trace, answer: &Answer, source: IpAddr, family: &Family, udp: bool) -> bool {
    match (&trace.outcome, answer) {
        (Outcome::Refused, Answer::Refused) | (Outcome::Dropped, Answer::Nothing) => true,
        (Outcome::Dropped, Answer::Refused) => udp && source.to_string() == family.node,
        (Outcome::Forwarded { endpoints, .. }, Answer::From(name, seen)) => {
            let number: usize = name.trim_start_matches("pod").parse().unwrap();
            let pod: IpAddr = family.pods[number - 1].parse().unwrap();
            let mut chosen = endpoints.iter().filter(|choice| choice.address == pod);
            chosen
                .next()
                .is_some_and(|choice| choice.masqueraded == (*seen != source))
        }
        _ => false,
    }
}

#[rstest]
fn the_kernel_does_what_trace_says(#[values(V4, V6)] family: Family) {
    let family: &'static Family = Box::leak(Box::new(family));
    let lab = Lab::new(3);
    // So many refusals are usually more than the kernel says.
    lab.node.sysctl("ipv4/icmp_ratemask", "0");
    lab.node.sysctl("ipv6/icmp/ratelimit", "0");
    let parsed = |text: &str| -> IpAddr { text.parse().unwrap() };
    let local: Vec<IpAddr> = [&[family.node, "127.0.0.1", "::1"], &family.links[..]]
        .concat()
        .into_iter()
        .map(parsed)
        .collect();
    let sources = [
        (&lab.client, family.client),
        (&lab.pods[0], family.pod),
        (&lab.node, family.node),
    ];
    let marker = format!("{}200", family.cluster);
    let api = Api::start(&lab.node, config(), []);
    let mut runner = TestRunner::new(Config::default());
    let mut said = HashSet::new();
    let mut before: Vec<Value> = Vec::new();
    for round in 0..ROUNDS {
        let samples: Vec<Sample> = (0..SERVICES)
            .map(|number| {
                sample(family, number)
                    .new_tree(&mut runner)
                    .unwrap()
                    .current()
            })
            .collect();
        let mut objects: Vec<Value> = samples.iter().flat_map(|s| s.objects.clone()).collect();
        // Its port tells which round the rules are of.
        let port = 1000 + u16::try_from(round).unwrap();
        let mut shown = service(
            "marker",
            &[&marker],
            json!({"ports": [{"name": "tcp", "port": port}]}),
        );
        shown["metadata"]["name"] = format!("marker-{round}").into();
        objects.push(shown);
        objects.push(slice(
            &format!("marker-{round}"),
            family.name,
            &family.pods[..1],
            None,
        ));
        for gone in before.iter().filter(|old| {
            old["metadata"]["name"]
                .as_str()
                .unwrap()
                .starts_with("marker")
        }) {
            api.delete(gone);
        }
        api.apply(objects.clone());
        let at = SocketAddr::new(parsed(&marker), port).to_string();
        eventually("the round", || {
            matches!(tcp(&lab.pods[0], &at), Answer::From(..))
        });
        let changes = objects.iter().cloned().map(put).collect();
        let tracer = Tracer::new(config(), &[parsed(family.node)], local.clone(), changes);
        before = objects;

        let unclaimed = (family.unclaimed.to_string(), 80);
        for (address, port) in samples.iter().flat_map(|s| &s.fronts).chain([&unclaimed]) {
            for (host, source) in &sources {
                for protocol in [Protocol::Tcp, Protocol::Udp] {
                    let to = SocketAddr::new(parsed(address), *port);
                    let trace = tracer.trace(&Packet {
                        source: parsed(source),
                        destination: to.ip(),
                        protocol,
                        port: *port,
                    });
                    let patience = match trace.outcome {
                        Outcome::Dropped => SHORT,
                        _ => LONG,
                    };
                    let udp = protocol == Protocol::Udp;
                    let answer = ask_within(host, to, udp, patience);
                    assert!(
                        agrees(&trace, &answer, parsed(source), family, udp),
                        "{source} to {to} {protocol:?}: {answer:?}, but {trace:#?}\n{before:#?}"
                    );
                    said.insert(std::mem::discriminant(&trace.outcome));
                }
            }
        }
    }
    assert!(
        said.len() >= 3,
        "forwarded, refused and dropped were all seen"
    );
}
