//! What becomes of a packet, answered from the elements that the kernel is given.
//!
//! [`Tracer`] compiles the same objects with the same steps as the proxy does, and walks what comes out as the chains
//! of [`crate::ruleset`] do. Tests hold its answers against those of the kernel.

mod walk;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;
use kedge_client::Change;
use serde::Serialize;

use crate::compile::Role;
use crate::config::ProxyConfig;
use crate::family::{Endpoint, Family, Protocol};
use crate::layout::{Group, Key, ServiceKey, Value};
use crate::rules::Rules;

/// The first packet of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: Protocol,
    pub port: u16,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The Service that is asked at that address and port; for a refused port of a Service's address, that Service.
    pub service: Option<Asked>,
    pub outcome: Outcome,
    /// Why, in the order in which the rules decide.
    pub reasons: Vec<String>,
}

/// Whom a packet is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// `namespace/name`.
    pub name: String,
    /// `ClusterIP`, `NodePort`, `LoadBalancer` (with source ranges) or `External`: an external IP or a load balancer's
    /// address.
    pub entry: &'static str,
}

/// How it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Outcome {
    /// To one of these endpoints.
    Forwarded {
        endpoints: Vec<Choice>,
        /// Seconds for which the client keeps the one that it got.
        #[serde(skip_serializing_if = "Option::is_none")]
        affinity: Option<u32>,
    },
    /// A TCP reset, or ICMP: the port is closed.
    Refused,
    /// No answer at all.
    Dropped,
    /// No Service's: the rules leave it alone.
    Untouched,
}

/// An endpoint that the packet may go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Choice {
    pub address: IpAddr,
    pub port: u16,
    /// How many of all slots lead to it, among which one is drawn. Where no endpoint has a weight, each has one.
    pub slots: usize,
    /// It sees an address of this node instead of the client's.
    pub masqueraded: bool,
}

/// The rules of one node, as values.
#[derive(Debug)]
pub struct Tracer {
    rules: Rules,
    /// Addresses of this machine.
    local: HashSet<IpAddr>,
    elements: HashMap<Key, Value>,
    slots: HashMap<Group, Vec<Endpoint>>,
    ranges: HashMap<Group, Vec<IpNet>>,
}

impl Tracer {
    /// The rules for Services, EndpointSlices and the own Node. `node_addresses` are those that node ports may be open on,
    /// `local` all of the machine's.
    #[must_use]
    pub fn new(
        config: ProxyConfig,
        node_addresses: &[IpAddr],
        local: impl IntoIterator<Item = IpAddr>,
        objects: Vec<Change>,
    ) -> Self {
        let mut rules = Rules::new(config, node_addresses.into());
        rules.take(objects);
        let mut tracer = Self {
            rules,
            local: local.into_iter().collect(),
            elements: HashMap::new(),
            slots: HashMap::new(),
            ranges: HashMap::new(),
        };
        tracer.index();
        tracer
    }

    fn index(&mut self) {
        let (elements, slots, ranges) = (&mut self.elements, &mut self.slots, &mut self.ranges);
        for family in Family::ALL {
            self.rules
                .state
                .for_each(family, |(key, value)| match (key, value) {
                    (Key::Slot(group, _), Value::Endpoint(endpoint)) => {
                        slots.entry(group).or_default().push(endpoint);
                    }
                    (Key::SourceRange(group, range), _) => {
                        ranges.entry(group).or_default().push(range);
                    }
                    _ => {
                        elements.insert(key, value);
                    }
                });
        }
    }

    /// Who is asked at an address and port.
    fn asked(&self, key: &ServiceKey) -> Option<Asked> {
        let (name, role) = self.rules.state.front(key)?;
        Some(Asked {
            name: name.to_string(),
            entry: match role {
                Role::Internal => "ClusterIP",
                Role::Guarded => "LoadBalancer",
                Role::External => "External",
                Role::NodePort | Role::GuardedNodePort => "NodePort",
            },
        })
    }
}

#[cfg(test)]
mod tests;
