//! The endpoints that a Service should have.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::pack::Group;
use super::slice::WEIGHT;
use crate::view::{Pod, Service, ServicePort, TargetPort};

/// The endpoints of a Service's Pods, together where they share family, ports and weight. Each family that the Service has gets a group, be it
/// an empty one.
pub(super) fn groups<'a, 'z>(
    service: &Service,
    pods: impl Iterator<Item = &'a Pod> + Clone,
    zone: impl Fn(&str) -> Option<&'z str>,
) -> Vec<Group> {
    let mut groups = Vec::new();
    for family in service.families() {
        let mut by_ports: BTreeMap<(Option<&str>, String), Group> = BTreeMap::new();
        for pod in pods.clone().filter(|pod| !pod.is_terminal()) {
            let addresses: Vec<&str> = pod
                .ips()
                .filter(|ip| ip.contains(':') == (family == "IPv6"))
                .collect();
            if addresses.is_empty() {
                continue;
            }
            let ports = ports(service, pod);
            let weight = pod.metadata.annotations.get(WEIGHT).map(String::as_str);
            let key = (weight, Value::from(ports.clone()).to_string());
            let group = by_ports.entry(key).or_insert_with(|| Group {
                weight: weight.map(str::to_owned),
                ..Group::new(family, ports)
            });
            group
                .endpoints
                .push(endpoint(service, pod, &addresses, zone(pod.node_name())));
        }
        if by_ports.is_empty() {
            groups.push(Group::new(family, Vec::new()));
        }
        groups.extend(by_ports.into_values());
    }
    groups
}

/// When the newest of what the endpoints show came to be; RFC 3339, or empty.
pub(super) fn changed_at<'a>(service: &'a Service, pods: impl Iterator<Item = &'a Pod>) -> String {
    let times = pods
        .map(Pod::changed_at)
        .chain([service.metadata.creation_timestamp.as_str()]);
    times.max().unwrap_or_default().to_string()
}

/// The ports on which a Pod serves a Service; those that it has no name for are left out.
fn ports(service: &Service, pod: &Pod) -> Vec<Value> {
    let port = |port: &ServicePort| {
        let number = target(port, pod)?;
        let mut value = json!({"name": port.name, "port": number, "protocol": port.protocol()});
        if let Some(app) = &port.app_protocol {
            value["appProtocol"] = json!(app);
        }
        Some(value)
    };
    service.spec.ports.iter().filter_map(port).collect()
}

/// The number on which a Pod serves a port of a Service.
pub(super) fn target(port: &ServicePort, pod: &Pod) -> Option<u16> {
    match &port.target_port {
        None | Some(TargetPort::Number(0)) => Some(port.port),
        Some(TargetPort::Number(number)) => Some(*number),
        Some(TargetPort::Name(name)) => pod.port(name, port.protocol()),
    }
}

fn endpoint(service: &Service, pod: &Pod, addresses: &[&str], zone: Option<&str>) -> Value {
    let serving = pod.is_ready();
    let terminating = pod.is_terminating();
    let ready = service.spec.publish_not_ready_addresses || (serving && !terminating);
    let mut endpoint = json!({
        "addresses": addresses,
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": target_ref(pod),
    });
    if !pod.node_name().is_empty() {
        endpoint["nodeName"] = json!(pod.node_name());
    }
    if let Some(zone) = zone {
        endpoint["zone"] = json!(zone);
    }
    if ready && let Some(hints) = hints(service, pod.node_name(), zone) {
        endpoint["hints"] = hints;
    }
    if let Some(hostname) = pod.hostname_in(&service.metadata.name) {
        endpoint["hostname"] = json!(hostname);
    }
    endpoint
}

/// Whom an endpoint is meant for, by the Service's `trafficDistribution` (KEP-4444, KEP-3015): those in its own zone, and
/// for PreferSameNode those on its own node.
fn hints(service: &Service, node: &str, zone: Option<&str>) -> Option<Value> {
    let same_node = match service.spec.traffic_distribution.as_deref()? {
        "PreferClose" | "PreferSameZone" => false,
        "PreferSameNode" => true,
        _ => return None,
    };
    let mut hints = Map::new();
    if let Some(zone) = zone {
        hints.insert("forZones".into(), json!([{"name": zone}]));
    }
    if same_node && !node.is_empty() {
        hints.insert("forNodes".into(), json!([{"name": node}]));
    }
    (!hints.is_empty()).then(|| hints.into())
}

pub(super) fn target_ref(pod: &Pod) -> Value {
    let meta = &pod.metadata;
    json!({"kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid})
}
