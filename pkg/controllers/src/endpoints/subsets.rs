//! Endpoints, the kind that EndpointSlices took the place of (upstream: `pkg/controller/endpoint`).

use std::collections::{BTreeMap, BTreeSet};

use kedge_client::{ObjectKey, Resource};
use kedge_machinery::Object;
use serde_json::{Value, json};

use super::desired::{target, target_ref};
use super::slice::{LABEL_HEADLESS, TRIGGER_TIME, service_labels};
use crate::engine::{Write, key};
use crate::view::{Pod, Service};

const LABEL_MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const MANAGER: &str = "endpoint-controller";
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// Addresses in one object, at most (upstream: `maxCapacity`).
const MAX_ADDRESSES: usize = 1000;

/// A Service's subsets: Pods of its first family, together where they share their ports.
pub(super) fn subsets<'a>(service: &Service, pods: impl Iterator<Item = &'a Pod>) -> Vec<Value> {
    let primary = service.families().first().copied() == Some("IPv6");
    let unready = service.spec.publish_not_ready_addresses;
    let mut by_ports: BTreeMap<String, Subset> = BTreeMap::new();
    let mut count = 0;
    for pod in pods.filter(|pod| !pod.is_terminal() && (unready || !pod.is_terminating())) {
        let Some(ip) = pod.ips().find(|ip| ip.contains(':') == primary) else {
            continue;
        };
        let ports = ports(service, pod);
        if (ports.is_empty() && !service.is_headless()) || count == MAX_ADDRESSES {
            continue;
        }
        count += 1;
        let subset = by_ports
            .entry(Value::from(ports.clone()).to_string())
            .or_default();
        subset.ports = ports;
        let list = if unready || pod.is_ready() {
            &mut subset.ready
        } else {
            &mut subset.unready
        };
        list.push(address(service, pod, ip));
    }
    by_ports.into_values().map(Subset::into_value).collect()
}

#[derive(Default)]
struct Subset {
    ports: Vec<Value>,
    ready: Vec<Value>,
    unready: Vec<Value>,
}

impl Subset {
    fn into_value(self) -> Value {
        let mut subset = json!({});
        for (key, list) in [
            ("addresses", self.ready),
            ("notReadyAddresses", self.unready),
            ("ports", self.ports),
        ] {
            if !list.is_empty() {
                subset[key] = list.into();
            }
        }
        subset
    }
}

fn ports(service: &Service, pod: &Pod) -> Vec<Value> {
    let mut ports = Vec::new();
    for port in &service.spec.ports {
        let Some(number) = target(port, pod) else {
            continue;
        };
        let mut value = json!({"port": number, "protocol": port.protocol()});
        if !port.name.is_empty() {
            value["name"] = json!(port.name);
        }
        if let Some(app) = &port.app_protocol {
            value["appProtocol"] = json!(app);
        }
        ports.push(value);
    }
    ports
}

fn address(service: &Service, pod: &Pod, ip: &str) -> Value {
    let mut address = json!({"ip": ip, "targetRef": target_ref(pod)});
    if !pod.node_name().is_empty() {
        address["nodeName"] = json!(pod.node_name());
    }
    if let Some(hostname) = pod.hostname_in(&service.metadata.name) {
        address["hostname"] = json!(hostname);
    }
    address
}

/// The write after which the Endpoints hold these subsets; none where they do.
pub(super) fn write(
    about: &ObjectKey,
    service: &Service,
    subsets: Vec<Value>,
    existing: Option<Object>,
) -> Option<Write> {
    let mut labels = service_labels(service);
    if !service.is_headless() {
        labels.remove(LABEL_HEADLESS);
    }
    labels.insert(LABEL_MANAGED_BY.into(), MANAGER.into());
    let same = existing.as_ref().is_some_and(|endpoints| {
        let has: BTreeMap<&str, &str> = endpoints.labels().collect();
        let wants: BTreeMap<&str, &str> = labels
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        has == wants && addresses(held(endpoints)) == addresses(&subsets)
    });
    if same {
        return None;
    }
    let create = existing.is_none();
    let mut endpoints = existing.unwrap_or_else(|| empty(about));
    let full = subsets.iter().map(count).sum::<usize>() >= MAX_ADDRESSES;
    endpoints.0.insert("subsets".into(), subsets.into());
    let meta = endpoints.meta_mut();
    meta.insert("labels".into(), json!(labels));
    let annotations = kedge_machinery::object::child_mut(meta, "annotations");
    annotations.remove(TRIGGER_TIME);
    annotations.remove(OVER_CAPACITY);
    if full {
        annotations.insert(OVER_CAPACITY.into(), "truncated".into());
    }
    if annotations.is_empty() {
        meta.remove("annotations");
    }
    Some(if create {
        Write::create(about, Resource::ENDPOINTS, endpoints)
    } else {
        Write::update(about, Resource::ENDPOINTS, "", endpoints)
    })
}

/// Removes the Endpoints of a Service that is gone, if they were made here.
pub(super) fn removal(
    about: &ObjectKey,
    endpoints: &Object,
) -> impl Iterator<Item = Write> + use<> {
    let ours = endpoints
        .labels()
        .any(|label| label == (LABEL_MANAGED_BY, MANAGER))
        && !endpoints.is_terminating();
    let target = key(Resource::ENDPOINTS, &about.namespace, &about.name);
    ours.then(|| Write::delete(about, target, endpoints.uid()))
        .into_iter()
}

fn empty(about: &ObjectKey) -> Object {
    let mut endpoints = Object::default();
    endpoints.0.insert("apiVersion".into(), "v1".into());
    endpoints.0.insert("kind".into(), "Endpoints".into());
    let meta = endpoints.meta_mut();
    meta.insert("namespace".into(), about.namespace.clone().into());
    meta.insert("name".into(), about.name.clone().into());
    endpoints
}

fn held(endpoints: &Object) -> &[Value] {
    endpoints
        .0
        .get("subsets")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn count(subset: &Value) -> usize {
    let length = |key: &str| {
        subset
            .get(key)
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    };
    length("addresses") + length("notReadyAddresses")
}

/// Every address with its ports and state, so that the order in which a server keeps them does not matter.
fn addresses(subsets: &[Value]) -> BTreeSet<String> {
    let list = |subset: &Value, key: &str| {
        subset
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let mut all = BTreeSet::new();
    for subset in subsets {
        let mut ports: Vec<String> = list(subset, "ports").iter().map(Value::to_string).collect();
        ports.sort();
        for key in ["addresses", "notReadyAddresses"] {
            all.extend(
                list(subset, key)
                    .iter()
                    .map(|address| format!("{key} {address} {ports:?}")),
            );
        }
    }
    all
}
