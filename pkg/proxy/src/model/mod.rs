//! What the feed has said so far: Services with their EndpointSlices, and the own Node's zone.

mod address;
mod annotations;
mod service;
mod slice;
mod triggers;
mod weight;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use kedge_client::{Change, Resource};
use kedge_machinery::Few;
use serde::Deserialize;

use self::annotations::Annotations;
use self::slice::Reading;
use self::triggers::Triggers;
use crate::family::Family;

pub use service::{Policy, Service, ServicePort};
#[cfg(test)]
pub use slice::SlicePort;
pub use slice::{Hints, Place, Slice, SliceEndpoint, State};
pub use weight::{Nodes, Weight};

/// The taint that the cluster autoscaler sets before it takes a node away.
const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";

/// Namespace and name of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(format!("{namespace}/{name}").into())
    }

    /// Namespace and name.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or(("", &self.0))
    }
}

impl std::fmt::Display for ServiceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Service and what it has for endpoints. Slices may come before their Service and outlive it.
#[derive(Debug, Default)]
pub struct Entry {
    pub service: Option<Service>,
    /// By name.
    pub slices: Few<Slice>,
}

/// Everything that rules are made of.
#[derive(Debug, Default)]
pub struct Model {
    node_name: String,
    services: HashMap<ServiceName, Entry>,
    /// Which Service each slice was last counted with, by namespace/name: a label may change.
    slice_owners: HashMap<ServiceName, ServiceName>,
    zone: String,
    node_leaves: bool,
    nodes: Nodes,
    /// Weights that cannot be read, by kind and name of what has them: each is said once.
    misread: HashMap<(&'static str, ServiceName), String>,
    triggers: Triggers,
}

/// What a change concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dirty {
    Services(BTreeSet<ServiceName>),
    All,
}

impl Model {
    pub fn new(node_name: &str) -> Self {
        Self {
            node_name: node_name.to_owned(),
            ..Self::default()
        }
    }

