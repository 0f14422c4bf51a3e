//! What was acknowledged is there, and traffic flows, whatever happens to the process or to its rules.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

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
    let balancer = site.balancer("web", true, 80).unwrap();
    ask::until_connected(&site.lab.client, balancer).unwrap();
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
fn rules_that_somebody_flushed_are_back() {
    let site = site();
    if run(Command::new("nft").arg("--version")).is_err() {
        return skip(
            "rules_that_somebody_flushed_are_back",
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
        let healed = ask::until_connected(&site.lab.pods[0], to).unwrap();
        println!("{damage}: traffic again after {healed:?}");
        assert!(
            healed < Duration::from_millis(1000),
            "{damage}: healed only after {healed:?}"
        );
    }
}

/// The largest file below a folder.
fn largest(folder: &Path) -> (u64, PathBuf) {
    let found = std::fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => largest(&path),
            false => (path.metadata().unwrap().len(), path),
        }
    });
    found.max().unwrap_or_default()
}

#[test]
fn a_damaged_store_serves_its_snapshot_and_says_so() {
    let mut site = site();
    let before = site.service("web").unwrap();
    site.stop().unwrap();
    let store = site.lab.data().join("store");
    let (length, engine) = largest(&store.join("sled"));
    let file = File::options().write(true).open(engine).unwrap();
    for block in 0..length.min(1 << 20) / 4096 {
        file.write_all_at(&[0; 4096], block * 4096).unwrap();
    }
    site.start().unwrap();
    assert_eq!(site.service("web").unwrap(), before);
    let balancer = site.balancer("web", true, 80).unwrap();
    ask::http(&site.lab.client, balancer).unwrap();
    let log = site.server().log();
    let said: Vec<_> = log
        .lines()
        .filter(|line| line.contains("the store was damaged"))
        .collect();
    assert_eq!(said.len(), 1, "{log}");
    assert!(said[0].contains("nothing is known to be lost"), "{said:?}");
    let (_, aside) = said[0].split_once("set aside as ").unwrap();
    assert!(Path::new(aside.split(';').next().unwrap()).exists());
    let events = site.kedge(&["get", "events", "-o", "json"]).unwrap();
    assert!(events.contains("StoreRecovered"), "{events}");
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
