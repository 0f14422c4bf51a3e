//! From the API's answer about an EndpointSlice to the first connection by way of it.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use http::Method;
use kedge_tests::connection::{Ask, Version};
use kedge_tests::lab::{Lab, PODS};
use kedge_tests::tool::ToolError;

use super::cluster::{Cluster, SLICES, on, slice};
use crate::load::Times;
use crate::other;

const TURNS: usize = 200;
pub const NAME: &str = "probe";
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 43, 250, 1);
/// A connection that is refused is tried again at once; one that is lost, after this.
const TRY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(10);

/// Median and 99th percentile.
pub fn run(lab: &Lab, cluster: &Cluster) -> Result<(Duration, Duration), ToolError> {
    let backend: Ipv4Addr = PODS[1][0].parse().map_err(other)?;
    let create = Ask::json(Method::POST, SLICES, slice(NAME, &[backend]));
    let delete = Ask::json(Method::DELETE, format!("{SLICES}/{NAME}-x"), String::new());
    let times = on(lab, async {
        let mut connection = cluster.endpoint().connect(Version::Http1).await?;
        let mut times = Vec::with_capacity(TURNS);
        for _ in 0..TURNS {
            connection.send(&create).await?;
            times.push(until(ADDRESS, true)?);
            connection.send(&delete).await?;
            until(ADDRESS, false)?;
        }
        Ok(times)
    })?;
    let times = Times::new(times);
    Ok((times.at(0.5), times.at(0.99)))
}

/// How long until a connection from here succeeds, or fails.
pub fn until(address: Ipv4Addr, open: bool) -> Result<Duration, ToolError> {
    let start = Instant::now();
    let to = SocketAddr::from((address, 80));
    while TcpStream::connect_timeout(&to, TRY).is_ok() != open {
        if start.elapsed() > PATIENCE {
            return Err(other(format!(
                "{to} is not {}",
                if open { "open" } else { "closed" }
            )));
        }
    }
    Ok(start.elapsed())
}
