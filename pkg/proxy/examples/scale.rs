//! What the proxy costs at scale, in a network namespace of its own. Needs root and `ip` of iproute2. Its argument is
//! a size, as =SERVICES or =SERVICESxENDPOINTS; it prints one line of JSON. `scripts/bench dataplane` runs it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/support/api.rs"]
#[allow(dead_code)]
mod api;
#[path = "../tests/support/host.rs"]
#[allow(dead_code)]
mod host;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use api::{Api, config};
use host::Host;
use kedge_nftables::{Batch, Family, Socket, Table};
use serde_json::{Value, json};

/// How often one change is made to find its median.
const CHANGES: u32 = 200;

fn main() {
    let size = std::env::args().nth(1).unwrap_or_default();
    match size.strip_prefix('=') {
        Some(size) => measure(size),
        None => panic!("usage: scale =SERVICES[xENDPOINTS]"),
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
    let kernel = replaced(&mut socket);
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "{}",
        json!({
            "services": services,
            "endpoints": endpoints,
            "load_us": micros(load),
            "restart_us": micros(restart),
            "change_us": micros(changes[changes.len() / 2]),
            "change_p99_us": micros(changes[changes.len() * 99 / 100]),
            "kernel_us": micros(kernel),
            "add_delete_us": micros(added + deleted),
            "rss_kb": resident,
            "heal_us": micros(heal),
        })
    );
}

/// What the kernel takes to replace one element of the map of endpoints, in a transaction of its own: the median.
fn replaced(socket: &mut Socket) -> Duration {
    let table = Table::new(Family::Ip, "kedge");
    let elements = socket.elements(&table, "eps").unwrap();
    let mut times: Vec<Duration> = (0..CHANGES as usize)
        .map(|n| {
            let element = std::slice::from_ref(&elements[n * 7919 % elements.len()]);
            let mut batch = Batch::new();
            batch.delete_elements(&table, "eps", element);
            batch.add_elements(&table, "eps", element);
            let start = Instant::now();
            socket.commit(&batch).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
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
