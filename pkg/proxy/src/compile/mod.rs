//! One Service with its EndpointSlices into a plan. Pure.

mod endpoints;
mod health;
mod plan;
mod shares;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::{Masquerade, ProxyConfig, of_family};
use crate::family::Family;
use crate::layout::Flags;
use crate::model::{Entry, Nodes, Policy, Service, ServicePort};

pub use health::HealthCheck;
pub use plan::{Front, PortId, PortPlan, PortSpec, Role, ServicePlan, Target};

/// What a plan depends on besides its objects.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub node_name: &'a str,
    /// The own node's zone; empty when unknown.
    pub zone: &'a str,
    /// All addresses of the node.
    pub node_addresses: &'a [IpAddr],
    pub config: &'a ProxyConfig,
    /// For the weights of those that endpoints are on.
    pub nodes: &'a Nodes,
}

/// What `entry` needs on this node.
pub fn compile(entry: &Entry, context: &Context<'_>) -> ServicePlan {
    let Some(service) = &entry.service else {
        return ServicePlan::default();
    };
    let mut ports = Vec::new();
    for family in Family::ALL.into_iter().filter(|f| service.is_of(*f)) {
        for port in &service.ports {
            let spec = spec(service, port, family, context);
            if spec.fronts.is_empty() {
                continue;
            }
            let cluster = spec.internal.policy == Policy::Cluster || has_external(service, port);
            let slices = entry.slices.values();
            let chosen =
                endpoints::choose(slices, port, family, (cluster, spec.uses_local()), context);
            ports.push(PortPlan {
                spec: PortSpec {
                    any: chosen.any,
                    hairpins: chosen.hairpins.into(),
                    draining: chosen.draining.into(),
                    ..spec
                },
                cluster: chosen.cluster,
                local: chosen.local,
            });
        }
    }
    settle_fronts(&mut ports);
    ServicePlan {
        cluster_ips: service.cluster_ips.to_vec(),
        ports,
        health_check: health::health_check(service, entry),
    }
}

/// Whether anybody outside can ask for this port.
fn has_external(service: &Service, port: &ServicePort) -> bool {
    port.node_port.is_some()
        || !service.external_ips.is_empty()
        || !service.load_balancer_ips.is_empty()
}

/// Where two ports of the Service are asked at the same address and port, the better role has it.
fn settle_fronts(ports: &mut [PortPlan]) {
    let mut all: Vec<(Role, usize, usize)> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        all.extend(
            port.spec
                .fronts
                .iter()
                .enumerate()
                .map(|(f, front)| (front.role, index, f)),
        );
    }
    all.sort_unstable();
    let mut seen = HashSet::with_capacity(all.len());
    let mut lost = Vec::new();
    for (_, index, f) in all {
        let spec = &ports[index].spec;
        let front = spec.fronts[f];
        if !seen.insert((spec.id.protocol, front.address, front.port)) {
            lost.push((index, f));
        }
    }
    // From behind, so that indices stay true.
    lost.sort_unstable_by(|a, b| b.cmp(a));
    for (index, f) in lost {
        let spec = &mut ports[index].spec;
        let mut fronts = std::mem::take(&mut spec.fronts).into_vec();
        fronts.remove(f);
        spec.fronts = fronts.into();
    }
}

fn spec(service: &Service, port: &ServicePort, family: Family, context: &Context<'_>) -> PortSpec {
    let config = context.config;
    let source_ranges = source_ranges(service, family, context);
    let off_cluster = of_family(&config.cluster_cidrs, family)
        .next()
        .map(|_| Flags::MASQUERADE_OFF_CLUSTER);
    let internal = match config.masquerade {
        Masquerade::All => Flags::MASQUERADE,
        Masquerade::OffCluster => off_cluster.unwrap_or(Flags::NONE),
    };
    PortSpec {
        id: PortId {
            family,
            protocol: port.protocol,
            port: port.port,
        },
        fronts: fronts(service, port, family, !source_ranges.is_empty(), context),
        internal: Target {
            policy: service.internal_policy,
            flags: internal,
        },
        external: Target {
            policy: service.external_policy,
            flags: match service.external_policy {
                Policy::Cluster => Flags::MASQUERADE,
                Policy::Local => Flags::NONE,
            },
        },
        // Without a cluster range, only the node itself counts as inside.
        inside: off_cluster.unwrap_or(Flags::MASQUERADE),
        source_ranges,
        affinity: service.affinity,
        any: false,
        hairpins: Box::default(),
        draining: Box::default(),
    }
}

fn fronts(
    service: &Service,
    port: &ServicePort,
    family: Family,
    guarded: bool,
    context: &Context<'_>,
) -> Box<[Front]> {
    let service_cidrs = &context.config.service_cidrs;
    let own = |list: &[IpAddr], port: u16, role: Role| -> Vec<Front> {
        list.iter()
            .filter(|address| Family::of(**address) == family)
            .map(|&address| Front {
                address,
                port,
                role,
                vacant: service_cidrs.iter().any(|cidr| cidr.contains(&address)),
            })
            .collect()
    };
    let mut fronts = own(&service.cluster_ips, port.port, Role::Internal);
    let balanced = if guarded {
        Role::Guarded
    } else {
        Role::External
    };
    fronts.extend(own(&service.load_balancer_ips, port.port, balanced));
    fronts.extend(own(&service.external_ips, port.port, Role::External));
    if let Some(number) = port.node_port {
        let open = context.config.node_ports.select(context.node_addresses);
        let addresses: Vec<IpAddr> = open.collect();
        let role = if guarded && context.config.node_ports.guarded {
            Role::GuardedNodePort
        } else {
            Role::NodePort
        };
        fronts.extend(own(&addresses, number, role));
    }
    fronts.into()
}

/// `loadBalancerSourceRanges` of one family, without overlap. When a node address is among them,
/// the load balancer's own addresses are too: a client on this node may have one of them as its
/// source.
fn source_ranges(service: &Service, family: Family, context: &Context<'_>) -> Box<[IpNet]> {
    let mut ranges: Vec<IpNet> = of_family(&service.source_ranges, family).collect();
    let node_allowed = context
        .node_addresses
        .iter()
        .any(|address| ranges.iter().any(|range| range.contains(address)));
    if node_allowed {
        let balanced = service.load_balancer_ips.iter();
        ranges.extend(
            balanced
                .filter(|ip| Family::of(**ip) == family)
                .map(|ip| IpNet::from(*ip)),
        );
    }
    IpNet::aggregate(&ranges).into()
}
