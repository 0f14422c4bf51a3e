//! Addresses for Services of type LoadBalancer, into their status.
//!
//! Pools come from the settings and from IPAddressPools; where there are none, Services share the node's own addresses.

mod advertisement;
mod allocate;
mod config;
mod entry;
mod l2_status;
mod lan;
mod local;
mod metrics;
mod outcome;
mod pool;
mod pools;
mod request;
mod share;
mod speaker;
mod usage;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use kedge_client::Json;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use tokio::sync::watch;
use tracing::info;

use crate::engine::{Reconcile, Write};
use crate::events::{EventType, Recorder};
use crate::view::{self, MetaOnly};
use allocate::{Requests, World, allocate};
use entry::{Entry, Role};
use lan::Reports;
use outcome::{Holder, Name, Outcome};
use pool::Labels;
use pools::Pools;
use share::share;
use speaker::Speaker;
use usage::usage;

pub use config::{LoadBalancerConfig, VirtualAddresses};
pub use lan::{Lan, OnLan};
pub use metrics::LoadBalancerMetrics;
pub use request::{Transport, TransportError};

/// The controller.
pub(crate) struct LoadBalancer {
    config: LoadBalancerConfig,
    node: watch::Receiver<Arc<[IpAddr]>>,
    recorder: Recorder,
    services: BTreeMap<Name, Entry>,
    pools: Pools,
    speaker: Speaker,
    /// Labels of every namespace.
    namespaces: BTreeMap<String, Labels>,
    /// What every Service was told last, so that an Event is written when that changes.
    told: BTreeMap<Name, Outcome>,
    /// Services with addresses of which it is not known yet whether they can be theirs. They keep them until it is.
    undecided: BTreeMap<Name, Vec<IpAddr>>,
    stale: bool,
}

impl LoadBalancer {
    pub(crate) fn new(
        config: LoadBalancerConfig,
        node: watch::Receiver<Arc<[IpAddr]>>,
        recorder: Recorder,
    ) -> Self {
        Self {
            pools: Pools::new(&config.pools),
            speaker: Speaker::new(&config.node_name, Reports::new(config.lan.clone())),
            config,
            node,
            recorder,
            services: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            told: BTreeMap::new(),
            undecided: BTreeMap::new(),
            stale: true,
        }
    }

    /// Takes a Service in. True where its part in this may be another now.
    fn observe_service(&mut self, key: &ObjectKey, bytes: Option<&Json>) -> bool {
        let name = (key.namespace.clone(), key.name.clone());
        let class = self.config.class.as_deref();
        match bytes.and_then(|bytes| Entry::read(bytes, class)) {
            Some(mut entry) => {
                let before = self.services.get(&name);
                if before.is_some_and(|before| before.uid != entry.uid) {
                    self.told.remove(&name);
                }
                if let Some(before) = before {
                    entry.follows(before);
                }
                let told = self.told.get(&name);
                let matters = !before.is_some_and(|before| entry.is_as(&name, before, told));
                self.services.insert(name, entry);
                matters
            }
            None => {
                self.told.remove(&name);
                self.services.remove(&name).is_some()
            }
        }
    }

    /// Takes a namespace in. True where its labels are others now.
    fn observe_namespace(&mut self, name: &str, bytes: Option<&Json>) -> bool {
        let Some(labels) = bytes.map(labels) else {
            return self.namespaces.remove(name).is_some();
        };
        let changed = self.namespaces.get(name) != Some(&labels);
        self.namespaces.insert(name.into(), labels);
        changed
    }

    fn outcomes(&mut self) -> BTreeMap<Name, Outcome> {
        let mut requests = Requests::new();
        let mut held = BTreeMap::new();
        let mut node_ports = BTreeMap::new();
        for (name, entry) in &self.services {
            node_ports.extend(entry.node_ports.iter().map(|port| (*port, name.clone())));
            match &entry.role {
                Role::Ours(ours) => {
                    requests.insert(name, &ours.request);
                }
                Role::Others(addresses) => {
                    held.extend(addresses.iter().map(|ip| (*ip, Holder::OtherBalancer)));
                }
            }
        }
        let node = self.node.borrow_and_update().clone();
        if self.pools.all().is_empty() {
            share(&node, &requests, &self.config.reserved, &node_ports)
        } else {
            held.extend(node.iter().map(|ip| (*ip, Holder::Machine)));
            held.extend(self.speaker.lan.taken().map(|ip| (ip, Holder::Neighbour)));
            let world = World {
                pools: self.pools.all(),
                namespaces: &self.namespaces,
                held: &held,
                promised: &self.undecided,
            };
            allocate(world, &requests)
        }
    }

