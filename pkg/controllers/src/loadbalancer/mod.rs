//! Addresses for Services of type LoadBalancer, into their status.

mod allocate;
mod candidates;
mod entry;
mod outcome;
mod pool;
mod request;
mod share;
mod tenants;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use tokio::sync::watch;
use tracing::info;

use crate::config::LoadBalancerConfig;
use crate::engine::{Reconcile, Write};
use crate::events::{About, EventType, Recorder};
use allocate::{Requests, World, allocate};
use entry::{Entry, Role};
use outcome::{Name, Outcome};
use pool::Pool;
use share::share;

pub use request::{Transport, TransportError};

/// The controller.
pub(crate) struct LoadBalancer {
    config: LoadBalancerConfig,
    node: watch::Receiver<Arc<[IpAddr]>>,
    recorder: Recorder,
    services: BTreeMap<Name, Entry>,
    /// What every Service was told last, so that an Event is written when that changes.
    told: BTreeMap<Name, Outcome>,
    stale: bool,
}

impl LoadBalancer {
    pub(crate) fn new(
        config: LoadBalancerConfig,
        node: watch::Receiver<Arc<[IpAddr]>>,
        recorder: Recorder,
    ) -> Self {
        Self {
            config,
            node,
            recorder,
            services: BTreeMap::new(),
            told: BTreeMap::new(),
            stale: true,
        }
    }

    fn outcomes(&mut self) -> BTreeMap<Name, Outcome> {
        let mut requests = Requests::new();
        let mut foreign = BTreeSet::new();
        let mut node_ports = BTreeMap::new();
        for (name, entry) in &self.services {
            node_ports.extend(entry.node_ports.iter().map(|port| (*port, name.clone())));
            match &entry.role {
                Role::Ours(ours) => {
                    requests.insert(name, &ours.request);
                }
                Role::Others(addresses) => foreign.extend(addresses),
            }
        }
        if self.config.pools.is_empty() {
            let node = self.node.borrow_and_update().clone();
            share(&node, &requests, &self.config.reserved, &node_ports)
        } else {
            let world = World {
                pools: &[Pool::of_settings(&self.config.pools)],
                namespaces: &BTreeMap::new(),
                foreign: &foreign,
            };
            allocate(world, &requests)
        }
    }

    fn publish(&self, outcomes: &BTreeMap<Name, Outcome>) {
        let pooled = !self.config.pools.is_empty();
        let set: BTreeSet<IpAddr> = outcomes
            .values()
            .filter(|_| pooled)
            .flat_map(|outcome| outcome.addresses.iter().copied())
            .collect();
        self.config.virtual_addresses.send_if_modified(|old| {
            let changed = old.as_deref() != Some(&set);
            if changed {
                *old = Some(Arc::new(set));
            }
            changed
        });
    }

    fn tell(&self, name: &Name, entry: &Entry, current: &[IpAddr], outcome: &Outcome) {
        if self.told.get(name) == Some(outcome) {
            return;
        }
        let about = About {
            api_version: "v1".into(),
            kind: "Service".into(),
            namespace: name.0.clone(),
            name: name.1.clone(),
            uid: entry.uid.clone(),
        };
        if let Some(waiting) = &outcome.waiting {
            self.recorder.record(
                &about,
                EventType::Warning,
                "AllocationFailed",
                waiting.to_string(),
            );
        }
        if !outcome.addresses.is_empty() && outcome.addresses != current {
            let list: Vec<String> = outcome.addresses.iter().map(ToString::to_string).collect();
            info!(
                "Service {}/{} has the address {}",
                name.0,
                name.1,
                list.join(", ")
            );
            self.recorder.record(
                &about,
                EventType::Normal,
                "IPAllocated",
                format!("Assigned {}", list.join(", ")),
            );
        }
    }
}

impl Reconcile for LoadBalancer {
    const NAME: &'static str = "load balancer";

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::SERVICES]
    }

    fn observe(&mut self, change: &Change) {
        let name = (change.key.namespace.clone(), change.key.name.clone());
        let class = self.config.class.as_deref();
        let bytes = change.object.as_ref();
        let mut entry = bytes.and_then(|bytes| Entry::read(bytes, class));
        if let (Some(entry), Some(before)) = (&mut entry, self.services.get(&name)) {
            entry.follows(before);
        }
        let before = match entry {
            Some(entry) => {
                self.stale = true;
                self.services.insert(name, entry)
            }
            None => {
                self.told.remove(&name);
                self.services.remove(&name)
            }
        };
        self.stale |= before.is_some();
    }

    async fn plan(&mut self, _: &SharedClient, _: Timestamp) -> Vec<Write> {
        if !std::mem::take(&mut self.stale) {
            return Vec::new();
        }
        let outcomes = self.outcomes();
        // Onto the link before into the status: who reads the status can connect.
        self.publish(&outcomes);
        let mut writes = Vec::new();
        for (name, outcome) in &outcomes {
            let Some(entry) = self.services.get(name) else {
                continue;
            };
            if let Some(ours) = entry.ours() {
                self.tell(name, entry, &ours.request.current, outcome);
                writes.extend(ours.status(name, &outcome.addresses));
            }
        }
        self.told = outcomes;
        for entry in self.services.values_mut() {
            entry.settle();
        }
        writes
    }

    fn again(&mut self, _: &ObjectKey) {
        self.stale = true;
    }

    /// The node's own addresses matter where there are no pools.
    async fn changed(&mut self) {
        if !self.config.pools.is_empty() || self.node.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.stale = true;
    }
}

#[cfg(test)]
mod tests;
