//! A Service, as controllers look at it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Meta, nullable};

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    pub metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    pub spec: Spec,
    #[serde(deserialize_with = "nullable")]
    status: Status,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(deserialize_with = "nullable")]
    pub selector: BTreeMap<String, String>,
    #[serde(rename = "clusterIP")]
    pub cluster_ip: String,
    #[serde(deserialize_with = "nullable")]
    pub ip_families: Vec<String>,
    pub ip_family_policy: String,
    #[serde(deserialize_with = "nullable")]
    pub ports: Vec<ServicePort>,
    pub publish_not_ready_addresses: bool,
    pub traffic_distribution: Option<String>,
    #[serde(rename = "loadBalancerIP")]
    pub load_balancer_ip: String,
    pub load_balancer_class: Option<String>,
    pub external_traffic_policy: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ServicePort {
    pub name: String,
    pub protocol: String,
    pub port: u16,
    pub node_port: u16,
    pub target_port: Option<TargetPort>,
    pub app_protocol: Option<String>,
}

/// A number, or the name of a container's port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum TargetPort {
    Number(u16),
    Name(String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[serde(deserialize_with = "nullable")]
    load_balancer: LoadBalancer,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    #[serde(deserialize_with = "nullable")]
    ingress: Vec<Ingress>,
}

/// An address by which a load balancer is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Ingress {
    pub ip: String,
    pub hostname: String,
    pub ip_mode: String,
}

impl Service {
    pub(crate) fn is_headless(&self) -> bool {
        self.spec.cluster_ip == "None"
    }

    pub(crate) fn is_load_balancer(&self) -> bool {
        self.spec.kind == "LoadBalancer"
    }

    /// Its endpoints are for a controller to find.
    pub(crate) fn selects(&self) -> bool {
        !self.spec.selector.is_empty() && self.spec.kind != "ExternalName"
    }

    /// `IPv4` and `IPv6`, the primary first. Where the server gave none: the family of its address.
    pub(crate) fn families(&self) -> Vec<&str> {
        if !self.spec.ip_families.is_empty() {
            return self.spec.ip_families.iter().map(String::as_str).collect();
        }
        vec![if self.spec.cluster_ip.contains(':') {
            "IPv6"
        } else {
            "IPv4"
        }]
    }

    /// `status.loadBalancer.ingress`.
    pub(crate) fn ingress(&self) -> &[Ingress] {
        &self.status.load_balancer.ingress
    }
}

impl ServicePort {
    /// TCP where the server gave none.
    pub(crate) fn protocol(&self) -> &str {
        if self.protocol.is_empty() {
            "TCP"
        } else {
            &self.protocol
        }
    }
}
