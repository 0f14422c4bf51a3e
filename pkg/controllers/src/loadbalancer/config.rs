//! What the load balancer must be told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use kedge_machinery::AddressRange;
use tokio::sync::watch;

use super::lan::Lan;
use super::metrics::LoadBalancerMetrics;
use super::request::Transport;

/// The addresses that this machine is to have on its links, with the names of those that each may be on (any where there are
/// none); nothing as long as nobody knows them.
pub type VirtualAddresses = Option<Arc<BTreeMap<IpAddr, Option<BTreeSet<String>>>>>;

/// How LoadBalancer Services get their addresses.
#[derive(Debug, Clone)]
pub struct LoadBalancerConfig {
    /// Where addresses come from, beside IPAddressPools. Without either, Services get the node's own addresses.
    pub pools: Vec<AddressRange>,
    /// Ports of the node's own addresses that belong to the machine: the API's, for example.
    pub reserved: BTreeSet<(Transport, u16)>,
    /// The `loadBalancerClass` that is served beside none.
    pub class: Option<String>,
    /// Where the addresses go that this machine is to have on its links: those that come from pools.
    pub virtual_addresses: watch::Sender<VirtualAddresses>,
    /// What becomes of them there. Without it, nobody asks the LAN, and all are taken for announced.
    pub lan: Option<watch::Receiver<Lan>>,
    /// The name of this machine's Node, for advertisements that select some.
    pub node_name: String,
    pub metrics: LoadBalancerMetrics,
}
