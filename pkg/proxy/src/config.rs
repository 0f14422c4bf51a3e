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
    /// All addresses in these ranges. When empty: the node's primary addresses, the first of each family
    /// (kube-proxy's `--nodeport-addresses primary`).
    pub cidrs: Vec<IpNet>,
    /// `loadBalancerSourceRanges` hold on a LoadBalancer Service's node ports too, which kube-proxy leaves open to all.
    pub guarded: bool,
}

impl NodePorts {
    /// Those of a node's addresses on which node ports are open. Loopback and link-local ones are not what others reach
    /// a node by.
    pub fn select<'a>(&'a self, addresses: &'a [IpAddr]) -> impl Iterator<Item = IpAddr> + 'a {
        let mut seen = [false; 2];
        let outward = addresses.iter().copied().filter(|ip| is_outward(*ip));
        outward.filter(move |ip| {
            if self.cidrs.is_empty() {
                !std::mem::replace(&mut seen[Family::of(*ip) as usize], true)
            } else {
                self.cidrs.iter().any(|cidr| cidr.contains(ip))
            }
        })
    }
}

fn is_outward(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || link_local)
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

    fn selected(cidrs: &[&str], addresses: &[&str]) -> Vec<String> {
        let ports = NodePorts {
            cidrs: cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect(),
            guarded: false,
        };
        let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        let selected = ports.select(&addresses);
        selected.map(|ip| ip.to_string()).collect()
    }

    #[rstest]
    #[case::primary(&[], &["192.0.2.1", "2001:db8::1"])]
    #[case::one_range(&["198.51.100.0/24"], &["198.51.100.1"])]
    #[case::all(&["0.0.0.0/0", "::/0"], &["192.0.2.1", "198.51.100.1", "2001:db8::1", "2001:db8::2"])]
    #[case::overlapping(&["192.0.2.0/24", "192.0.0.0/8", "2001:db8::1/128"], &["192.0.2.1", "2001:db8::1"])]
    #[case::all_of_one_family(&["0.0.0.0/0", "2001:db8::2/128"], &["192.0.2.1", "198.51.100.1", "2001:db8::2"])]
    #[case::loopback(&["127.0.0.0/8", "::1/128"], &[])]
    #[case::link_local(&["169.254.0.0/16", "fe80::/10"], &[])]
    #[case::nowhere(&["203.0.113.0/24"], &[])]
    fn node_ports_are_open_where_they_should(#[case] cidrs: &[&str], #[case] open: &[&str]) {
        let addresses = [
            "127.0.0.1",
            "169.254.1.1",
            "fe80::1",
            "192.0.2.1",
            "198.51.100.1",
            "2001:db8::1",
            "2001:db8::2",
        ];
        assert_eq!(selected(cidrs, &addresses), open);
    }
}
