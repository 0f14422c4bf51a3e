//! The machine's network as values: what [`crate::Follower`] publishes and every decision is made from.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::mark;

/// Links, addresses, and the routes and rules that matter here, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// By interface index.
    pub links: BTreeMap<u32, Link>,
    /// In the kernel's order: per link, primary addresses before secondary ones.
    pub addresses: Vec<Address>,
    /// Default routes of the main table, and every route that kedge made.
    pub routes: Vec<Route>,
    /// Rules that kedge made.
    pub rules: Vec<Rule>,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// Only links with Ethernet framing have one.
    pub mac: Option<Mac>,
    /// Somebody switched it on (`IFF_UP`).
    pub up: bool,
    /// It can carry packets: switched on, with a carrier (`IFF_LOWER_UP`).
    pub running: bool,
    /// How often the carrier came or went, as the kernel counts.
    pub carrier_changes: u32,
    pub loopback: bool,
    /// Neighbours are found by ARP and NDP, so an address can be announced.
    pub announces: bool,
    /// Octets.
    pub mtu: u32,
    /// `bridge`, `veth`, `vlan` ...; empty for hardware.
    pub kind: String,
    /// The link that this one is a part of: a bridge, a bond, a VRF ...
    pub master: Option<u32>,
    /// Of a bond with one active port: that port.
    pub active_port: Option<u32>,
    /// kedge made it: see [`crate::mark`].
    pub own: bool,
}

impl Link {
    /// Neighbours have to be told anew where its addresses are: it came up, has another hardware address, or another port
    /// of it is in use.
    #[must_use]
    pub(crate) fn is_anew(&self, old: &Self) -> bool {
        !old.running
            || old.mac != self.mac
            || old.carrier_changes != self.carrier_changes
            || old.active_port != self.active_port
    }

    /// Frames that come in by one of its parts belong to it alone.
    fn swallows(&self) -> bool {
        ["bridge", "bond", "team"].contains(&self.kind.as_str())
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub ip: IpAddr,
    /// Bits.
    pub prefix: u8,
    /// Interface index.
    pub link: u32,
    /// One of [`scope`].
    pub scope: u8,
    /// Bits of [`address_flags`].
    pub flags: u32,
    /// kedge made it: see [`crate::mark`].
    pub own: bool,
}

impl Address {
    /// The subnet of the link that this address stands for; none for a host address.
    #[must_use]
    pub fn subnet(&self) -> Option<IpNet> {
        let net = IpNet::new(self.ip, self.prefix).ok()?;
        (self.prefix < net.max_prefix_len()).then(|| net.trunc())
    }
}

/// `RT_SCOPE_*` of the kernel's `rtnetlink.h`.
pub mod scope {
    pub const GLOBAL: u8 = 0;
    pub const LINK: u8 = 253;
    pub const HOST: u8 = 254;
}

/// `IFA_F_*` of the kernel's `if_addr.h`.
pub mod address_flags {
    /// IPv6 alone: made for privacy, replaced every day. (For IPv4 the same bit means secondary.)
    pub const TEMPORARY: u32 = 0x01;
    pub const NODAD: u32 = 0x02;
    pub const DADFAILED: u32 = 0x08;
    pub const DEPRECATED: u32 = 0x20;
    pub const TENTATIVE: u32 = 0x40;
    pub const NOPREFIXROUTE: u32 = 0x200;
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub destination: IpNet,
    pub table: u32,
    pub kind: RouteKind,
    /// Interface index; of the first next hop where there are several.
    pub link: Option<u32>,
    /// Lower is preferred.
    pub metric: u32,
    /// The source address of packets that this machine sends by it.
    pub source: Option<IpAddr>,
    /// Octets.
    pub mtu: Option<u32>,
    pub own: bool,
}

/// What becomes of a packet that matches a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKind {
    Unicast,
    Local,
    Unreachable,
    Other(u8),
}

/// A policy routing rule that kedge made: packets of this machine to `destination` look into `table`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    pub destination: IpNet,
    pub table: u32,
    pub priority: u32,
}

