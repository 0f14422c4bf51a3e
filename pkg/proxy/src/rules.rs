//! A node's rules as values: the proxy's own steps, and no kernel.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use kedge_client::Change;

use crate::compile::{Context, compile};
use crate::config::ProxyConfig;
use crate::model::{Dirty, Model, ServiceName};
use crate::state::{Changes, Delta, State};

/// What would be in force.
#[derive(Debug)]
pub struct Rules {
    pub config: ProxyConfig,
    /// Those that node ports may be open on.
    node_addresses: Arc<[IpAddr]>,
    model: Model,
    pub state: State,
}

impl Rules {
    pub fn new(config: ProxyConfig, node_addresses: Arc<[IpAddr]>) -> Self {
        Self {
            model: Model::new(&config.node_name),
            config,
            node_addresses,
            state: State::default(),
        }
    }

    /// Follows the API.
    pub fn take(&mut self, changes: Vec<Change>) {
        let names = match self.model.take(changes) {
            Dirty::Services(names) => names,
            Dirty::All => self.names(),
        };
        // Nobody waits for these rules.
        self.model.take_triggers();
        self.update(&names);
    }

    /// The node has other addresses now.
    pub fn set_node_addresses(&mut self, addresses: Arc<[IpAddr]>) {
        self.node_addresses = addresses;
        self.update(&self.names());
    }

    fn names(&self) -> BTreeSet<ServiceName> {
        self.model.names().cloned().collect()
    }

    fn update(&mut self, names: &BTreeSet<ServiceName>) {
        let context = Context {
            node_name: &self.config.node_name,
            zone: self.model.zone(),
            node_addresses: &self.node_addresses,
            config: &self.config,
            nodes: self.model.nodes(),
        };
        let mut delta = Delta {
            changes: Changes::ignored(),
            ..Delta::default()
        };
        for name in names {
            let plan = self.model.get(name).map(|entry| compile(entry, &context));
            let plan = plan.unwrap_or_default();
            self.state.update(name, plan, None, &mut delta);
        }
        // No packet is on its way, and no kernel has an id.
        self.state.begin_settling();
        self.state.end_settling(&mut delta.changes);
        self.state.settle();
    }
}