    pub fn get(&self, name: &ServiceName) -> Option<&Entry> {
        self.services.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &ServiceName> {
        self.services.keys()
    }

    pub fn services(&self) -> impl Iterator<Item = (&ServiceName, &Entry)> {
        self.services.iter()
    }

    /// The own Node's zone; empty when it has none.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Nodes that endpoints are on.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Whether load balancers may send traffic to the own Node: it is not being deleted, nor about to be
    /// (KEP-3836).
    pub fn node_is_eligible(&self) -> bool {
        !self.node_leaves
    }

    /// When that happened which has changed EndpointSlices since this was last asked for, as far as they say.
    pub fn take_triggers(&mut self) -> Vec<(Family, Timestamp)> {
        self.triggers.take()
    }

    /// Takes changes in, and says which Services' rules may differ by them. An object that cannot
    /// be read keeps its last form.
    pub fn take(&mut self, changes: Vec<Change>) -> Dirty {
        let mut names = BTreeSet::new();
        let mut all = false;
        for change in changes {
            let taken = match change.key.resource {
                Resource::SERVICES => self.take_service(&change, &mut names),
                Resource::ENDPOINTSLICES => self.take_slice(&change, &mut names),
                Resource::NODES => self
                    .take_node(&change, &mut names)
                    .map(|changed| all |= changed),
                _ => Ok(()),
            };
            if let Err(error) = taken {
                let (kind, namespace, name) = (
                    change.key.resource.kind,
                    &change.key.namespace,
                    &change.key.name,
                );
                tracing::error!(
                    "{kind} {namespace}/{name} cannot be read, its last form stays in force: {error}"
                );
            }
        }
        if self.nodes.is_crowded() {
            let endpoints = self.slices().flat_map(|slice| slice.endpoints.iter());
            let used: HashSet<_> = endpoints.filter_map(|endpoint| endpoint.node).collect();
            self.nodes.keep(&used);
        }
        if all {
            Dirty::All
        } else {
            Dirty::Services(names)
        }
    }

    fn take_service(
        &mut self,
        change: &Change,
        dirty: &mut BTreeSet<ServiceName>,
    ) -> Result<(), serde_json::Error> {
        let service = match &change.object {
            Some(json) => Service::decode(&json.text())?,
            None => None,
        };
        let name = ServiceName::new(&change.key.namespace, &change.key.name);
        let known = self
            .services
            .get(&name)
            .and_then(|entry| entry.service.as_ref());
        if known == service.as_ref() {
            return Ok(());
        }
        self.services.entry(name.clone()).or_default().service = service;
        self.forget_if_empty(&name);
        dirty.insert(name);
        Ok(())
    }

    fn take_slice(
        &mut self,
        change: &Change,
        dirty: &mut BTreeSet<ServiceName>,
    ) -> Result<(), serde_json::Error> {
        let slice_name = ServiceName::new(&change.key.namespace, &change.key.name);
        let reading = match &change.object {
            Some(json) => Slice::decode(&json.text(), &self.node_name, &mut self.nodes)?,
            None => {
                self.triggers.forget(&slice_name);
                None
            }
        };
        let (slice, misread, trigger) = match reading {
            Some(Reading {
                slice,
                misread,
                trigger,
            }) => (Some(slice), misread, trigger),
            None => (None, None, None),
        };
        self.note_weight(change, misread);
        let before = self.slice_owners.get(&slice_name).cloned();
        let after = slice
            .as_ref()
            .map(|slice| ServiceName::new(&change.key.namespace, &slice.service));
        if before != after
            && let Some(owner) = before
            && let Some(entry) = self.services.get_mut(&owner)
        {
            entry.slices.remove(change.key.name.as_str());
            self.forget_if_empty(&owner);
            self.slice_owners.remove(&slice_name);
            dirty.insert(owner);
        }
        if let (Some(slice), Some(owner)) = (slice, after) {
            let entry = self.services.entry(owner.clone()).or_default();
            if entry.slices.get(change.key.name.as_str()) != Some(&slice) {
                if let Some(at) = trigger {
                    self.triggers.add(slice_name.clone(), slice.family, at);
                }
                entry.slices.insert(change.key.name.as_str(), slice);
                self.slice_owners.insert(slice_name, owner.clone());
                dirty.insert(owner);
            }
        }
        Ok(())
    }

    /// Whether the own Node's zone has changed. Of all others, only the weight matters.
    fn take_node(
        &mut self,
        change: &Change,
        dirty: &mut BTreeSet<ServiceName>,
    ) -> Result<bool, serde_json::Error> {
        let node = match &change.object {
            Some(json) => serde_json::from_slice::<NodeView>(&json.text())?,
            None => NodeView::default(),
        };
        let annotations = node.metadata.annotations.clone().unwrap_or_default();
        let weight = annotations.weight();
        self.note_weight(change, weight.err().map(str::to_owned));
        let changed = self
            .nodes
            .set_weight(&change.key.name, weight.unwrap_or_default());
        if let Some(id) = changed {
            let is_there = |slice: &Slice| slice.endpoints.iter().any(|e| e.node == Some(id));
            let concerned = self
                .services
                .iter()
                .filter(|(_, entry)| entry.slices.values().any(is_there));
            dirty.extend(concerned.map(|(name, _)| name.clone()));
        }
        if change.key.name != self.node_name {
            return Ok(false);
        }
        self.node_leaves = change.object.is_none() || node.leaves();
        let zone = node.zone();
        let changed = zone != self.zone;
        self.zone = zone;
        Ok(changed)
    }

    /// Says once what an object's weight is that is none.
    fn note_weight(&mut self, change: &Change, misread: Option<String>) {
        if misread.is_none() && self.misread.is_empty() {
            return;
        }
        let name = ServiceName::new(&change.key.namespace, &change.key.name);
        let about = (change.key.resource.kind, name);
        let Some(text) = misread else {
            self.misread.remove(&about);
            return;
        };
        if self.misread.get(&about) != Some(&text) {
            tracing::warn!(
                "{} {}: the annotation {} is {text:?}, which is no integer from 0 to 100: it counts for nothing",
                about.0,
                about.1.to_string().trim_start_matches('/'),
                weight::ANNOTATION,
            );
            self.misread.insert(about, text);
        }
    }

    fn slices(&self) -> impl Iterator<Item = &Slice> {
        self.services
            .values()
            .flat_map(|entry| entry.slices.values())
    }

    fn forget_if_empty(&mut self, name: &ServiceName) {
        let empty = |entry: &Entry| entry.service.is_none() && entry.slices.is_empty();
        if self.services.get(name).is_some_and(empty) {
            self.services.remove(name);
        }
    }
}

#[derive(Deserialize, Default)]
struct NodeView {
    metadata: NodeMetadata,
    spec: Option<NodeSpec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct NodeMetadata {
    labels: Option<NodeLabels>,
    deletion_timestamp: Option<String>,
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct NodeSpec {
    taints: Option<Vec<NodeTaint>>,
}

#[derive(Deserialize)]
struct NodeTaint {
    key: String,
}

#[derive(Deserialize)]
struct NodeLabels {
    #[serde(rename = "topology.kubernetes.io/zone")]
    zone: Option<String>,
}

impl NodeView {
    fn leaves(&self) -> bool {
        let taints = self.spec.as_ref().and_then(|spec| spec.taints.as_ref());
        self.metadata.deletion_timestamp.is_some()
            || taints
                .into_iter()
                .flatten()
                .any(|taint| taint.key == TO_BE_DELETED)
    }

    fn zone(self) -> String {
        self.metadata
            .labels
            .and_then(|labels| labels.zone)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
