//! What a Service holds, as keys of the store.

use std::collections::BTreeSet;
use std::net::IpAddr;

use kedge_machinery::Object;
use serde_json::{Value, json};

use super::Family;
use crate::keys;
use crate::strategy::service::spec::Spec;

/// One address or port that one Service holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Claim {
    Address(IpAddr),
    /// A node port or a health-check node port, of every protocol.
    Port(u16),
}

impl Claim {
    pub(crate) fn key(self) -> String {
        match self {
            Self::Address(address) => keys::cluster_ip(address),
            Self::Port(port) => keys::node_port(port),
        }
    }
}

/// Everything that a Service holds; a function of what it says.
pub(crate) fn claims(service: &Object) -> BTreeSet<Claim> {
    let spec = Spec::of(service);
    let mut held = BTreeSet::new();
    if spec.needs_cluster_ip() {
        held.extend(
            spec.cluster_ips()
                .iter()
                .filter_map(|ip| ip.parse().ok())
                .map(Claim::Address),
        );
    }
    if spec.needs_node_ports() {
        let health = spec
            .needs_health_check()
            .then(|| spec.health_check_node_port());
        let ports = spec
            .node_ports()
            .into_iter()
            .chain(health)
            .filter(|port| *port != 0);
        held.extend(
            ports
                .filter_map(|port| u16::try_from(port).ok())
                .map(Claim::Port),
        );
    }
    held
}

/// The claim on an address as the API shows it: `networking.k8s.io/v1` `IPAddress` (KEP-1880), as kube-apiserver makes it, whose allocator
/// is a client of its own.
pub(crate) fn ip_address(address: IpAddr, service: &Object, uid: &str, now: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {
            "name": address.to_string(),
            "uid": uid,
            "creationTimestamp": now,
            "labels": {
                "ipaddress.kubernetes.io/ip-family": Family::of(address).as_str(),
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
            "managedFields": [{
                "apiVersion": "networking.k8s.io/v1",
                "fieldsType": "FieldsV1",
                "fieldsV1": {
                    "f:metadata": {"f:labels": {
                        ".": {},
                        "f:ipaddress.kubernetes.io/ip-family": {},
                        "f:ipaddress.kubernetes.io/managed-by": {},
                    }},
                    "f:spec": {"f:parentRef": {".": {}, "f:name": {}, "f:namespace": {}, "f:resource": {}}},
                },
                "manager": "kube-apiserver",
                "operation": "Update",
                "time": now,
            }],
        },
        "spec": {"parentRef": {
            "resource": "services", "namespace": service.namespace(), "name": service.name(),
        }},
    })
}

/// The claim on a port: who holds it, for a person who looks into the store.
pub(crate) fn port_holder(service: &Object) -> Vec<u8> {
    json!({"resource": "services", "namespace": service.namespace(), "name": service.name()})
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_follow_the_type() {
        let spec = json!({
            "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30300,
            "clusterIPs": ["10.0.0.1", "fd00::1"],
            "ports": [{"nodePort": 30080, "protocol": "TCP"}, {"nodePort": 30080, "protocol": "UDP"}, {}],
        });
        let held = |kind: &str| -> Vec<String> {
            let mut spec = spec.clone();
            spec["type"] = kind.into();
            claims(&Object::from_value(json!({"spec": spec})).unwrap())
                .into_iter()
                .map(Claim::key)
                .collect()
        };
        let addresses = [
            "/registry/networking.k8s.io/ipaddresses/10.0.0.1",
            "/registry/networking.k8s.io/ipaddresses/fd00::1",
        ];
        let with = |ports: &[&'static str]| -> Vec<String> {
            addresses
                .iter()
                .copied()
                .chain(ports.iter().copied())
                .map(String::from)
                .collect()
        };
        assert_eq!(held("ClusterIP"), with(&[]));
        assert_eq!(held("NodePort"), with(&["/kedge/nodeports/30080"]));
        assert_eq!(
            held("LoadBalancer"),
            with(&["/kedge/nodeports/30080", "/kedge/nodeports/30300"])
        );
        assert!(held("ExternalName").is_empty());
        let headless =
            Object::from_value(json!({"spec": {"type": "ClusterIP", "clusterIPs": ["None"]}}))
                .unwrap();
        assert!(claims(&headless).is_empty());
    }
}
