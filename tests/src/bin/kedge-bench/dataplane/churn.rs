//! Connections while endpoints change: none may fail.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use http::Method;
use kedge_tests::connection::{Ask, Version};
use kedge_tests::lab::{Lab, PODS};
use kedge_tests::tool::ToolError;

use super::cluster::{Cluster, SLICES, on, slice};
use super::end_to_end::until;
use crate::exchange::exchange;
use crate::{other, print};

const CONNECTIONS: usize = 100_000;
const CHANGES: usize = 10_000;
pub const NAME: &str = "churn";
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 43, 250, 2);

/// Prints how many failed.
pub fn run(lab: &Lab, cluster: &Cluster) -> Result<(), ToolError> {
    let pods: Vec<Ipv4Addr> = PODS
        .iter()
        .map(|pod| pod[0].parse().map_err(other))
        .collect::<Result<_, _>>()?;
    // One endpoint leaves, one comes, or all are there.
    let sets = [
        slice(NAME, &pods),
        slice(NAME, &pods[..2]),
        slice(NAME, &pods[1..]),
        slice(NAME, &[pods[2], pods[0]]),
    ];
    let create = Ask::json(Method::POST, SLICES, sets[0].clone());
    let replace = |n: usize| {
        let path = format!("{SLICES}/{NAME}-x");
        Ask::json(Method::PUT, path, sets[n % sets.len()].clone())
    };
    on(lab, async {
        let mut connection = cluster.endpoint().connect(Version::Http1).await?;
        connection.send(&create).await?;
        until(ADDRESS, true).map(drop)
    })?;
    let (made, changed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut failed: BTreeMap<String, usize> = BTreeMap::new();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let (made, changed, failed) = (&made, &changed, &mut failed);
        let connecting = scope.spawn(move || {
            lab.pods[0].enter(|| {
                while made.load(Ordering::Relaxed) < CONNECTIONS || !changed.load(Ordering::Relaxed)
                {
                    if let Err(error) = exchange((ADDRESS, 80).into()) {
                        *failed.entry(error.to_string()).or_default() += 1;
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let changing = on(lab, async {
            let mut connection = cluster.endpoint().connect(Version::Http1).await?;
            for n in 1..=CHANGES {
                connection.send(&replace(n)).await?;
            }
            Ok(())
        });
        changed.store(true, Ordering::Relaxed);
        let connected = connecting
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        changing.and(connected)
    })?;
    print(
        &format!(
            "connections that failed of {} during {CHANGES} changes",
            made.into_inner()
        ),
        &failed.values().sum::<usize>().to_string(),
        "0",
    );
    for (error, times) in failed {
        print(&format!("  {error}"), &times.to_string(), "");
    }
    print(
        "  in",
        &format!("{:.0} s", start.elapsed().as_secs_f64()),
        "",
    );
    Ok(())
}
