//! What the proxy must be told.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::family::Family;

/// Settings of a [`Proxy`](crate::Proxy). The default has no ranges, and takes every node address
/// for node ports.
#[derive(Debug, Clone, Default)]
pub struct ProxyConfig {
    /// The own node: endpoints with this `nodeName` are local.
    pub node_name: String,
    /// Ranges that cluster IPs come from. Packets to an address of theirs that no Service has are
    /// dropped.
    pub service_cidrs: Vec<IpNet>,
    /// Ranges that workloads have their addresses from. A family without one has no notion of
    /// "inside the cluster", as kube-proxy without `--cluster-cidr`.
    pub cluster_cidrs: Vec<IpNet>,
    pub masquerade: Masquerade,
    pub node_ports: NodePorts,
}

/// Which connections to a cluster IP get this node's address as their source. Connections from
/// outside to a node port, an external IP or a load balancer's address always do, unless
/// `externalTrafficPolicy` is Local.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Masquerade {
    /// Those whose source is not in a cluster range.
    #[default]
    OffCluster,
    /// All (`--masquerade-all`).
    All,
}

/// On which of the node's addresses node ports are open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodePorts {
    /// Only on addresses in these ranges. When empty: on every node address but loopback and
    /// link-local ones.
    pub cidrs: Vec<IpNet>,
}

impl NodePorts {
    /// Whether node ports are open on `address`.
    pub fn include(&self, address: IpAddr) -> bool {
        if !self.cidrs.is_empty() {
            return self.cidrs.iter().any(|cidr| cidr.contains(&address));
        }
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || link_local)
    }
}

/// The ranges of one family.
pub fn of_family(cidrs: &[IpNet], family: Family) -> impl Iterator<Item = IpNet> + '_ {
    cidrs
        .iter()
        .copied()
        .filter(move |cidr| Family::of(cidr.addr()) == family)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("192.0.2.1", true)]
    #[case("2001:db8::1", true)]
    #[case("127.0.0.1", false)]
    #[case("::1", false)]
    #[case("fe80::1", false)]
    #[case("169.254.1.1", false)]
    #[case("0.0.0.0", false)]
    fn node_ports_are_open_on_routable_addresses(#[case] address: &str, #[case] open: bool) {
        assert_eq!(NodePorts::default().include(address.parse().unwrap()), open);
    }

    #[test]
    fn given_ranges_decide_alone() {
        let ports = NodePorts {
            cidrs: vec!["127.0.0.0/8".parse().unwrap()],
        };
        assert!(ports.include("127.0.0.1".parse().unwrap()));
        assert!(!ports.include("192.0.2.1".parse().unwrap()));
    }
}
