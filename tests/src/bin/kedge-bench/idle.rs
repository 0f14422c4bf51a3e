//! What kedge costs while nothing happens, and how fast it is back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kedge_tests::ask;
use kedge_tests::process;
use kedge_tests::site::{Site, pods};
use kedge_tests::tool::{ToolError, built};
use serde_json::{Value, json};

use crate::{other, print};

/// Between the last write and the measurement: longer than the store's snapshot waits for more changes.
const SETTLE: Duration = Duration::from_secs(15);

/// Prints the figures of a server that idles for `seconds`, and of its starts.
pub fn run(seconds: u64) -> Result<(), ToolError> {
    let io = |source| ToolError::Start {
        program: "/proc".into(),
        source,
    };
    let size = std::fs::metadata(built("kedge", "KEDGE")?)
        .map_err(io)?
        .len();
    println!("kedge at idle, everything on: DNS, load balancer, proxy; 100 Services, 3 Pods\n");
    let mut site = Site::new()?;
    site.apply(&pods())?;
    site.apply(&services(0..100))?;
    site.until_endpoints("svc-99", "IPv4", 3)?;
    std::thread::sleep(SETTLE);
    let (before, after) =
        process::over(site.server().pid(), Duration::from_secs(seconds)).map_err(io)?;
    print(
        "release binary",
        &format!("{:.1} MB", size as f64 / 1e6),
        "under 25 MB",
    );
    print(
        "resident memory",
        &format!("{:.1} MB", after.rss as f64 / 1024.0),
        "under 30 MB",
    );
    print(
        "  at its most so far",
        &format!("{:.1} MB", after.peak as f64 / 1024.0),
        "",
    );
    print(
        &format!("written to disk in {seconds} s"),
        &format!("{} B", after.disk - before.disk),
        "0",
    );
    print(
        &format!("passed to write calls in {seconds} s"),
        &format!("{} B", after.written - before.written),
        "",
    );
    print(
        &format!("CPU ticks in {seconds} s"),
        &format!("{}", after.ticks - before.ticks),
        "none worth counting",
    );
    print(
        &format!("wake-ups in {seconds} s"),
        &format!("{}", after.wakeups - before.wakeups),
        "",
    );

    for first in (100..1000).step_by(100) {
        site.apply(&services(first..first + 100))?;
    }
    site.until_endpoints("svc-999", "IPv4", 3)?;
    let to = site.cluster_ip("svc-999", true, 80)?;
    site.kill();
    let start = Instant::now();
    site.start()?;
    let warm = start.elapsed();
    ask::http(&site.lab.pods[0], to).map_err(other)?;
    // From nothing: the kernel has lost the rules too, as after a power cut.
    site.kill();
    site.kedge(&["cleanup"])?;
    let start = Instant::now();
    site.start()?;
    let cold = start.elapsed();
    ask::http(&site.lab.pods[0], to).map_err(other)?;
    let after = process::cost(site.server().pid()).map_err(io)?;
    let healed = healed(&site, to)?;
    print(
        "exec to rules in the kernel and API, 1,000 Services",
        &format!("{:.0} ms", cold.as_secs_f64() * 1e3),
        "under 1 s",
    );
    print(
        "  with the rules still in the kernel",
        &format!("{:.0} ms", warm.as_secs_f64() * 1e3),
        "",
    );
    print(
        "resident memory with 1,000 Services, just started",
        &format!("{:.1} MB", after.rss as f64 / 1024.0),
        "",
    );
    print(
        "every rule removed by somebody: back in traffic after",
        &format!("{:.0} ms", healed.as_secs_f64() * 1e3),
        "under 100 ms",
    );
    site.stop()
}

/// Median time from the removal of the node's whole ruleset to the next connection.
fn healed(site: &Site, to: SocketAddr) -> Result<Duration, ToolError> {
    let mut times = (0..11)
        .map(|_| {
            let start = site.lab.node.enter(flush)?.map_err(other)?;
            ask::until_connected(&site.lab.pods[0], to).map_err(other)?;
            Ok(start.elapsed())
        })
        .collect::<Result<Vec<_>, ToolError>>()?;
    times.sort();
    Ok(times[times.len() / 2])
}

/// Deletes every table; when.
fn flush() -> Result<Instant, kedge_nftables::Error> {
    let mut socket = kedge_nftables::Socket::open()?;
    let mut batch = kedge_nftables::Batch::new();
    for table in socket.tables()? {
        batch.delete_table(&table);
    }
    let start = Instant::now();
    socket.commit(&batch)?;
    Ok(start)
}

/// Services of every type that has rules, over the lab's backends.
fn services(range: std::ops::Range<usize>) -> Vec<Value> {
    range
        .map(|i| {
            let kind = if i % 10 == 0 { "NodePort" } else { "ClusterIP" };
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("svc-{i}"), "namespace": "default"},
                "spec": {"type": kind, "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
            })
        })
        .collect()
}
