//! What the controllers must be told.

use std::sync::Arc;

use ipnet::IpNet;
use kedge_client::SharedClient;
use kedge_pki::{Authority, TokenKeys};
use tokio::sync::watch;

use crate::kind::Kind;
use crate::loadbalancer::LoadBalancerConfig;
use crate::node::NodeConfig;

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
