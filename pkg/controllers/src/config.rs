//! What the controllers must be told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use kedge_client::{Resource, SharedClient};
use kedge_machinery::AddressRange;
use kedge_pki::{Authority, TokenKeys};
use tokio::sync::watch;

use crate::loadbalancer::{Lan, LoadBalancerMetrics, Transport};
use crate::node::NodeInfo;
use crate::run::VirtualAddresses;

/// Settings of [`crate::run`].
pub struct Config {
    pub client: SharedClient,
    pub node: NodeConfig,
    /// The machine's addresses, each with the length of its network's prefix: no range of Services is to have one.
    pub networks: watch::Receiver<Arc<[IpNet]>>,
    /// `None` leaves LoadBalancer Services to another program.
    pub load_balancer: Option<LoadBalancerConfig>,
    /// Every kind that is served, for what concerns all of them: garbage and the end of namespaces.
    pub kinds: Vec<Kind>,
    pub credentials: Credentials,
    /// Keeps an Endpoints object beside a Service's slices, for programs that know no EndpointSlices.
    pub legacy_endpoints: bool,
}

/// What the cluster signs with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Its certificate is in every namespace.
    pub authority: Arc<Authority>,
    /// For the tokens that live in Secrets.
    pub token_keys: Arc<TokenKeys>,
}

/// A kind that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind {
    pub resource: Resource,
    pub namespaced: bool,
}

impl Kind {
    /// The kinds of a server without custom resources.
    #[must_use]
    pub fn builtin() -> Vec<Self> {
        kedge_api::catalog::stored()
            .map(|kind| Self {
                resource: Resource {
                    group: kind.group,
                    version: kind.version,
                    plural: kind.plural,
                    kind: kind.kind,
                },
                namespaced: kind.namespaced,
            })
            .collect()
    }
}

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
