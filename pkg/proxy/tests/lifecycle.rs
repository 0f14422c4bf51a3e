//! Restarts, damage by others, and what must be forgotten: in a real kernel.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use kedge_nftables::Socket;
use kedge_proxy::{ProxyConfig, cleanup, probe};
use rstest::rstest;
use serde_json::{Value, json};
use support::api::{Api, config, service, slice};
use support::host::Host;
use support::lab::Lab;
use support::talk::{Answer, eventually, tcp, udp};

/// The promise is 100 ms; tests of a debug build on a busy machine have more time.
const BOUND: Duration = Duration::from_millis(if cfg!(debug_assertions) { 2000 } else { 100 });

const WEB: &str = "10.43.0.10:80";

fn objects() -> Vec<Value> {
    let sticky = json!({"sessionAffinity": "ClientIP", "externalTrafficPolicy": "Local", "externalIPs": ["198.51.100.1"]});
    vec![
        service("web", &["10.43.0.10", "fd43::10"], json!({})),
        slice("web", "IPv4", &["10.42.1.2", "10.42.2.2"], Some("node")),
        slice("web", "IPv6", &["fd42:1::2", "fd42:2::2"], Some("node")),
        service("sticky", &["10.43.0.11", "fd43::11"], sticky),
        slice("sticky", "IPv4", &["10.42.1.2", "10.42.2.2"], Some("node")),
    ]
}

fn generation(node: &Host) -> u32 {
    node.run(|| Socket::open().unwrap().generation().unwrap().id)
}

/// The ruleset as `nft` lists it, in an order of its own.
fn ruleset(node: &Host) -> Vec<String> {
    let listed = node.command("nft", &["list", "ruleset"]);
    let mut lines: Vec<String> = listed.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_restart_changes_nothing() {
    let lab = Lab::new(2);
    let echo = lab.pods[1].run(|| TcpListener::bind("10.42.2.2:9000").unwrap());
    let mut all = objects();
    all.push(service(
        "echo",
        &["10.43.0.12"],
        json!({"ports": [{"name": "echo", "port": 9000}]}),
    ));
    let mut endpoints = slice("echo", "IPv4", &["10.42.2.2"], None);
    endpoints["ports"] = json!([{"name": "echo", "port": 9000}]);
    all.push(endpoints);

    let api = Api::start(&lab.node, config(), all.clone());
    let mut client = lab
        .client
        .run(|| TcpStream::connect("10.43.0.12:9000").unwrap());
    let (mut server, _) = echo.accept().unwrap();
    api.stop();
    let before = generation(&lab.node);
    assert!(
        matches!(tcp(&lab.client, WEB), Answer::From(..)),
        "rules outlive the process"
    );
    // The same objects in another order: ids and slots are found in the kernel, not counted.
    all.reverse();
    let _api = Api::start(&lab.node, config(), all);
    assert_eq!(generation(&lab.node), before, "nothing was written");
    client.write_all(b"still here").unwrap();
    let mut heard = [0; 10];
    server.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"still here");
}

/// Every chain that forwarded packets pass costs them time: there is one only where the kernel makes it necessary.
#[test]
fn only_a_strict_kernel_has_a_chain_for_forwarded_packets() {
    let lab = Lab::new(2);
    for (liberal, chain) in [("1", false), ("0", true), ("1", false)] {
        let sysctl = "netfilter/nf_conntrack_tcp_be_liberal";
        lab.node.sysctl(sysctl, liberal);
        Api::start(&lab.node, config(), objects()).stop();
        let listed = ruleset(&lab.node).join("\n");
        assert_eq!(listed.contains("hook forward"), chain, "{listed}");
        assert!(matches!(tcp(&lab.client, WEB), Answer::From(..)));
    }
}

#[test]
fn one_change_is_one_transaction() {
    let lab = Lab::new(3);
    let api = Api::start(&lab.node, config(), objects());
    let before = generation(&lab.node);
    api.apply([slice("web", "IPv4", &["10.42.3.2"], Some("node"))]);
    eventually("the change", || tcp(&lab.client, WEB).name() == "pod3");
    assert_eq!(
        generation(&lab.node),
        before + 1,
        "and own changes heal nothing"
    );
}

#[test]
fn other_settings_need_no_new_table() {
    let lab = Lab::new(2);
    Api::start(&lab.node, config(), objects()).stop();
    let wider = ProxyConfig {
        cluster_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
        ..config()
    };
    let _api = Api::start(&lab.node, wider, objects());
    let listed = ruleset(&lab.node).join("\n");
    assert!(listed.contains("10.0.0.0/8") && !listed.contains("10.42.0.0/16"));
    assert!(matches!(tcp(&lab.client, WEB), Answer::From(..)));
}

