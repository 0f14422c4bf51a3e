//! What the endpoints controller remembers: Pods in short, everything else as the bytes that the store holds anyway.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kedge_client::Json;
use kedge_client::{Change, Resource};
use kedge_machinery::Object;

use super::slice::{LABEL_MANAGED_BY, LABEL_SERVICE, WEIGHT};
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
    services: BTreeMap<String, Selected>,
    pods: BTreeMap<String, Pod>,
    /// Services by one label of their selector, so that a Pod finds those that may select it by its own labels.
    selectors: HashMap<(String, String), BTreeSet<String>>,
    /// By Service and name.
    slices: BTreeMap<(String, String), Held>,
    /// The Service of each slice.
    slice_services: HashMap<String, String>,
    endpoints: BTreeMap<String, Held>,
}

/// A Service and the Pods that it selects.
#[derive(Default)]
struct Selected {
    /// Empty where it selects none.
    labels: BTreeMap<String, String>,
    pods: BTreeSet<String>,
    bytes: Json,
}

/// An object that was made here.
struct Held {
    resource_version: String,
    bytes: Json,
}

fn selects(selector: &BTreeMap<String, String>, pod: &Pod) -> bool {
    let labels = &pod.metadata.labels;
    !selector.is_empty()
        && selector
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
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
            .and_then(view::read::<MetaOnly>)
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
    pub(super) fn selected(
        &self,
        namespace: &str,
        service: &str,
    ) -> impl Iterator<Item = &Pod> + Clone {
        let space = self.namespaces.get(namespace);
        let selected = space.and_then(|space| space.services.get(service));
        let names = selected.into_iter().flat_map(|selected| &selected.pods);
        names.filter_map(move |name| space?.pods.get(name))
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
            .filter_map(|(_, held)| Object::from_value(view::read(&held.bytes)?))
            .collect()
    }

    pub(super) fn endpoints(&self, namespace: &str, name: &str) -> Option<Object> {
        let held = self.namespaces.get(namespace)?.endpoints.get(name)?;
        Object::from_value(view::read(&held.bytes)?)
    }
}

impl Namespace {
    fn is_empty(&self) -> bool {
        self.services.is_empty()
            && self.pods.is_empty()
            && self.slices.is_empty()
            && self.endpoints.is_empty()
    }

