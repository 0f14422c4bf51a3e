//! A server whose Services all lead to addresses that take packets and never answer, so that only the way there is
//! measured.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use kedge_tests::connection::{Ask, Endpoint, Version};
use kedge_tests::lab::{Lab, NODE, PORT};
use kedge_tests::process;
use kedge_tests::server::Server;
use kedge_tests::tool::ToolError;
use serde_json::{Value, json};

use super::{churn, end_to_end};
use crate::load::Load;
use crate::other;

const SERVICES: &str = "/api/v1/namespaces/default/services";
pub const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
/// Behind the second backend's link.
pub const SINKS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(10, 42, 9, 1),
    Ipv4Addr::new(10, 42, 9, 2),
    Ipv4Addr::new(10, 42, 9, 3),
];
const CONNECTIONS: usize = 64;
const LONGEST: Duration = Duration::from_secs(120);

const FLAGS: [&str; 8] = [
    "--node-name",
    "node",
    "--node-ip",
    NODE[0],
    "--service-cidr",
    "10.43.0.0/16",
    "--cluster-cidr",
    "10.42.0.0/16",
];

/// The address of the Service of a number.
pub fn address(number: usize) -> Ipv4Addr {
    let first = u32::from(Ipv4Addr::new(10, 43, 64, 0));
    Ipv4Addr::from(first + u32::try_from(number).unwrap_or_default())
}

pub struct Cluster {
    server: Server,
    endpoint: Arc<Endpoint>,
    size: usize,
}

impl Cluster {
    pub fn start(lab: &Lab) -> Result<Self, ToolError> {
        sinks(lab)?;
        let server = lab.server(&FLAGS)?;
        let endpoint = Arc::new(Endpoint::new(&server.kubeconfig_at(NODE[0])?)?);
        let cluster = Self {
            server,
            endpoint,
            size: 0,
        };
        cluster.add(lab, end_to_end::NAME, end_to_end::ADDRESS)?;
        cluster.add(lab, churn::NAME, churn::ADDRESS)?;
        Ok(cluster)
    }

    /// The server, as hosts other than its own reach it.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Makes Services until there are so many.
    pub fn grow(&mut self, lab: &Lab, size: usize) -> Result<(), ToolError> {
        let from = std::mem::replace(&mut self.size, size);
        let make = move |index: usize| {
            let number = from + index / 2;
            match index % 2 {
                0 => Ask::json(
                    Method::POST,
                    SERVICES,
                    service(&name(number), address(number)),
                ),
                _ => Ask::json(Method::POST, SLICES, slice(&name(number), &SINKS)),
            }
        };
        let load = Load {
            count: (size - from) * 2,
            connections: CONNECTIONS,
            longest: LONGEST,
            pid: self.server.pid(),
        };
        let outcome = on(lab, load.run(&self.endpoint, Version::Http1, make))?;
        match outcome.times.len() {
            made if made == load.count => Ok(()),
            made => Err(other(format!(
                "only {made} of {} objects were made",
                load.count
            ))),
        }
    }

    /// Makes one more Service, without endpoints.
    fn add(&self, lab: &Lab, name: &str, address: Ipv4Addr) -> Result<(), ToolError> {
        let ask = Ask::json(Method::POST, SERVICES, service(name, address));
        on(lab, async {
            let mut connection = self.endpoint.connect(Version::Http1).await?;
            connection.send(&ask).await.map(drop)
        })
    }

    pub fn memory(&self) -> Result<String, ToolError> {
        let cost = process::cost(self.server.pid()).map_err(other)?;
        Ok(format!("{:.1} MB", cost.rss as f64 / 1024.0))
    }

    /// Stops the server and removes its rules.
    pub fn stop(self, lab: &Lab) -> Result<(), ToolError> {
        let kubeconfig = self.server.kubeconfig();
        self.server.stop()?;
        kedge_tests::server::kedge(&lab.node, &kubeconfig, &["cleanup"], "").map(drop)
    }
}

/// Runs to its end on a thread of the first backend's host.
pub fn on<T: Send>(
    lab: &Lab,
    work: impl Future<Output = Result<T, ToolError>> + Send,
) -> Result<T, ToolError> {
    lab.pods[0].enter(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(other)?
            .block_on(work)
    })?
}

/// Routes to the sinks, with neighbours that need not be asked for.
fn sinks(lab: &Lab) -> Result<(), ToolError> {
    let shown = lab.pods[1].ip("-o link show dev eth0")?;
    let mac = shown
        .split_whitespace()
        .skip_while(|word| *word != "link/ether")
        .nth(1)
        .ok_or_else(|| other(format!("no address in {shown}")))?;
    for sink in SINKS {
        lab.node.ip(&format!("route add {sink} dev web-2"))?;
        lab.node.ip(&format!(
            "neigh add {sink} lladdr {mac} dev web-2 nud permanent"
        ))?;
    }
    Ok(())
}

fn name(number: usize) -> String {
    format!("svc-{number}")
}

fn service(name: &str, address: Ipv4Addr) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"clusterIP": address, "ports": [{"name": "http", "port": 80, "targetPort": PORT}]},
    })
    .to_string()
}

/// The slice of a Service, with these endpoints.
pub fn slice(service: &str, endpoints: &[Ipv4Addr]) -> String {
    let endpoints: Vec<Value> = endpoints
        .iter()
        .map(|address| json!({"addresses": [address], "conditions": {"ready": true}, "nodeName": "node"}))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": format!("{service}-x"), "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "endpoints": endpoints,
        "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
    })
    .to_string()
}
