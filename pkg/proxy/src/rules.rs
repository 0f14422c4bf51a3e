//! A node's rules as values: the proxy's own steps, and no kernel.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use kedge_client::Change;

use crate::config::ProxyConfig;
use crate::model::ServiceName;
use crate::sources::Sources;
use crate::state::{Changes, Delta, State};

/// What would be in force.
#[derive(Debug)]
pub struct Rules {
    pub sources: Sources,
    pub state: State,
}

impl Rules {
    pub fn new(config: ProxyConfig, node_addresses: Arc<[IpAddr]>) -> Self {
        Self {
            sources: Sources::new(config, node_addresses),
            state: State::default(),
        }
    }

    /// Follows the API.
    pub fn take(&mut self, changes: Vec<Change>) {
        let names = self.sources.take(changes);
        // Nobody waits for these rules.
        self.sources.model.take_triggers();
        self.update(&names);
    }

    /// The node has other addresses now.
    pub fn set_node_addresses(&mut self, addresses: Arc<[IpAddr]>) {
        let names = self.sources.set_node_addresses(addresses);
        self.update(&names);
    }

    fn update(&mut self, names: &BTreeSet<ServiceName>) {
        let mut delta = Delta {
            changes: Changes::ignored(),
            ..Delta::default()
        };
        for name in names {
            let plan = self.sources.plan(name);
            self.state.update(name, plan, None, &mut delta);
        }
        // No packet is on its way, and no kernel has an id.
        self.state.begin_settling();
        self.state.end_settling(&mut delta.changes);
        self.state.settle();
    }
}
