//! Endpoints that people write for Services without a selector, into EndpointSlices
//! (upstream: `pkg/controller/endpointslicemirroring`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kedge_client::Json;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::Object;
use serde_json::{Value, json};

use crate::endpoints::pack::Group;
use crate::endpoints::slice::{
    self, LABEL_MANAGED_BY, LABEL_SERVICE, Owned, TRIGGER_TIME, Template,
};
use crate::engine::{Reconcile, Write, key};
use crate::view::{self, MetaOnly, Service};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// With the value `true`, the author makes the slices.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Endpoints that stand for a lock, of old.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const LABEL_OF_SELECTED: (&str, &str) =
    ("endpoints.kubernetes.io/managed-by", "endpoint-controller");

/// By namespace and name.
type Name = (String, String);

/// The controller.
#[derive(Default)]
pub(crate) struct Mirroring {
    /// Services that leave their endpoints to their author.
    services: BTreeSet<Name>,
    endpoints: BTreeMap<Name, Json>,
    /// The mirrors: by their Service's name, then their own.
    slices: BTreeMap<Name, BTreeMap<String, Json>>,
    /// Which Service each mirror was last counted with: a label may change.
    owners: BTreeMap<Name, String>,
    dirty: BTreeSet<Name>,
}

impl Mirroring {
    fn observe_slice(&mut self, (namespace, slice): Name, object: Option<&Json>) {
        let mirror = object.and_then(|bytes| Some((mirrored(bytes)?, bytes.clone())));
        if let Some(service) = self.owners.remove(&(namespace.clone(), slice.clone())) {
            let owner = (namespace.clone(), service);
            if let Some(slices) = self.slices.get_mut(&owner) {
                slices.remove(&slice);
                if slices.is_empty() {
                    self.slices.remove(&owner);
                }
            }
            self.dirty.insert(owner);
        }
        if let Some((service, bytes)) = mirror {
            let owner = (namespace.clone(), service.clone());
            let slices = self.slices.entry(owner.clone()).or_default();
            slices.insert(slice.clone(), bytes);
            self.owners.insert((namespace, slice), service);
            self.dirty.insert(owner);
        }
    }

    fn reconcile(&self, name: &Name) -> Vec<Write> {
        let about = key(Resource::ENDPOINTS, &name.0, &name.1);
        let slices: Vec<Object> = self
            .slices
            .get(name)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|bytes| Object::from_value(view::read(bytes)?))
            .collect();
        let manual = self.services.contains(name);
        let endpoints = self
            .endpoints
            .get(name)
            .filter(|_| manual)
            .and_then(|bytes| Object::from_value(view::read(bytes)?));
        let Some(endpoints) = endpoints.filter(is_mirrored) else {
            let live = slices.iter().filter(|slice| !slice.is_terminating());
            let target = |slice: &Object| key(Resource::ENDPOINTSLICES, &name.0, slice.name());
            return live
                .map(|slice| Write::delete(&about, target(slice), slice.uid()))
                .collect();
        };
        let kept = |(key, _): &(&str, &str)| *key != TRIGGER_TIME && *key != LAST_APPLIED;
        let owned = |(key, value): (&str, &str)| (key.to_string(), value.to_string());
        let template = Template {
            namespace: &name.0,
            service: &name.1,
            manager: MANAGER,
            labels: endpoints.labels().map(owned).collect(),
            annotations: endpoints.annotations().filter(kept).map(owned).collect(),
            owner: Owned {
                api_version: "v1",
                kind: "Endpoints",
                name: &name.1,
                uid: endpoints.uid(),
            },
        };
        let changed_at = endpoints
            .annotations()
            .find(|(key, _)| *key == TRIGGER_TIME)
            .map_or("", |(_, time)| time);
        slice::writes(&about, &template, groups(&endpoints), slices, changed_at)
    }
}

fn is_mirrored(endpoints: &Object) -> bool {
    !endpoints.is_terminating()
        && endpoints
            .labels()
            .all(|label| label != (SKIP, "true") && label != LABEL_OF_SELECTED)
        && endpoints.annotations().all(|(key, _)| key != LEADER)
}

