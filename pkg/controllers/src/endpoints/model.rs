//! What the endpoints controller remembers: Pods in short, everything else as the bytes that the store holds anyway.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use kedge_client::{Change, Resource};
use kedge_machinery::Object;

use super::slice::{LABEL_MANAGED_BY, LABEL_SERVICE};
use crate::view::{self, Meta, MetaOnly, Pod, Service};

const ZONE: &str = "topology.kubernetes.io/zone";

/// A Service, by namespace and name.
pub(super) type Name = (String, String);

pub(super) struct Model {
    /// The `managed-by` of the slices that count.
    manager: &'static str,
    namespaces: HashMap<String, Namespace>,
    /// The zone of each Node that has one.
    zones: HashMap<String, String>,
}

#[derive(Default)]
struct Namespace {
    services: BTreeMap<String, Selector>,
    pods: BTreeMap<String, Pod>,
    /// By Service and name.
    slices: BTreeMap<(String, String), Bytes>,
    /// The Service of each slice.
    slice_services: HashMap<String, String>,
    endpoints: BTreeMap<String, Bytes>,
}

/// A Service, with what is asked most often of it.
struct Selector {
    labels: BTreeMap<String, String>,
    bytes: Bytes,
}

impl Selector {
    fn matches(&self, pod: &Pod) -> bool {
        !self.labels.is_empty()
            && self
                .labels
                .iter()
                .all(|(key, value)| pod.metadata.labels.get(key) == Some(value))
    }
}

impl Model {
    pub(super) fn new(manager: &'static str) -> Self {
        Self {
            manager,
            namespaces: HashMap::new(),
            zones: HashMap::new(),
        }
    }

    /// Takes a change in; the Services that it concerns.
    pub(super) fn observe(&mut self, change: &Change) -> BTreeSet<Name> {
        let kind = change.key.resource;
        if kind == Resource::NODES {
            return self.node(change);
        }
        let space = self
            .namespaces
            .entry(change.key.namespace.clone())
            .or_default();
        let name = change.key.name.as_str();
        let touched = if kind == Resource::PODS {
            space.pod(name, change.object.as_ref())
        } else if kind == Resource::SERVICES {
            space.service(name, change.object.as_ref())
        } else if kind == Resource::ENDPOINTSLICES {
            space.slice(name, change.object.as_ref(), self.manager)
        } else {
            space.legacy(name, change.object.as_ref())
        };
        if space.is_empty() {
            self.namespaces.remove(&change.key.namespace);
        }
        touched
            .into_iter()
            .map(|service| (change.key.namespace.clone(), service))
            .collect()
    }

    /// A Node's zone moves with all its Pods.
    fn node(&mut self, change: &Change) -> BTreeSet<Name> {
        let name = &change.key.name;
        let labels = change
            .object
            .as_ref()
            .and_then(|bytes| view::read::<MetaOnly>(bytes))
            .unwrap_or_default();
        let zone = labels.metadata.labels.get(ZONE).cloned();
        let before = match &zone {
            Some(zone) => self.zones.insert(name.clone(), zone.clone()),
            None => self.zones.remove(name),
        };
        if before == zone {
            return BTreeSet::new();
        }
        let touched = self.namespaces.iter().flat_map(|(namespace, space)| {
            let pods = space.pods.values().filter(|pod| pod.node_name() == name);
            pods.flat_map(|pod| space.selecting(pod))
                .map(|service| (namespace.clone(), service))
        });
        touched.collect()
    }

    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<Service> {
        view::read(&self.namespaces.get(namespace)?.services.get(name)?.bytes)
    }

