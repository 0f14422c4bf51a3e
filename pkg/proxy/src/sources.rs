//! What rules are made of.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use kedge_client::Change;

use crate::compile::{Context, ServicePlan, compile};
use crate::config::ProxyConfig;
use crate::model::{Dirty, Entry, Model, ServiceName};

/// The API's objects, the node's addresses and the settings.
#[derive(Debug)]
pub struct Sources {
    pub config: ProxyConfig,
    /// Those that node ports may be open on.
    pub node_addresses: Arc<[IpAddr]>,
    pub model: Model,
}

impl Sources {
    pub fn new(config: ProxyConfig, node_addresses: Arc<[IpAddr]>) -> Self {
        Self {
            model: Model::new(&config.node_name),
            config,
            node_addresses,
        }
    }

    /// Takes changes in, and says which Services' plans may differ by them.
    pub fn take(&mut self, changes: Vec<Change>) -> BTreeSet<ServiceName> {
        match self.model.take(changes) {
            Dirty::Services(names) => names,
            Dirty::All => self.names(),
        }
    }

    /// The node has other addresses now; says which Services' plans may differ by that.
    pub fn set_node_addresses(&mut self, addresses: Arc<[IpAddr]>) -> BTreeSet<ServiceName> {
        self.node_addresses = addresses;
        let depends = |entry: &Entry| {
            entry.service.as_ref().is_some_and(|service| {
                !service.source_ranges.is_empty()
                    || service.ports.iter().any(|port| port.node_port.is_some())
            })
        };
        let services = self.model.services().filter(|(_, entry)| depends(entry));
        services.map(|(name, _)| name.clone()).collect()
    }

    /// All Services, and those that only have EndpointSlices.
    pub fn names(&self) -> BTreeSet<ServiceName> {
        self.model.names().cloned().collect()
    }

    /// What a Service needs on this node: nothing, if it is gone.
    pub fn plan(&self, name: &ServiceName) -> ServicePlan {
        let context = Context {
            node_name: &self.config.node_name,
            zone: self.model.zone(),
            node_addresses: &self.node_addresses,
            config: &self.config,
            nodes: self.model.nodes(),
        };
        let entry = self.model.get(name);
        entry
            .map(|entry| compile(entry, &context))
            .unwrap_or_default()
    }
}
