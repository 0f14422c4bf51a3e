//! The hosts that packets travel between.
//!
//! client 192.0.2.2 ---- 192.0.2.1 node 10.42.N.1 ---- 10.42.N.2 pod N
//! and the same with 2001:db8::/64 and fd42:N::/64.

use super::family::Family;
use super::host::Host;
use super::sctp;
use super::talk::serve;

pub struct Lab {
    pub node: Host,
    pub client: Host,
    pub pods: Vec<Host>,
}

impl Lab {
    /// A node with a client and so many pods, each of which says its name on port 8080 of TCP, UDP and SCTP.
    pub fn new(pods: usize) -> Self {
        let node = Host::new("node");
        let client = Host::new("client");
        node.link("lan0", &client, "eth0");
        node.ip("addr add 192.0.2.1/24 dev lan0");
        node.ip("addr add 2001:db8::1/64 dev lan0 nodad");
        client.ip("addr add 192.0.2.2/24 dev eth0");
        client.ip("addr add 2001:db8::2/64 dev eth0 nodad");
        client.ip("route add default via 192.0.2.1");
        client.ip("route add default via 2001:db8::1");
        // Whatever else the node does not know leaves to the LAN, as on a machine with a default
        // route.
        node.ip("route add default via 192.0.2.2");
        node.ip("route add default via 2001:db8::2");
        node.sysctl("ipv4/ip_forward", "1");
        node.sysctl("ipv6/conf/all/forwarding", "1");
        // Refusals are told as often as they are asked for: no type of ICMP error is limited, and of ICMPv6 only one that
        // there is not.
        node.sysctl("ipv4/icmp_ratemask", "0");
        node.sysctl("ipv6/icmp/ratemask", "0");
        let pods = (1..=pods).map(|n| pod(&node, n)).collect();
        Self { node, client, pods }
    }

    /// One of the proxy's maps on the node, as `nft` lists it.
    pub fn listed(&self, family: Family, map: &str) -> String {
        self.node
            .command("nft", &["list", "map", family.table, "kedge", map])
    }
}

fn pod(node: &Host, n: usize) -> Host {
    let pod = Host::new(&format!("pod{n}"));
    let link = format!("pod{n}");
    node.link(&link, &pod, "eth0");
    node.ip(&format!("addr add 10.42.{n}.1/24 dev {link}"));
    node.ip(&format!("addr add fd42:{n}::1/64 dev {link} nodad"));
    pod.ip(&format!("addr add 10.42.{n}.2/24 dev eth0"));
    pod.ip(&format!("addr add fd42:{n}::2/64 dev eth0 nodad"));
    pod.ip(&format!("route add default via 10.42.{n}.1"));
    pod.ip(&format!("route add default via fd42:{n}::1"));
    serve(&pod, &link, "::");
    for ip in [format!("10.42.{n}.2"), format!("fd42:{n}::2")] {
        sctp::serve(&pod, &link, &ip);
    }
    pod
}
