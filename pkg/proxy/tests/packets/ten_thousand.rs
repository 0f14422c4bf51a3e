//! One Service with 10,000 endpoints: 100 EndpointSlices of 100 each, all answered by one pod.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Instant;

use kedge_nftables::Socket;
use kedge_nftables::conntrack::{Filter, Socket as Conntrack};
use serde_json::{Value, json};

use crate::support::api::{Api, config, service, slice};
use crate::support::lab::Lab;
use crate::support::talk::{Answer, eventually, tcp};

const SLICES: u16 = 100;
const CONNECTIONS: usize = 300;
const WEB: &str = "10.43.0.10:80";

/// 100 endpoints at a port of their own, less those that are gone.
fn part(number: u16, gone: usize) -> Value {
    let addresses: Vec<String> = (128..228).map(|host| format!("10.42.1.{host}")).collect();
    let there: Vec<&str> = addresses[gone..].iter().map(String::as_str).collect();
    let mut part = slice("web", "IPv4", &there, None);
    part["metadata"]["name"] = json!(format!("web-{number}"));
    part["ports"] = json!([{"name": "tcp", "port": 10_000 + number}]);
    part
}

#[test]
fn a_service_of_10_000_endpoints() {
    let lab = Lab::new(1);
    // The pod has all addresses and answers at all ports.
    lab.pods[0].ip("route add local 10.42.1.128/25 dev lo");
    let redirect = "table ip answers { chain c { type nat hook prerouting priority -100; tcp dport 10000-10099 redirect to :8080; }; }";
    lab.pods[0].command("nft", &[redirect]);
    let mut objects = vec![service(
        "web",
        &["10.43.0.10"],
        json!({"ports": [{"name": "tcp", "port": 80}]}),
    )];
    objects.extend((0..SLICES).map(|number| part(number, 0)));
    let begun = Instant::now();
    let api = Api::start(&lab.node, config(), objects);
    println!("loaded in {:?}", begun.elapsed());

    for _ in 0..CONNECTIONS {
        let answer = tcp(&lab.client, WEB);
        assert!(matches!(answer, Answer::From(..)), "{answer:?}");
    }
    let used = lab.node.run(|| {
        let any = Filter {
            ipv6: Some(false),
            mark: None,
            asked: None,
        };
        let mut used: HashSet<(IpAddr, Option<u16>)> = HashSet::new();
        let entries = Conntrack::open().unwrap().entries(any, |entry| {
            entry.original.destination == IpAddr::from([10, 43, 0, 10])
        });
        for entry in entries.unwrap() {
            used.insert((entry.reply.source, entry.reply.source_port()));
        }
        used
    });
    // Of 300 drawn from 10,000, some 4 are drawn twice.
    assert!(used.len() > CONNECTIONS - 25, "{}", used.len());

    let mut socket = lab.node.run(|| Socket::open().unwrap());
    let before = socket.generation().unwrap().id;
    let begun = Instant::now();
    api.apply([part(7, 1)]);
    eventually("the change", || {
        socket.generation().unwrap().id == before + 1
    });
    println!("one endpoint less after {:?}", begun.elapsed());
    let listed = lab
        .node
        .command("nft", &["list", "map", "ip", "kedge", "eps"]);
    assert_eq!(listed.matches("10.42.1.").count(), 9_999);
}