    /// The addresses that this machine is to announce now.
    fn publish(&self, outcomes: &BTreeMap<Name, Outcome>) -> VirtualAddresses {
        let announced = self
            .speaker
            .announces(&self.services, &self.pools, outcomes);
        self.config.virtual_addresses.send_if_modified(|old| {
            let changed = old.as_deref() != Some(&announced);
            if changed {
                *old = Some(Arc::new(announced));
            }
            changed
        });
        self.config.virtual_addresses.borrow().clone()
    }

    fn tell(&self, name: &Name, entry: &Entry, current: &[IpAddr], outcome: &Outcome) {
        if self.told.get(name) == Some(outcome) && !self.undecided.contains_key(name) {
            return;
        }
        let about = entry.about(name);
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

/// `metadata.labels`.
fn labels(bytes: &Json) -> Labels {
    let object = view::read::<MetaOnly>(bytes);
    object
        .map(|object| object.metadata.labels)
        .unwrap_or_default()
}

impl Reconcile for LoadBalancer {
    const NAME: &'static str = "load balancer";

    fn resources(&self) -> Vec<Resource> {
        vec![
            Resource::SERVICES,
            Resource::NAMESPACES,
            Resource::NODES,
            Resource::IPADDRESSPOOLS,
            Resource::L2ADVERTISEMENTS,
            Resource::ENDPOINTSLICES,
            Resource::SERVICEL2STATUSES,
        ]
    }

    fn observe(&mut self, change: &Change) {
        let (key, bytes) = (&change.key, change.object.as_ref());
        self.stale |= match key.resource {
            Resource::NAMESPACES => self.observe_namespace(&key.name, bytes),
            Resource::NODES => self.speaker.observe_node(&key.name, bytes.map(labels)),
            Resource::IPADDRESSPOOLS => self.pools.observe(key, bytes),
            Resource::L2ADVERTISEMENTS => self.speaker.observe_advertisement(key, bytes),
            Resource::SERVICEL2STATUSES => self.speaker.observe_status(key, bytes),
            Resource::ENDPOINTSLICES => self.speaker.observe_slice(key, bytes),
            _ => self.observe_service(key, bytes),
        };
    }

    async fn plan(&mut self, _: &SharedClient, _: Timestamp) -> Vec<Write> {
        if !std::mem::take(&mut self.stale) {
            return Vec::new();
        }
        self.speaker.lan.read();
        let outcomes = self.outcomes();
        let announced = self.publish(&outcomes);
        let used = usage(self.pools.all(), &outcomes);
        self.config.metrics.set(&used);
        let mut writes = self.pools.statuses(&used);
        let mut undecided = BTreeMap::new();
        for (name, outcome) in &outcomes {
            let Some(entry) = self.services.get(name) else {
                continue;
            };
            // Who reads an address in the status can connect to it: it is written there once the LAN leaves it to this machine.
            if outcome.addresses.iter().any(|ip| {
                let announced = announced.as_ref().is_some_and(|all| all.contains_key(ip));
                announced && self.speaker.lan.undecided(*ip)
            }) {
                undecided.insert(name.clone(), outcome.addresses.clone());
                continue;
            }
            if let Some(ours) = entry.ours() {
                self.tell(name, entry, &ours.request.current, outcome);
                writes.extend(ours.status(name, &outcome.addresses));
            }
        }
        let (services, told) = (&self.services, &self.told);
        let (recorder, metrics) = (&self.recorder, &self.config.metrics);
        self.speaker
            .tell(services, told, &outcomes, &self.pools, recorder, metrics);
        let asked = |name: &Name| undecided.contains_key(name);
        writes.extend(self.speaker.statuses(&self.pools, asked));
        self.told = outcomes;
        self.undecided = undecided;
        self.services.values_mut().for_each(Entry::settle);
        writes
    }

    fn again(&mut self, _: &ObjectKey) {
        self.stale = true;
    }

    /// The node's own addresses are shared where there are no pools, and left out of pools; so are those of other hosts.
    async fn changed(&mut self) {
        let node = async {
            if self.node.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = node => {}
            () = self.speaker.lan.changed() => {}
        }
        self.stale = true;
    }
}

#[cfg(test)]
mod lan_tests;
#[cfg(test)]
mod pools_tests;
#[cfg(test)]
mod tests;
