//! Addresses for Services of type LoadBalancer, into their status.

mod allocate;
mod outcome;
mod pool;
mod request;
mod share;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::Object;
use kedge_machinery::object::child_mut;
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::info;

use crate::config::LoadBalancerConfig;
use crate::engine::{Reconcile, Write, key};
use crate::events::{About, EventType, Recorder};
use crate::view::{self, Ingress, Service};
use allocate::allocate;
use outcome::{Name, Outcome};
use request::{Request, ports};
use share::share;

pub use pool::{LbPool, PoolError};
pub use request::{Transport, TransportError};

/// KEP-1860: packets to the address keep it as their destination until they are here.
const IP_MODE: &str = "VIP";

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

/// A Service that has a part in this.
struct Entry {
    uid: String,
    node_ports: Vec<(Transport, u16)>,
    role: Role,
}

enum Role {
    /// It is ours to serve.
    Ours {
        request: Request,
        ingress: Vec<Ingress>,
        bytes: Bytes,
    },
    /// It is another's, who may have given it these addresses.
    Others(Vec<IpAddr>),
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

    fn entry(&self, bytes: &Bytes) -> Option<Entry> {
        let service: Service = view::read(bytes)?;
        let node_ports = ports(&service, |port| port.node_port);
        let ours = service
            .spec
            .load_balancer_class
            .as_ref()
            .is_none_or(|c| Some(c) == self.config.class.as_ref());
        let role = if service.is_load_balancer() && ours {
            let (request, ingress) = (Request::of(&service), service.ingress().to_vec());
            Role::Ours {
                request,
                ingress,
                bytes: bytes.clone(),
            }
        } else {
            Role::Others(
                service
                    .ingress()
                    .iter()
                    .filter_map(|ingress| ingress.ip.parse().ok())
                    .collect(),
            )
        };
        let idle = node_ports.is_empty()
            && matches!(&role, Role::Others(addresses) if addresses.is_empty());
        (!idle).then_some(Entry {
            uid: service.metadata.uid,
            node_ports,
            role,
        })
    }

    fn outcomes(&mut self) -> BTreeMap<Name, Outcome> {
        let mut requests = BTreeMap::new();
        let mut foreign = BTreeSet::new();
        let mut node_ports = BTreeMap::new();
        for (name, entry) in &self.services {
            node_ports.extend(entry.node_ports.iter().map(|port| (*port, name.clone())));
            match &entry.role {
                Role::Ours { request, .. } => {
                    requests.insert(name.clone(), request.clone());
                }
                Role::Others(addresses) => foreign.extend(addresses),
            }
        }
        if self.config.pools.is_empty() {
            let node = self.node.borrow_and_update().clone();
            share(&node, &requests, &self.config.reserved, &node_ports)
        } else {
            allocate(&self.config.pools, &requests, &foreign)
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

/// The write that gives a Service these addresses; none where it has them.
fn status(name: &Name, ingress: &[Ingress], bytes: &Bytes, addresses: &[IpAddr]) -> Option<Write> {
    let wanted: Vec<Ingress> = addresses
        .iter()
        .map(|ip| Ingress {
            ip: ip.to_string(),
            ip_mode: IP_MODE.into(),
            ..Ingress::default()
        })
        .collect();
    if wanted == ingress {
        return None;
    }
    let mut service = Object::from_value(view::read(bytes)?)?;
    let list: Vec<Value> = wanted
        .iter()
        .map(|ingress| json!({"ip": ingress.ip, "ipMode": ingress.ip_mode}))
        .collect();
    let balancer = child_mut(child_mut(&mut service.0, "status"), "loadBalancer");
    if list.is_empty() {
        balancer.remove("ingress");
    } else {
        balancer.insert("ingress".into(), list.into());
    }
    let about = key(Resource::SERVICES, &name.0, &name.1);
    Some(Write::update(&about, Resource::SERVICES, "status", service))
}

impl Reconcile for LoadBalancer {
    const NAME: &'static str = "load balancer";

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::SERVICES]
    }

    fn observe(&mut self, change: &Change) {
        let name = (change.key.namespace.clone(), change.key.name.clone());
        let entry = change.object.as_ref().and_then(|bytes| self.entry(bytes));
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
            if let Role::Ours {
                request,
                ingress,
                bytes,
            } = &entry.role
            {
                self.tell(name, entry, &request.current, outcome);
                writes.extend(status(name, ingress, bytes, &outcome.addresses));
            }
        }
        self.told = outcomes;
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
