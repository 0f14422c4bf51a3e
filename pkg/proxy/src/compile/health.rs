//! What a load balancer hears that asks a node for a Service's endpoints (kubernetes
//! `pkg/proxy/healthcheck/service_health.go`).

use std::collections::HashSet;

use crate::family::Family;
use crate::model::{Entry, Place, Policy, Service, Slice, State};

/// A Service's health-check node port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    pub port: u16,
    /// Ready endpoints on this node, in the order of [`Family::ALL`]; `None` in a family that the Service has no address
    /// of.
    pub local: [Option<usize>; 2],
}

/// Only where the external policy is Local does it matter whether a node has endpoints. Those that terminate take what
/// comes and count for nothing: the balancer is to look elsewhere (KEP-1669). Nor do those that no port leads to: nothing
/// that comes could go there.
pub fn health_check(service: &Service, entry: &Entry) -> Option<HealthCheck> {
    let port = service.health_check_node_port?;
    if service.external_policy != Policy::Local {
        return None;
    }
    let is_led_to = |slice: &&Slice| {
        let mut ports = service.ports.iter();
        ports.any(|port| slice.numbers(port).next().is_some())
    };
    let count = |family: Family| {
        service.is_of(family).then(|| {
            let slices = entry.slices.values().filter(|slice| slice.family == family);
            let ready = slices
                .filter(is_led_to)
                .flat_map(|slice| slice.endpoints.iter())
                .filter(|e| e.state == State::Ready && e.place == Place::Here);
            ready.map(|e| e.address).collect::<HashSet<_>>().len()
        })
    };
    Some(HealthCheck {
        port,
        local: Family::ALL.map(count),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::testing::{endpoint, port, slice};

    fn local(policy: Policy) -> Option<[Option<usize>; 2]> {
        let service = Service {
            ports: [port(80)].into(),
            cluster_ips: ["10.43.0.9".parse().unwrap()].into(),
            external_policy: policy,
            health_check_node_port: Some(32_000),
            ..Service::default()
        };
        let mut entry = Entry::default();
        let endpoints = |last: State| {
            vec![
                endpoint(1, State::Ready, Place::Here),
                endpoint(2, State::Ready, Place::Elsewhere),
                endpoint(3, State::Terminating, Place::Here),
                endpoint(4, last, Place::Here),
            ]
        };
        entry
            .slices
            .insert("web-1", slice(endpoints(State::Unusable)));
        // The same ones in another slice: each counts once.
        entry.slices.insert("web-2", slice(endpoints(State::Ready)));
        // Pods that do not have the port by its name.
        let unnamed = Slice {
            ports: Box::default(),
            ..slice(vec![endpoint(5, State::Ready, Place::Here)])
        };
        entry.slices.insert("web-3", unnamed);
        health_check(&service, &entry).map(|check| check.local)
    }

    #[test]
    fn ready_endpoints_of_this_node_count() {
        assert_eq!(local(Policy::Local), Some([Some(2), None]));
        assert_eq!(local(Policy::Cluster), None);
    }
}