/// A group for each subset and family.
fn groups(endpoints: &Object) -> Vec<Group> {
    let list = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let subsets = endpoints
        .0
        .get("subsets")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut groups: BTreeMap<(&str, String), Group> = BTreeMap::new();
    for subset in &subsets {
        let mut ports: Vec<Value> = list(subset, "ports").iter().map(port).collect();
        ports.sort_by_cached_key(Value::to_string);
        for (state, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            for address in list(subset, state) {
                let ip = address
                    .get("ip")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let family = if ip.contains(':') { "IPv6" } else { "IPv4" };
                let group = groups.entry((family, format!("{ports:?}")));
                group
                    .or_insert_with(|| Group::new(family, ports.clone()))
                    .endpoints
                    .push(endpoint(&address, ip, ready));
            }
        }
    }
    groups.into_values().collect()
}

fn port(port: &Value) -> Value {
    let mut slice_port = json!({"name": "", "protocol": "TCP"});
    for key in ["name", "port", "protocol", "appProtocol"] {
        if let Some(value) = port.get(key).filter(|value| !value.is_null()) {
            slice_port[key] = value.clone();
        }
    }
    slice_port
}

fn endpoint(address: &Value, ip: &str, ready: bool) -> Value {
    let mut endpoint = json!({"addresses": [ip], "conditions": {"ready": ready}});
    for key in ["hostname", "nodeName", "targetRef"] {
        let given = address
            .get(key)
            .filter(|value| !value.is_null() && value.as_str() != Some(""));
        if let Some(value) = given {
            endpoint[key] = value.clone();
        }
    }
    endpoint
}

impl Reconcile for Mirroring {
    const NAME: &'static str = "endpoint mirroring";

    fn resources(&self) -> Vec<Resource> {
        vec![
            Resource::SERVICES,
            Resource::ENDPOINTS,
            Resource::ENDPOINTSLICES,
        ]
    }

    fn observe(&mut self, change: &Change) {
        let name = (change.key.namespace.clone(), change.key.name.clone());
        if change.key.resource == Resource::ENDPOINTSLICES {
            self.observe_slice(name, change.object.as_ref());
            return;
        }
        if change.key.resource == Resource::SERVICES {
            let service: Option<Service> = change.object.as_ref().and_then(view::read);
            match service {
                Some(service) if service.spec.selector.is_empty() => {
                    self.services.insert(name.clone())
                }
                _ => self.services.remove(&name),
            };
        } else if let Some(bytes) = change.object.as_ref().filter(|bytes| is_candidate(bytes)) {
            self.endpoints.insert(name.clone(), bytes.clone());
        } else {
            self.endpoints.remove(&name);
        }
        self.dirty.insert(name);
    }

    async fn plan(&mut self, _: &SharedClient, _: Timestamp) -> Vec<Write> {
        std::mem::take(&mut self.dirty)
            .iter()
            .flat_map(|name| self.reconcile(name))
            .collect()
    }

    fn again(&mut self, about: &ObjectKey) {
        self.dirty
            .insert((about.namespace.clone(), about.name.clone()));
    }
}

/// Endpoints that a Service's selector made are none of ours, and most.
fn is_candidate(bytes: &Json) -> bool {
    let labels = view::read::<MetaOnly>(bytes)
        .map(|object| object.metadata.labels)
        .unwrap_or_default();
    labels
        .get(LABEL_OF_SELECTED.0)
        .is_none_or(|value| value != LABEL_OF_SELECTED.1)
}

/// The Service whose Endpoints a slice mirrors.
fn mirrored(bytes: &Json) -> Option<String> {
    let mut labels = view::read::<MetaOnly>(bytes)?.metadata.labels;
    let ours = labels
        .get(LABEL_MANAGED_BY)
        .is_some_and(|manager| manager == MANAGER);
    labels.remove(LABEL_SERVICE).filter(|_| ours)
}

#[cfg(test)]
mod tests;
