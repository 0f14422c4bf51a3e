//! How long after the API's acknowledgement a change is in the answers of the cluster's DNS.

use std::time::{Duration, Instant};

use kedge_tests::ask;
use kedge_tests::lab::address;
use kedge_tests::site::{Site, service};
use kedge_tests::tool::ToolError;
use serde_json::json;

use crate::{other, print};

/// Services that are made, one after the other.
const CHANGES: usize = 51;

/// Prints the median and the longest time.
pub fn run() -> Result<(), ToolError> {
    println!("kedge's DNS: a Service is made, and asked for once the API acknowledged it\n");
    let mut site = Site::new()?;
    let mut times = (0..CHANGES)
        .map(|i| visible(&site, &format!("new-{i}")))
        .collect::<Result<Vec<_>, _>>()?;
    times.sort();
    let shown = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    print("in an answer after, median", &shown(times[CHANGES / 2]), "");
    print("  at most", &shown(times[CHANGES - 1]), "under 5 ms");
    site.stop()
}

/// From the acknowledgement to the end of the first answer that has it, the question's own way included.
fn visible(site: &Site, name: &str) -> Result<Duration, ToolError> {
    site.apply(&[service(name, json!({}))])?;
    let acknowledged = Instant::now();
    let asked = format!("{name}.default.svc.cluster.local");
    loop {
        let answer = ask::dns(&site.lab.pods[0], address("10.43.0.10"), &asked, "A");
        if !answer.map_err(other)?.records.is_empty() {
            return Ok(acknowledged.elapsed());
        }
    }
}