    /// The Pods that a Service selects, in the order of their names.
    pub(super) fn selected<'a>(
        &'a self,
        namespace: &str,
        service: &'a Service,
    ) -> impl Iterator<Item = &'a Pod> + Clone {
        let pods = self
            .namespaces
            .get(namespace)
            .into_iter()
            .flat_map(|space| space.pods.values());
        let selector = &service.spec.selector;
        pods.filter(move |pod| {
            selector
                .iter()
                .all(|(key, value)| pod.metadata.labels.get(key) == Some(value))
        })
    }

    pub(super) fn zone(&self, node: &str) -> Option<&str> {
        self.zones.get(node).map(String::as_str)
    }

    /// A Service's slices.
    pub(super) fn slices(&self, namespace: &str, service: &str) -> Vec<Object> {
        let from = (service.to_string(), String::new());
        self.namespaces
            .get(namespace)
            .into_iter()
            .flat_map(|space| space.slices.range(from.clone()..))
            .take_while(|((owner, _), _)| owner == service)
            .filter_map(|(_, bytes)| Object::from_value(view::read(bytes)?))
            .collect()
    }

    pub(super) fn endpoints(&self, namespace: &str, name: &str) -> Option<Object> {
        Object::from_value(view::read(
            self.namespaces.get(namespace)?.endpoints.get(name)?,
        )?)
    }
}

impl Namespace {
    fn is_empty(&self) -> bool {
        self.services.is_empty()
            && self.pods.is_empty()
            && self.slices.is_empty()
            && self.endpoints.is_empty()
    }

    fn selecting<'a>(&'a self, pod: &'a Pod) -> impl Iterator<Item = String> + 'a {
        self.services
            .iter()
            .filter(|(_, selector)| selector.matches(pod))
            .map(|(name, _)| name.clone())
    }

    fn pod(&mut self, name: &str, object: Option<&Bytes>) -> BTreeSet<String> {
        let new = object.and_then(|bytes| view::read::<Pod>(bytes)).map(short);
        let old = match &new {
            Some(pod) => self.pods.insert(name.into(), pod.clone()),
            None => self.pods.remove(name),
        };
        if old == new {
            return BTreeSet::new();
        }
        old.iter()
            .chain(&new)
            .flat_map(|pod| self.selecting(pod))
            .collect()
    }

    fn service(&mut self, name: &str, object: Option<&Bytes>) -> BTreeSet<String> {
        match object.and_then(|bytes| Some((bytes, view::read::<Service>(bytes)?))) {
            Some((bytes, service)) => {
                let labels = if service.selects() {
                    service.spec.selector
                } else {
                    BTreeMap::new()
                };
                self.services.insert(
                    name.into(),
                    Selector {
                        labels,
                        bytes: bytes.clone(),
                    },
                );
            }
            None => {
                self.services.remove(name);
            }
        }
        [name.to_string()].into()
    }

    fn slice(&mut self, name: &str, object: Option<&Bytes>, manager: &str) -> BTreeSet<String> {
        let new = object
            .and_then(|bytes| Some((bytes, view::read::<MetaOnly>(bytes)?.metadata.labels)))
            .and_then(|(bytes, mut labels)| {
                let ours = labels
                    .get(LABEL_MANAGED_BY)
                    .is_some_and(|label| label == manager);
                ours.then(|| labels.remove(LABEL_SERVICE).map(|service| (bytes, service)))?
            });
        let mut touched = BTreeSet::new();
        if let Some(service) = self.slice_services.remove(name) {
            self.slices.remove(&(service.clone(), name.to_string()));
            touched.insert(service);
        }
        if let Some((bytes, service)) = new {
            self.slices
                .insert((service.clone(), name.to_string()), bytes.clone());
            self.slice_services.insert(name.into(), service.clone());
            touched.insert(service);
        }
        touched
    }

    fn legacy(&mut self, name: &str, object: Option<&Bytes>) -> BTreeSet<String> {
        match object {
            Some(bytes) => self.endpoints.insert(name.into(), bytes.clone()),
            None => self.endpoints.remove(name),
        };
        [name.to_string()].into()
    }
}

/// Without what no endpoint shows: it would take memory, and make changes of what is none.
fn short(mut pod: Pod) -> Pod {
    let Meta {
        name,
        namespace,
        uid,
        creation_timestamp,
        deletion_timestamp,
        labels,
        ..
    } = pod.metadata;
    pod.metadata = Meta {
        name,
        namespace,
        uid,
        creation_timestamp,
        deletion_timestamp,
        labels,
        ..Meta::default()
    };
    pod
}
