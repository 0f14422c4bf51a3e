//! A Pod, as far as it is an endpoint.

use serde::Deserialize;

use super::{Meta, nullable};

/// What an EndpointSlice says of a Pod, and what selects it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Pod {
    pub metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    spec: Spec,
    #[serde(deserialize_with = "nullable")]
    status: Status,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: String,
    hostname: String,
    subdomain: String,
    #[serde(deserialize_with = "nullable")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "nullable")]
    init_containers: Vec<Container>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    #[serde(deserialize_with = "nullable")]
    ports: Vec<ContainerPort>,
    #[serde(deserialize_with = "nullable")]
    restart_policy: String,
}

/// A named port of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerPort {
    name: String,
    container_port: u16,
    protocol: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: String,
    #[serde(rename = "podIPs", deserialize_with = "nullable")]
    pod_ips: Vec<PodIp>,
    #[serde(deserialize_with = "nullable")]
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct PodIp {
    ip: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    #[serde(deserialize_with = "nullable")]
    last_transition_time: String,
}

impl Pod {
    /// Over for good: never an endpoint.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    pub(crate) fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready()
            .is_some_and(|condition| condition.status == "True")
    }

    fn ready(&self) -> Option<&Condition> {
        self.status
            .conditions
            .iter()
            .find(|condition| condition.kind == "Ready")
    }

    /// When it last became what it is to its Services; RFC 3339, or empty.
    pub(crate) fn changed_at(&self) -> &str {
        let ready = self
            .ready()
            .map(|condition| condition.last_transition_time.as_str());
        ready
            .filter(|time| !time.is_empty())
            .unwrap_or(&self.metadata.creation_timestamp)
    }

    /// Its addresses, as texts, the first first.
    pub(crate) fn ips(&self) -> impl Iterator<Item = &str> {
        let single = (self.status.pod_ips.is_empty() && !self.status.pod_ip.is_empty())
            .then_some(&*self.status.pod_ip);
        self.status
            .pod_ips
            .iter()
            .map(|ip| ip.ip.as_str())
            .filter(|ip| !ip.is_empty())
            .chain(single)
    }

    pub(crate) fn node_name(&self) -> &str {
        &self.spec.node_name
    }

    /// The name that a headless Service of this name gives it in DNS.
    pub(crate) fn hostname_in(&self, service: &str) -> Option<&str> {
        let spec = &self.spec;
        (!spec.hostname.is_empty() && spec.subdomain == service).then_some(spec.hostname.as_str())
    }

    /// The number of a named port (upstream: `podutil.FindPort`): of containers and of init containers that keep running.
    pub(crate) fn port(&self, name: &str, protocol: &str) -> Option<u16> {
        let sidecars = self
            .spec
            .init_containers
            .iter()
            .filter(|container| container.restart_policy == "Always");
        self.spec
            .containers
            .iter()
            .chain(sidecars)
            .flat_map(|container| &container.ports)
            .find(|port| port.name == name && port.has_protocol(protocol))
            .map(|port| port.container_port)
    }
}

impl ContainerPort {
    fn has_protocol(&self, protocol: &str) -> bool {
        let own = if self.protocol.is_empty() {
            "TCP"
        } else {
            &self.protocol
        };
        own == protocol
    }
}