    /// The Services that select a Pod.
    fn selecting(&self, pod: &Pod) -> BTreeSet<String> {
        let pairs = pod
            .metadata
            .labels
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()));
        let candidates = pairs.filter_map(|pair| self.selectors.get(&pair)).flatten();
        let labels = |name: &str| self.services.get(name).map(|selected| &selected.labels);
        candidates
            .filter(|name| labels(name).is_some_and(|labels| selects(labels, pod)))
            .cloned()
            .collect()
    }

    fn pod(&mut self, name: &str, object: Option<&Json>) -> BTreeSet<String> {
        let new = object.and_then(view::read::<Pod>).map(short);
        let old = match &new {
            Some(pod) => self.pods.insert(name.into(), pod.clone()),
            None => self.pods.remove(name),
        };
        if old == new {
            return BTreeSet::new();
        }
        let before = old.map(|pod| self.selecting(&pod)).unwrap_or_default();
        let now = new.map(|pod| self.selecting(&pod)).unwrap_or_default();
        for service in before.difference(&now) {
            self.services
                .get_mut(service)
                .map(|selected| selected.pods.remove(name));
        }
        for service in now.difference(&before) {
            self.services
                .get_mut(service)
                .map(|selected| selected.pods.insert(name.into()));
        }
        before.into_iter().chain(now).collect()
    }

    fn service(&mut self, name: &str, object: Option<&Json>) -> BTreeSet<String> {
        let new = object.and_then(|bytes| Some((bytes, view::read::<Service>(bytes)?)));
        let labels = new.as_ref().filter(|(_, service)| service.selects());
        let labels = labels
            .map(|(_, service)| service.spec.selector.clone())
            .unwrap_or_default();
        self.reselect(name, labels);
        match new {
            Some((bytes, _)) => self.services.entry(name.into()).or_default().bytes = bytes.clone(),
            None => {
                self.services.remove(name);
            }
        }
        [name.to_string()].into()
    }

    /// Gives a Service another selector.
    fn reselect(&mut self, name: &str, labels: BTreeMap<String, String>) {
        let before = self
            .services
            .get(name)
            .map(|selected| selected.labels.clone())
            .unwrap_or_default();
        if before == labels {
            return;
        }
        if let Some(pair) = before.into_iter().next()
            && let Some(services) = self.selectors.get_mut(&pair)
        {
            services.remove(name);
            if services.is_empty() {
                self.selectors.remove(&pair);
            }
        }
        if let Some((key, value)) = labels.iter().next() {
            self.selectors
                .entry((key.clone(), value.clone()))
                .or_default()
                .insert(name.into());
        }
        let pods = self
            .pods
            .iter()
            .filter(|(_, pod)| selects(&labels, pod))
            .map(|(name, _)| name.clone())
            .collect();
        let selected = self.services.entry(name.into()).or_default();
        (selected.labels, selected.pods) = (labels, pods);
    }

    fn slice(&mut self, name: &str, object: Option<&Json>, manager: &str) -> BTreeSet<String> {
        let new = object.and_then(|bytes| Some((bytes, view::read::<MetaOnly>(bytes)?.metadata)));
        let new = new.and_then(|(bytes, mut meta)| {
            let ours = meta
                .labels
                .get(LABEL_MANAGED_BY)
                .is_some_and(|label| label == manager);
            let service = meta.labels.remove(LABEL_SERVICE).filter(|_| ours)?;
            Some((
                service,
                Held {
                    resource_version: meta.resource_version,
                    bytes: bytes.clone(),
                },
            ))
        });
        let old = self.slice_services.remove(name).and_then(|service| {
            let held = self.slices.remove(&(service.clone(), name.to_string()))?;
            Some((service, held.resource_version))
        });
        let mut touched = BTreeSet::new();
        if let Some((service, held)) = new {
            let known = (service.clone(), held.resource_version.clone());
            self.slices
                .insert((service.clone(), name.to_string()), held);
            self.slice_services.insert(name.into(), service.clone());
            // Our own write, once more.
            if old.as_ref() == Some(&known) {
                return touched;
            }
            touched.insert(service);
        }
        touched.extend(old.map(|(service, _)| service));
        touched
    }

    fn legacy(&mut self, name: &str, object: Option<&Json>) -> BTreeSet<String> {
        let new = object.and_then(|bytes| {
            Some((
                bytes,
                view::read::<MetaOnly>(bytes)?.metadata.resource_version,
            ))
        });
        let old = match new.clone() {
            Some((bytes, resource_version)) => self.endpoints.insert(
                name.into(),
                Held {
                    resource_version,
                    bytes: bytes.clone(),
                },
            ),
            None => self.endpoints.remove(name),
        };
        let known =
            old.is_some_and(|old| new.is_some_and(|(_, version)| version == old.resource_version));
        if known {
            BTreeSet::new()
        } else {
            [name.to_string()].into()
        }
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
        mut annotations,
        ..
    } = pod.metadata;
    annotations.retain(|key, _| key == WEIGHT);
    pod.metadata = Meta {
        name,
        namespace,
        uid,
        creation_timestamp,
        deletion_timestamp,
        labels,
        annotations,
        ..Meta::default()
    };
    pod
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::engine::key;

    /// A Pod or Service of few names and labels, or its end.
    fn any_change() -> impl Strategy<Value = Change> {
        let labels = prop::collection::btree_map("[ab]", "[xy]", 0..3);
        (any::<bool>(), "[p-s]", prop::option::weighted(0.8, labels)).prop_map(
            |(is_pod, name, labels)| {
                let resource = if is_pod {
                    Resource::PODS
                } else {
                    Resource::SERVICES
                };
                let object = labels.map(|labels| {
                    let meta = json!({"namespace": "n", "name": name, "labels": labels});
                    json!({"metadata": meta, "spec": {"selector": labels, "type": "ClusterIP"}})
                        .to_string()
                        .into()
                });
                Change {
                    key: key(resource, "n", &name),
                    object,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn the_index_says_what_a_search_would(changes in prop::collection::vec(any_change(), 0..40)) {
            let mut model = Model::new("m");
            let mut pods: BTreeMap<String, Pod> = BTreeMap::new();
            let mut services: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
            let chosen = |pods: &BTreeMap<String, Pod>, selector: &BTreeMap<String, String>| -> Vec<String> {
                pods.iter().filter(|(_, pod)| selects(selector, pod)).map(|(name, _)| name.clone()).collect()
            };
            for change in changes {
                let before = (pods.clone(), services.clone());
                let name = change.key.name.clone();
                if change.key.resource == Resource::PODS {
                    match &change.object {
                        Some(bytes) => drop(pods.insert(name, view::read(bytes).unwrap())),
                        None => drop(pods.remove(&name)),
                    }
                } else {
                    match &change.object {
                        Some(bytes) => drop(services.insert(name, view::read::<Service>(bytes).unwrap().spec.selector)),
                        None => drop(services.remove(&name)),
                    }
                }
                let touched = model.observe(&change);
                for (name, selector) in &services {
                    let found: Vec<String> = model.selected("n", name).map(|pod| pod.metadata.name.clone()).collect();
                    let wanted = chosen(&pods, selector);
                    prop_assert_eq!(&found, &wanted);
                    let had = before.1.get(name).map(|selector| chosen(&before.0, selector)).unwrap_or_default();
                    prop_assert!(had == wanted || touched.contains(&("n".into(), name.clone())), "{name} is not told");
                }
            }
        }
    }
}
