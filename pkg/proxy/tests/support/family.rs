//! The lab's addresses, by family, and the ways to ask at them.

use std::collections::HashSet;

use super::host::Host;
use super::sctp::sctp;
use super::talk::{Answer, tcp, udp};

/// The addresses of one family.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// As EndpointSlices call it.
    pub name: &'static str,
    /// As `nft` calls it.
    pub table: &'static str,
    pub cluster_ip: &'static str,
    pub other_ip: &'static str,
    /// In the Service range, and nobody's.
    pub unclaimed: &'static str,
    pub external: &'static str,
    pub balancer: &'static str,
    pub node: &'static str,
    /// One that the node may get besides.
    pub second: &'static str,
    pub loopback: &'static str,
    pub client: &'static str,
    pub pods: [&'static str; 3],
    /// The node's own address on each pod's link: what a masqueraded connection comes from.
    pub gateways: [&'static str; 3],
    /// A prefix of one address.
    pub host: u8,
}

pub const V4: Family = Family {
    name: "IPv4",
    table: "ip",
    cluster_ip: "10.43.0.10",
    other_ip: "10.43.0.11",
    unclaimed: "10.43.9.9",
    external: "198.51.100.1",
    balancer: "203.0.113.9",
    node: "192.0.2.1",
    second: "192.0.2.7",
    loopback: "127.0.0.1",
    client: "192.0.2.2",
    pods: ["10.42.1.2", "10.42.2.2", "10.42.3.2"],
    gateways: ["10.42.1.1", "10.42.2.1", "10.42.3.1"],
    host: 32,
};

pub const V6: Family = Family {
    name: "IPv6",
    table: "ip6",
    cluster_ip: "fd43::10",
    other_ip: "fd43::11",
    unclaimed: "fd43::99",
    external: "2001:db8:1::1",
    balancer: "2001:db8:2::9",
    node: "2001:db8::1",
    second: "2001:db8::7",
    loopback: "::1",
    client: "2001:db8::2",
    pods: ["fd42:1::2", "fd42:2::2", "fd42:3::2"],
    gateways: ["fd42:1::1", "fd42:2::1", "fd42:3::1"],
    host: 128,
};

impl Family {
    /// One address as a range.
    pub fn only(&self, address: &str) -> String {
        format!("{address}/{}", self.host)
    }

    /// Gives a host another address.
    pub fn add_address(&self, host: &Host, address: &str, link: &str) {
        let nodad = if self.host == 128 { "nodad" } else { "" };
        host.ip(&format!(
            "addr add {} dev {link} {nodad}",
            self.only(address)
        ));
    }
}

/// An address with a port.
pub fn at(address: &str, port: u16) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

pub type Ask = fn(&Host, &str) -> Answer;

pub const PROTOCOLS: [Ask; 3] = [tcp, udp, sctp];

/// Who answers, of many questions.
pub fn names(ask: Ask, from: &Host, to: &str) -> HashSet<String> {
    (0..30).map(|_| ask(from, to).name().to_owned()).collect()
}
