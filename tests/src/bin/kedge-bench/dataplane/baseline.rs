//! A ruleset of kube-proxy's shape (kubernetes `pkg/proxy/nftables`, its tables in short: a chain for each Service and
//! for each endpoint, a map of verdicts that leads to them), by the `nft` command, as anybody can load it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use kedge_tests::lab::{Lab, PORT};
use kedge_tests::tool::ToolError;

use super::cluster::{SINKS, address};
use crate::other;

const TABLE: &str = "ip kedge-bench-baseline";
/// Services of a transaction: all at once would take the kernel minutes.
const CHUNK: usize = 500;
/// Changes whose median counts.
const CHANGES: usize = 9;

pub struct Cost {
    pub load: Duration,
    pub change: Duration,
}

/// Loads it at a size and changes it. It stays until [`clear`] or the next size.
pub fn run(lab: &Lab, services: usize) -> Result<Cost, ToolError> {
    clear(lab)?;
    let numbers: Vec<usize> = (0..services).collect();
    let start = Instant::now();
    nft(lab, &base())?;
    for chunk in numbers.chunks(CHUNK) {
        let mut text = String::new();
        chunk.iter().for_each(|number| service(&mut text, *number));
        nft(lab, &text)?;
    }
    let load = start.elapsed();
    let mut changes = (0..CHANGES)
        .map(|turn| {
            let start = Instant::now();
            nft(lab, &change(turn * 7919 % services, turn))?;
            Ok(start.elapsed())
        })
        .collect::<Result<Vec<_>, ToolError>>()?;
    changes.sort_unstable();
    Ok(Cost {
        load,
        change: changes[CHANGES / 2],
    })
}

/// Removes it.
pub fn clear(lab: &Lab) -> Result<(), ToolError> {
    nft(lab, &format!("add table {TABLE}\ndelete table {TABLE}\n"))
}

fn base() -> String {
    format!(
        "add table {TABLE}
add map {TABLE} service-ips {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
add chain {TABLE} services
add rule {TABLE} services ip daddr . meta l4proto . th dport vmap @service-ips
add chain {TABLE} mark-for-masquerade
add rule {TABLE} mark-for-masquerade mark set mark or 0x4000
add chain {TABLE} nat-prerouting {{ type nat hook prerouting priority dstnat; }}
add rule {TABLE} nat-prerouting jump services
add chain {TABLE} nat-output {{ type nat hook output priority -100; }}
add rule {TABLE} nat-output jump services
add chain {TABLE} nat-postrouting {{ type nat hook postrouting priority srcnat; }}
add rule {TABLE} nat-postrouting mark and 0x4000 == 0 return
add rule {TABLE} nat-postrouting masquerade fully-random
"
    )
}

fn endpoint(text: &mut String, number: usize, slot: &str, turn: usize) {
    let sink = SINKS[turn % SINKS.len()];
    let _ = writeln!(
        text,
        "add chain {TABLE} endpoint-{number}-{slot}
add rule {TABLE} endpoint-{number}-{slot} ip saddr {sink} jump mark-for-masquerade
add rule {TABLE} endpoint-{number}-{slot} meta l4proto tcp dnat to {sink}:{PORT}"
    );
}

fn service(text: &mut String, number: usize) {
    for (turn, slot) in ["0", "1", "2"].into_iter().enumerate() {
        endpoint(text, number, slot, turn);
    }
    let ip = address(number);
    let _ = writeln!(
        text,
        "add chain {TABLE} service-{number}
add rule {TABLE} service-{number} numgen random mod 3 vmap {{ 0 : goto endpoint-{number}-0, 1 : goto endpoint-{number}-1, 2 : goto endpoint-{number}-2 }}
add element {TABLE} service-ips {{ {ip} . tcp . 80 : goto service-{number} }}"
    );
}

/// One endpoint of a Service replaced by another.
fn change(number: usize, turn: usize) -> String {
    let slot = format!("new-{turn}");
    let mut text = String::new();
    endpoint(&mut text, number, &slot, turn + 1);
    let _ = writeln!(
        text,
        "flush chain {TABLE} service-{number}
add rule {TABLE} service-{number} numgen random mod 3 vmap {{ 0 : goto endpoint-{number}-{slot}, 1 : goto endpoint-{number}-1, 2 : goto endpoint-{number}-2 }}
delete chain {TABLE} endpoint-{number}-0"
    );
    text
}

/// `nft -f -` on the node.
fn nft(lab: &Lab, text: &str) -> Result<(), ToolError> {
    let mut child = lab
        .node
        .command("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(other)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(other)?;
    }
    let output = child.wait_with_output().map_err(other)?;
    if output.status.success() {
        return Ok(());
    }
    Err(other(format!(
        "nft: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}
