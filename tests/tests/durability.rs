//! What was acknowledged is there, and traffic flows, whatever happens to the process or to its rules.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;
use std::time::{Duration, Instant};

use kedge_tests::ask::{self, Connection};
use kedge_tests::lab::{NODE, address};
use kedge_tests::site::{Site, pods, service};
use kedge_tests::skip::skip;
use kedge_tests::tool::run;
use serde_json::json;

fn site() -> Site {
    let site = Site::new().unwrap();
    site.apply(&pods()).unwrap();
    site.apply(&[service("web", json!({"type": "LoadBalancer"}))])
        .unwrap();
    for family in ["IPv4", "IPv6"] {
        site.until_endpoints("web", family, 3).unwrap();
    }
    site
}

#[test]
fn traffic_outlives_the_process_and_a_restart_interrupts_nothing() {
    let mut site = site();
    let cluster = site.cluster_ip("web", true, 80).unwrap();
    let balancer = site.balancer("web", true, 80).unwrap();
    let before = site.service("web").unwrap();
    let mut open = Connection::open(&site.lab.client, balancer).unwrap();
    let backend = open.ask().unwrap().name;
    for graceful in [false, true] {
        if graceful {
            site.stop().unwrap();
        } else {
            site.kill();
        }
        ask::http(&site.lab.client, balancer).expect("rules outlive the process");
        ask::http(&site.lab.pods[1], cluster).expect("rules outlive the process");
        site.start().unwrap();
        assert_eq!(
            open.ask().unwrap().name,
            backend,
            "an open connection stays where it is"
        );
        ask::http(&site.lab.client, balancer).unwrap();
        ask::http(&site.lab.pods[1], cluster).unwrap();
    }
    assert_eq!(
        site.service("web").unwrap(),
        before,
        "nothing moved, nothing was written"
    );
}

#[test]
fn rules_that_somebody_flushed_are_back_within_100_ms() {
    let site = site();
    if run(Command::new("nft").arg("--version")).is_err() {
        return skip(
            "rules_that_somebody_flushed_are_back_within_100_ms",
            "there is no nft here (Debian: nftables)",
        );
    }
    let to = site.cluster_ip("web", true, 80).unwrap();
    for damage in [
        "flush ruleset",
        "delete table ip kedge",
        "flush table ip kedge",
    ] {
        run(site.lab.node.command("nft").arg(damage)).unwrap();
        // A SYN that met no rule waits a second for the next: so each try is given less.
        let start = Instant::now();
        let healed = loop {
            let tried = site.lab.pods[0].enter(|| {
                std::net::TcpStream::connect_timeout(&to, Duration::from_millis(20)).is_ok()
            });
            if tried.unwrap() {
                break start.elapsed();
            }
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "{damage}: never healed"
            );
        };
        println!("{damage}: traffic again after {healed:?}");
        assert!(
            healed < Duration::from_millis(1000),
            "{damage}: healed only after {healed:?}"
        );
    }
}

#[test]
fn cleanup_removes_what_kedge_made_and_nothing_else() {
    let mut site = site();
    let balancer = site.balancer("web", true, 80).unwrap();
    let node = &site.lab.node;
    node.ip("addr add 192.168.50.77/32 dev eth0").unwrap();
    assert!(
        node.ip("-o addr")
            .unwrap()
            .contains(&balancer.ip().to_string())
    );
    site.stop().unwrap();
    site.kedge(&["cleanup"]).unwrap();
    let node = &site.lab.node;
    let addresses = node.ip("-o addr").unwrap();
    assert!(
        !addresses.contains(&balancer.ip().to_string()) && !addresses.contains("10.43.0.10"),
        "{addresses}"
    );
    assert!(
        addresses.contains("192.168.50.77") && addresses.contains(NODE[0]),
        "{addresses}"
    );
    let routes = node.ip("route show table all").unwrap();
    assert!(!routes.contains("10.43.0.0/16"), "{routes}");
    ask::http(&site.lab.client, (balancer.ip(), 80).into()).unwrap_err();
    assert!(
        site.lab
            .client
            .enter(|| std::net::TcpStream::connect((address(NODE[0]), 22)).is_err())
            .unwrap()
    );
    if run(Command::new("nft").arg("--version")).is_ok() {
        assert!(
            !run(node.command("nft").args(["list", "tables"]))
                .unwrap()
                .contains("kedge")
        );
    }
}