impl Host {
    /// The addresses by which others reach this node, the main link's first: not loopback, not link-local, not
    /// kedge's own, not on a link that is switched off, and of IPv6 no temporary ones. Deprecated ones come last.
    #[must_use]
    pub fn node_addresses(&self) -> Vec<IpAddr> {
        let main = [self.default_link(false), self.default_link(true)];
        let mut found: Vec<_> = self
            .addresses
            .iter()
            .filter(|address| self.is_node_address(address))
            .map(|address| {
                let deprecated = address.flags & address_flags::DEPRECATED != 0;
                let elsewhere = main[usize::from(address.ip.is_ipv6())] != Some(address.link);
                ((deprecated, elsewhere, address.link), address.ip)
            })
            .collect();
        // A stable sort: the kernel's order tells primary from secondary.
        found.sort_by_key(|(rank, _)| *rank);
        let mut addresses: Vec<IpAddr> = Vec::with_capacity(found.len());
        for (_, ip) in found {
            if !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        addresses
    }

    /// The same addresses, each with the length of its network's prefix, but for those on loopback: nobody is beside them.
    #[must_use]
    pub fn node_networks(&self) -> Vec<IpNet> {
        let beside =
            |address: &&Address| self.is_node_address(address) && !self.is_local(address.link);
        let own = self.addresses.iter().filter(beside);
        own.filter_map(|address| IpNet::new(address.ip, address.prefix).ok())
            .collect()
    }

    fn is_node_address(&self, address: &Address) -> bool {
        use address_flags::{DADFAILED, TEMPORARY, TENTATIVE};
        let off = self.links.get(&address.link).is_none_or(|link| !link.up);
        let local = match address.ip {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local(),
        };
        let unfit = match address.ip {
            IpAddr::V4(_) => 0,
            IpAddr::V6(_) => TENTATIVE | DADFAILED | TEMPORARY,
        };
        !address.own && !off && !local && address.scope < scope::HOST && address.flags & unfit == 0
    }

    /// The link of the best default route of a family, among links that are switched on.
    #[must_use]
    pub fn default_link(&self, ipv6: bool) -> Option<u32> {
        self.routes
            .iter()
            .filter(|route| {
                route.destination.prefix_len() == 0
                    && matches!(route.destination, IpNet::V6(_)) == ipv6
                    && route.kind == RouteKind::Unicast
                    && !route.own
            })
            .filter_map(|route| Some((route.metric, route.link?)))
            .filter(|(_, link)| {
                self.links
                    .get(link)
                    .is_some_and(|link| link.up && !link.loopback)
            })
            .min()
            .map(|(_, link)| link)
    }

    /// The loopback link's index.
    #[must_use]
    pub fn loopback(&self) -> Option<u32> {
        self.links
            .values()
            .find(|link| link.loopback)
            .map(|link| link.index)
    }

    /// The link that kedge made for the DNS address.
    #[must_use]
    pub fn dns_link(&self) -> Option<&Link> {
        let mut links = self.links.values();
        links.find(|link| link.own && link.name == mark::DNS_LINK)
    }

    /// Where addresses for this machine alone belong: on the link made for them while it works, else on loopback.
    #[must_use]
    pub(crate) fn local_link(&self) -> Option<u32> {
        let dns = self.dns_link().filter(|link| link.running);
        dns.map(|link| link.index).or_else(|| self.loopback())
    }

    /// No LAN is reached by the link.
    #[must_use]
    pub(crate) fn is_local(&self, index: u32) -> bool {
        let link = self.links.get(&index);
        link.is_some_and(|link| link.loopback || link.own)
    }

    /// The link that hears and answers for this one: itself, or the bridge or bond that it is a part of.
    #[must_use]
    pub fn speaker(&self, index: u32) -> u32 {
        let master = self.links.get(&index).and_then(|link| link.master);
        // A master can be a part of one more: a bond of a bridge. The kernel allows no circles.
        match master.and_then(|master| self.links.get(&master)) {
            Some(master) if master.swallows() && master.index != index => {
                self.speaker(master.index)
            }
            _ => index,
        }
    }

    /// kedge put the address onto the link.
    #[must_use]
    pub fn has_own(&self, ip: IpAddr, link: u32) -> bool {
        let mut all = self.addresses.iter();
        all.any(|address| address.own && address.ip == ip && address.link == link)
    }

    /// A link's name, or its number where it is gone.
    #[must_use]
    pub fn link_name(&self, index: u32) -> String {
        self.links
            .get(&index)
            .map_or_else(|| format!("#{index}"), |link| link.name.clone())
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// A link that is switched on and has a carrier.
    pub(crate) fn link(index: u32, name: &str) -> Link {
        Link {
            index,
            name: name.into(),
            mac: Some(Mac([2, 0, 0, 0, 0, index as u8])),
            up: true,
            running: true,
            carrier_changes: 1,
            loopback: name == "lo",
            announces: name != "lo",
            mtu: 1500,
            kind: String::new(),
            master: None,
            active_port: None,
            own: false,
        }
    }

    /// An address that is not kedge's.
    pub(crate) fn address(text: &str, link: u32) -> Address {
        let net: IpNet = text.parse().unwrap();
        Address {
            ip: net.addr(),
            prefix: net.prefix_len(),
            link,
            scope: scope::GLOBAL,
            flags: 0,
            own: false,
        }
    }

    pub(crate) fn default_route(ipv6: bool, link: u32, metric: u32) -> Route {
        Route {
            destination: if ipv6 { "::/0" } else { "0.0.0.0/0" }.parse().unwrap(),
            table: 254,
            kind: RouteKind::Unicast,
            link: Some(link),
            metric,
            source: None,
            mtu: None,
            own: false,
        }
    }

    /// `lo` is 1, then a link for each list of addresses.
    pub(crate) fn host(links: &[&[&str]]) -> Host {
        let mut host = Host::default();
        host.links.insert(1, link(1, "lo"));
        host.addresses.push(Address {
            scope: scope::HOST,
            ..address("127.0.0.1/8", 1)
        });
        for (index, addresses) in (2..).zip(links) {
            host.links
                .insert(index, link(index, &format!("eth{}", index - 2)));
            host.addresses
                .extend(addresses.iter().map(|text| address(text, index)));
        }
        host
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{address, default_route, host};
    use super::*;

    fn texts(host: &Host) -> Vec<String> {
        host.node_addresses()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_main_links_address_comes_first() {
        let mut host = host(&[&["10.1.0.1/24"], &["192.168.1.5/24", "fd00::5/64"]]);
        assert_eq!(texts(&host), ["10.1.0.1", "192.168.1.5", "fd00::5"]);
        let networks = ["10.1.0.1/24", "192.168.1.5/24", "fd00::5/64"];
        let networks = networks.map(|net| net.parse::<IpNet>().unwrap());
        assert_eq!(host.node_networks(), networks);
        let mut routed = host.clone();
        routed.addresses.push(address("10.43.0.10/32", 1));
        assert_eq!(routed.node_networks(), networks);
        assert!(texts(&routed).contains(&"10.43.0.10".to_string()));
        host.routes = vec![default_route(false, 2, 200), default_route(false, 3, 100)];
        assert_eq!(texts(&host), ["192.168.1.5", "10.1.0.1", "fd00::5"]);
    }

    #[test]
    fn what_is_not_a_node_address() {
        let mut host = host(&[
            &["169.254.3.4/16", "fe80::1/64", "10.0.0.1/24"],
            &["10.2.0.1/24"],
        ]);
        host.addresses.push(Address {
            own: true,
            ..address("10.0.0.9/32", 2)
        });
        host.addresses.push(Address {
            flags: address_flags::TEMPORARY,
            ..address("fd00::77/64", 2)
        });
        host.addresses.push(Address {
            flags: address_flags::TENTATIVE,
            ..address("fd00::78/64", 2)
        });
        host.addresses.push(Address {
            flags: address_flags::DEPRECATED,
            ..address("fd00::79/64", 2)
        });
        // The same bit means secondary for IPv4, which is a good address.
        host.addresses.push(Address {
            flags: address_flags::TEMPORARY,
            ..address("10.0.0.2/24", 2)
        });
        host.links.get_mut(&3).unwrap().up = false;
        assert_eq!(texts(&host), ["10.0.0.1", "10.0.0.2", "fd00::79"]);
    }

    #[test]
    fn a_default_route_over_a_link_that_is_off_does_not_count() {
        let mut host = host(&[&["10.1.0.1/24"], &["10.2.0.1/24"]]);
        host.routes = vec![default_route(false, 2, 1), default_route(false, 3, 2)];
        host.links.get_mut(&2).unwrap().up = false;
        assert_eq!(host.default_link(false), Some(3));
        assert_eq!(host.default_link(true), None);
    }

    #[test]
    fn a_host_address_has_no_subnet() {
        assert_eq!(address("10.1.2.3/32", 2).subnet(), None);
        assert_eq!(address("fd00::1/128", 2).subnet(), None);
        assert_eq!(
            address("10.1.2.3/24", 2).subnet().unwrap().to_string(),
            "10.1.2.0/24"
        );
    }
}
