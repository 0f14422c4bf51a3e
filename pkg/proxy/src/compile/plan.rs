//! What a Service needs of the kernel, before ids and slots are given out.

use std::net::IpAddr;

use ipnet::IpNet;

use super::HealthCheck;
use crate::family::{Endpoint, Family, Protocol};
use crate::layout::Flags;
use crate::model::Policy;

/// A whole Service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServicePlan {
    /// Cluster IPs, whose other ports are closed.
    pub cluster_ips: Vec<IpAddr>,
    pub ports: Vec<PortPlan>,
    pub health_check: Option<HealthCheck>,
}

/// One port of a Service in one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortPlan {
    pub spec: PortSpec,
    /// Endpoints for the policy Cluster, each as often as it has slots; sorted.
    pub cluster: Vec<Endpoint>,
    /// The same for the policy Local; empty when no policy is Local.
    pub local: Vec<Endpoint>,
}

/// Everything about a port but its endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSpec {
    pub id: PortId,
    /// Where it is asked; each address and port once.
    pub fronts: Box<[Front]>,
    pub internal: Target,
    pub external: Target,
    /// With an external policy Local: what clients in the cluster and on the node get, from all
    /// endpoints.
    pub inside: Flags,
    /// Who may come to fronts that [`Role::is_guarded`]; disjoint.
    pub source_ranges: Box<[IpNet]>,
    /// Seconds for which a client keeps its endpoint.
    pub affinity: Option<u32>,
    /// Whether there is an endpoint anywhere, so that having none here is no reason to say that the
    /// port is closed.
    pub any: bool,
    /// Endpoints' addresses that may come to themselves.
    pub hairpins: Box<[IpAddr]>,
    /// Of a UDP port: endpoints that get no new flows but go on answering old ones; sorted.
    pub draining: Box<[Endpoint]>,
}

/// Identity of a port within its Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId {
    pub family: Family,
    pub protocol: Protocol,
    pub port: u16,
}

/// Which endpoints, and with what flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub policy: Policy,
    pub flags: Flags,
}

/// An address and port that a Service port is asked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Front {
    pub address: IpAddr,
    pub port: u16,
    pub role: Role,
    /// While no Service is asked here, packets are dropped: no flow can be from before.
    pub vacant: bool,
}

/// What kind of address it is. Where two claim the same address and port, the earlier role has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A cluster IP.
    Internal,
    /// A load balancer's address with source ranges.
    Guarded,
    /// An external IP or a load balancer's address.
    External,
    /// A node's address.
    NodePort,
    /// A node's address with source ranges.
    GuardedNodePort,
}

impl Role {
    /// Whether only sources in [`PortSpec::source_ranges`] may come.
    pub fn is_guarded(self) -> bool {
        matches!(self, Self::Guarded | Self::GuardedNodePort)
    }
}

impl ServicePlan {
    /// Whether a policy Local, the internal and the external one, has no endpoint of a family on this node though there are
    /// some elsewhere. An external one counts where somebody outside can ask.
    pub fn lacks_local(&self, family: Family) -> [bool; 2] {
        let of_family = self
            .ports
            .iter()
            .filter(|port| port.spec.id.family == family);
        let empty = of_family.filter(|port| port.local.is_empty() && port.spec.any);
        let mut lacks = [false; 2];
        for PortPlan { spec, .. } in empty {
            lacks[0] |= spec.internal.policy == Policy::Local;
            lacks[1] |= spec.external.policy == Policy::Local && spec.is_external();
        }
        lacks
    }
}

impl PortSpec {
    /// Whether the policy Local has a group of its own.
    pub fn uses_local(&self) -> bool {
        self.internal.policy == Policy::Local
            || self.external.policy == Policy::Local && self.is_external()
    }

    /// Whether it is asked anywhere but at a cluster IP.
    pub fn is_external(&self) -> bool {
        self.fronts.iter().any(|front| front.role != Role::Internal)
    }
}
