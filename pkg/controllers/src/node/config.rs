//! What the controller of the Node must be told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::info::NodeInfo;

/// This machine as a Node.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The Node's name.
    pub name: String,
    pub info: NodeInfo,
    /// The machine's addresses, the main one of each family first. The first of each family becomes an `InternalIP`.
    pub addresses: watch::Receiver<Arc<[IpAddr]>>,
    /// Labels beside those of every Node (host name, operating system, architecture).
    pub labels: BTreeMap<String, String>,
}