#[rstest]
#[case::everything(&["flush", "ruleset"])]
#[case::one_table(&["delete", "table", "ip", "kedge"])]
#[case::the_rules(&["flush", "table", "ip", "kedge"])]
#[case::one_chain(&["flush", "chain", "ip6", "kedge", "services"])]
#[case::the_elements(&["flush", "map", "ip", "kedge", "svc"])]
#[case::an_endpoint(&["flush", "map", "ip", "kedge", "eps"])]
#[case::a_rule_too_many(&["insert", "rule", "ip", "kedge", "services", "drop"])]
#[case::a_chain_too_many(&["add", "chain", "ip", "kedge", "extra", "{ type filter hook forward priority 5; policy drop; }"])]
#[case::a_strange_element(&["add", "element", "ip", "kedge", "svc", "{ 10.43.0.10 . icmp . 7 : 0x1 }"])]
fn what_others_damage_is_put_right(#[case] damage: &[&str]) {
    let lab = Lab::new(2);
    let _api = Api::start(&lab.node, config(), objects());
    let before = ruleset(&lab.node);
    let generation = generation(&lab.node);
    lab.node.command("nft", damage);
    let mut socket = lab.node.run(|| Socket::open().unwrap());
    let healed = eventually("the healing transaction", || {
        socket.generation().unwrap().id >= generation + 2
    });
    println!(
        "nft {}: healed {healed:?} after nft returned",
        damage.join(" ")
    );
    assert!(healed < BOUND);
    assert_eq!(ruleset(&lab.node), before);
    for from in [&lab.client, &lab.node, &lab.pods[0]] {
        assert!(matches!(tcp(from, WEB), Answer::From(..)));
    }
}

#[test]
fn other_peoples_tables_are_not_touched() {
    let lab = Lab::new(1);
    let theirs =
        "table ip theirs { chain c { type filter hook input priority 0; counter accept; }; }";
    lab.node.command("nft", &[theirs]);
    let api = Api::start(&lab.node, config(), objects());
    let listed = lab.node.command("nft", &["list", "table", "ip", "theirs"]);
    let before = generation(&lab.node);
    lab.node.command("nft", &["add", "table", "ip", "more"]);
    api.apply([service("new", &["10.43.0.20"], json!({}))]);
    eventually("the change", || {
        tcp(&lab.client, "10.43.0.20:80") == Answer::Refused
    });
    assert_eq!(
        generation(&lab.node),
        before + 2,
        "theirs and ours, no healing"
    );
    api.stop();
    lab.node.run(|| cleanup().unwrap());
    let left = lab.node.command("nft", &["list", "tables"]);
    assert_eq!(left, "table ip theirs\ntable ip more\n");
    assert_eq!(
        lab.node.command("nft", &["list", "table", "ip", "theirs"]),
        listed
    );
    lab.node.run(|| cleanup().unwrap());
}

#[test]
fn this_kernel_has_what_it_takes() {
    let host = Host::new("bare");
    let before = generation(&host);
    let findings = host.run(probe);
    assert_eq!(findings, []);
    assert_eq!(generation(&host), before, "a probe changes nothing");
    assert_eq!(host.command("nft", &["list", "ruleset"]), "");
}

/// The node's addresses and the added ranges stay what they were, and the proxy goes on.
#[test]
fn whoever_follows_the_machine_may_end() {
    let lab = Lab::new(2);
    let mut open = objects();
    open[0]["spec"]["ports"][0]["nodePort"] = json!(30080);
    open[1] = slice("web", "IPv4", &["10.42.1.2"], Some("node"));
    let mut api = Api::start(&lab.node, config(), open);
    api.ranges
        .send_replace(["10.44.0.0/24".parse().unwrap()].into());
    let ranges = |lines: &[String]| lines.iter().any(|line| line.contains("10.44.0.0/24"));
    eventually("the added range", || ranges(&ruleset(&lab.node)));
    (api.addresses, api.ranges) = Default::default();
    api.apply([slice("web", "IPv4", &["10.42.2.2"], Some("node"))]);
    eventually("the change", || tcp(&lab.client, WEB).name() == "pod2");
    assert_eq!(tcp(&lab.client, "192.0.2.1:30080").name(), "pod2");
    assert!(ranges(&ruleset(&lab.node)));
}

#[test]
fn a_deleted_service_leaves_nothing() {
    let lab = Lab::new(1);
    let all = objects();
    let api = Api::start(&lab.node, config(), vec![]);
    let empty = ruleset(&lab.node);
    api.apply(all.clone());
    eventually("the Services", || {
        matches!(udp(&lab.client, WEB), Answer::From(..))
    });
    assert_ne!(ruleset(&lab.node), empty);
    for object in &all {
        api.delete(object);
    }
    // What clients' packets have left behind goes as well.
    eventually("an empty ruleset", || ruleset(&lab.node) == empty);
}
