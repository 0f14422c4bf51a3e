//! What the proxy costs at scale, in a network namespace of its own: `cargo run --release -p
//! kedge-proxy --example scale`. Needs root and `ip` of iproute2. Arguments are sizes, as SERVICES
//! or SERVICESxENDPOINTS; each is measured in a process of its own and printed as one line.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/support/api.rs"]
#[allow(dead_code)]
mod api;
#[path = "../tests/support/host.rs"]
#[allow(dead_code)]
mod host;

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use api::{Api, config};
use host::Host;
use kedge_nftables::Socket;
use serde_json::{Value, json};

const SIZES: [&str; 5] = ["100", "1000", "10000", "30000", "1000x100"];
/// How often one change is made to find its median.
const CHANGES: u32 = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [one] if one.starts_with('=') => measure(&one[1..]),
        [] => each(SIZES.map(str::to_owned).as_slice()),
        sizes => each(sizes),
    }
}

/// One process for each size, so that memory is that size's alone.
fn each(sizes: &[String]) {
    println!(
        "{:>10} {:>10} {:>10} {:>12} {:>12} {:>12} {:>12} {:>10} {:>10}",
        "Services",
        "endpoints",
        "load",
        "restart",
        "p50 change",
        "p99 change",
        "add+delete",
        "RSS",
        "heal"
    );
    for size in sizes {
        let status = Command::new(std::env::current_exe().unwrap())
            .arg(format!("={size}"))
            .status();
        assert!(status.unwrap().success());
    }
}

fn measure(size: &str) {
    let (services, endpoints) = size.split_once('x').unwrap_or((size, "3"));
    let (services, endpoints): (u32, u32) = (services.parse().unwrap(), endpoints.parse().unwrap());
    let node = Host::new("scale");
    let mut socket = node.run(|| Socket::open().unwrap());

    // What it takes to make the objects, which is not the proxy's.
    let start = Instant::now();
    objects(services, endpoints).for_each(|object| drop(object.to_string()));
    let made = start.elapsed();
    let start = Instant::now();
    let api = Api::start(&node, config(), objects(services, endpoints));
    let load = start.elapsed().saturating_sub(made);
    let resident = resident();

    let mut wait = |act: &mut dyn FnMut(), transactions: u32| -> Duration {
        let before = socket.generation().unwrap().id;
        let start = Instant::now();
        act();
        while socket.generation().unwrap().id < before + transactions {
            std::thread::yield_now();
        }
        start.elapsed()
    };
    let mut changes: Vec<Duration> = (0..CHANGES)
        .map(|n| {
            let number = n * 7919 % services;
            wait(&mut || api.apply([slice(number, endpoints, n + 1)]), 1)
        })
        .collect();
    changes.sort_unstable();
    let added = wait(
        &mut || api.apply([service(services), slice(services, endpoints, 0)]),
        1,
    );
    let deleted = wait(
        &mut || {
            api.delete(&service(services));
        },
        1,
    );
    let heal = wait(
        &mut || {
            node.command("nft", &["delete", "table", "ip", "kedge"]);
        },
        2,
    );

    api.stop();
    let start = Instant::now();
    Api::start(&node, config(), objects(services, endpoints)).stop();
    let restart = start.elapsed().saturating_sub(made);
    println!(
        "{services:>10} {endpoints:>10} {load:>10.1?} {restart:>12.1?} {:>12.1?} {:>12.1?} {:>12.1?} {:>7} kB {heal:>10.1?}",
        changes[changes.len() / 2],
        changes[changes.len() * 99 / 100],
        added + deleted,
        resident,
    );
}

fn objects(services: u32, endpoints: u32) -> impl Iterator<Item = Value> {
    (0..services).flat_map(move |n| [service(n), slice(n, endpoints, 0)])
}

fn service(n: u32) -> Value {
    let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 43, 0, 1)) + n);
    json!({
        "kind": "Service", "metadata": {"name": format!("service-{n}")},
        "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": [{"name": "http", "port": 80}]},
    })
}

/// The slice of a Service; its first endpoint's address is shifted by `first`.
fn slice(n: u32, endpoints: u32, first: u32) -> Value {
    let list: Vec<Value> = (0..endpoints)
        .map(|e| {
            let shift = if e == 0 { first << 20 } else { 0 };
            let address =
                Ipv4Addr::from(u32::from(Ipv4Addr::new(11, 0, 0, 1)) + n * endpoints + e + shift);
            json!({"addresses": [address], "nodeName": "another", "conditions": {"ready": true}})
        })
        .collect();
    json!({
        "kind": "EndpointSlice",
        "metadata": {"name": format!("service-{n}-1"), "labels": {"kubernetes.io/service-name": format!("service-{n}")}},
        "addressType": "IPv4", "endpoints": list, "ports": [{"name": "http", "port": 8080}],
    })
}

/// Memory of this process in kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
