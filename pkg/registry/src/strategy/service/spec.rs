//! A Service's spec, read in its own words.

use kedge_machinery::Object;
use serde_json::{Map, Value};

use crate::value::{field, flag, int, list, present, text, texts};

/// The one address that means "no address".
pub(crate) const NONE: &str = "None";

/// A view of `spec`.
#[derive(Clone, Copy)]
pub(crate) struct Spec<'a>(pub(crate) &'a Value);

impl<'a> Spec<'a> {
    pub(crate) fn of(service: &'a Object) -> Self {
        Self(field(&service.0, "spec"))
    }

    /// `type`.
    pub(crate) fn kind(self) -> &'a str {
        text(self.0, "type")
    }

    pub(crate) fn text(self, key: &str) -> &'a str {
        text(self.0, key)
    }

    pub(crate) fn get(self, key: &str) -> Option<&'a Value> {
        present(self.0, key)
    }

    pub(crate) fn ports(self) -> &'a [Value] {
        list(self.0, "ports")
    }

    pub(crate) fn cluster_ip(self) -> &'a str {
        text(self.0, "clusterIP")
    }

    pub(crate) fn cluster_ips(self) -> Vec<&'a str> {
        texts(self.0, "clusterIPs")
    }

    pub(crate) fn families(self) -> Vec<&'a str> {
        texts(self.0, "ipFamilies")
    }

    pub(crate) fn policy(self) -> &'a str {
        text(self.0, "ipFamilyPolicy")
    }

    pub(crate) fn has_selector(self) -> bool {
        self.get("selector")
            .and_then(Value::as_object)
            .is_some_and(|m| !m.is_empty())
    }

    pub(crate) fn is_headless(self) -> bool {
        self.cluster_ips() == [NONE]
    }

    pub(crate) fn is_load_balancer(self) -> bool {
        self.kind() == "LoadBalancer"
    }

    /// Every type but `ExternalName`; "None" counts as an address here.
    pub(crate) fn needs_cluster_ip(self) -> bool {
        self.kind() != "ExternalName"
    }

    pub(crate) fn needs_node_ports(self) -> bool {
        matches!(self.kind(), "NodePort" | "LoadBalancer")
    }

    /// `allocateLoadBalancerNodePorts` may switch new ports off, never requested ones.
    pub(crate) fn allocates_node_ports(self) -> bool {
        self.needs_node_ports()
            && !(self.is_load_balancer() && self.is_false("allocateLoadBalancerNodePorts"))
    }

    fn is_false(self, key: &str) -> bool {
        self.get(key).is_some() && !flag(self.0, key)
    }

    pub(crate) fn needs_health_check(self) -> bool {
        self.is_load_balancer() && self.text("externalTrafficPolicy") == "Local"
    }

    pub(crate) fn health_check_node_port(self) -> i64 {
        int(self.0, "healthCheckNodePort")
    }

    pub(crate) fn is_externally_accessible(self) -> bool {
        self.needs_node_ports()
            || (self.kind() == "ClusterIP" && !list(self.0, "externalIPs").is_empty())
    }

    /// Node ports that are set, in the order of the ports.
    pub(crate) fn node_ports(self) -> Vec<i64> {
        self.ports()
            .iter()
            .map(|p| int(p, "nodePort"))
            .filter(|n| *n != 0)
            .collect()
    }
}

/// `spec` for writing, made when absent.
pub(crate) fn spec_mut(service: &mut Object) -> &mut Map<String, Value> {
    kedge_machinery::object::child_mut(&mut service.0, "spec")
}
