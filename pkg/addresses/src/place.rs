//! Which link an address belongs on.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::host::Host;

/// Why an address is on its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The link has a subnet that holds the address.
    Subnet,
    /// No subnet holds it, and this is where it is or was.
    Kept,
    /// No subnet holds it; the link has the default route.
    DefaultRoute,
    /// There is no default route; the link has this node's first address.
    NodeAddress,
    /// No subnet holds it, and it is to be announced on this link.
    Named,
    /// The address is for this machine alone.
    Local,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subnet => "its subnet holds the address",
            Self::Kept => "the address was there before, and no link's subnet holds it",
            Self::DefaultRoute => "no link's subnet holds the address; this one has the default route",
            Self::NodeAddress => "no link's subnet holds the address and there is no default route; this one has the node's address",
            Self::Named => "no link's subnet holds the address, and it is to be announced on this one",
            Self::Local => "the address is for this machine alone",
        })
    }
}

/// Names of the links that an address may be on; any where there are none.
pub type Links = Option<BTreeSet<String>>;

/// The address may be on the link: it is named, or one of its parts is.
pub(crate) fn allows(host: &Host, links: &Links, link: u32) -> bool {
    links.as_ref().is_none_or(|names| {
        let mut parts = host.links.values();
        names.contains(&host.link_name(link))
            || parts.any(|part| names.contains(&part.name) && host.speaker(part.index) == link)
    })
}

/// The link for an address that the LAN is to reach, among those that it may be on. `before` is the link where it is or was.
/// The link may be switched off: then the address waits for it rather than move about.
pub(crate) fn place(
    host: &Host,
    ip: IpAddr,
    links: &Links,
    before: Option<u32>,
) -> Option<(u32, Reason)> {
    let may = |link: &u32| allows(host, links, *link);
    let there = before.filter(|link| host.links.contains_key(link));
    let reached = || by_default_route(host, ip.is_ipv6()).filter(may);
    let own = || by_node_address(host, ip.is_ipv6()).filter(may);
    by_subnet(host, ip, &may)
        .map(|link| (link, Reason::Subnet))
        .or_else(|| there.filter(may).map(|link| (link, Reason::Kept)))
        .or_else(|| reached().map(|link| (link, Reason::DefaultRoute)))
        .or_else(|| own().map(|link| (link, Reason::NodeAddress)))
        .or_else(|| {
            let found = links.as_ref().and_then(|_| by_name(host, &may));
            found.map(|link| (link, Reason::Named))
        })
}

/// The longest prefix wins, then a link that can carry packets, then the lowest index.
fn by_subnet(host: &Host, ip: IpAddr, may: &impl Fn(&u32) -> bool) -> Option<u32> {
    host.addresses
        .iter()
        .filter(|address| !address.own)
        .filter_map(|address| {
            let speaker = host.speaker(address.link);
            let link = host
                .links
                .get(&speaker)
                .filter(|link| !link.loopback && may(&speaker))?;
            let net = address.subnet().filter(|net| net.contains(&ip))?;
            Some((
                std::cmp::Reverse(net.prefix_len()),
                !link.running,
                link.index,
            ))
        })
        .min()
        .map(|(_, _, link)| link)
}

fn by_default_route(host: &Host, ipv6: bool) -> Option<u32> {
    let found = host.default_link(ipv6);
    let found = found.or_else(|| host.default_link(!ipv6));
    found.map(|link| host.speaker(link))
}

fn by_node_address(host: &Host, ipv6: bool) -> Option<u32> {
    let nodes = host.node_addresses();
    let first = nodes
        .iter()
        .find(|ip| ip.is_ipv6() == ipv6)
        .or(nodes.first())?;
    host.addresses
        .iter()
        .find(|address| address.ip == *first && Some(address.link) != host.loopback())
        .map(|address| host.speaker(address.link))
}

/// A link that can carry packets, then the lowest index. One that is a part of another is none.
fn by_name(host: &Host, may: &impl Fn(&u32) -> bool) -> Option<u32> {
    let links = host.links.values();
    links
        .filter(|link| !link.loopback && may(&link.index))
        .filter(|link| host.speaker(link.index) == link.index)
        .min_by_key(|link| (!link.running, link.index))
        .map(|link| link.index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::samples::{default_route, host};

    fn place(host: &Host, ip: IpAddr, before: Option<u32>) -> Option<(u32, Reason)> {
        super::place(host, ip, &None, before)
    }

    #[test]
    fn of_the_links_that_it_may_be_on() {
        let mut host = host(&[&["10.0.0.1/24"], &["10.0.0.2/24"], &[]]);
        host.routes.push(default_route(false, 3, 0));
        let on = |links: &[u32], text: &str| {
            let names = links.iter().map(|link| host.link_name(*link)).collect();
            super::place(&host, ip(text), &Some(names), Some(2))
        };
        assert_eq!(on(&[3, 4], "10.0.0.9"), Some((3, Reason::Subnet)));
        assert_eq!(on(&[2], "203.0.113.9"), Some((2, Reason::Kept)));
        assert_eq!(on(&[3, 4], "203.0.113.9"), Some((3, Reason::DefaultRoute)));
        assert_eq!(on(&[4], "10.0.0.9"), Some((4, Reason::Named)));
        assert_eq!(on(&[], "10.0.0.9"), None);
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_longest_subnet_wins() {
        let host = host(&[&["10.0.0.1/8"], &["10.1.0.1/16"], &["10.2.0.1/16"]]);
        assert_eq!(
            place(&host, ip("10.1.9.9"), None),
            Some((3, Reason::Subnet))
        );
        assert_eq!(
            place(&host, ip("10.9.9.9"), Some(4)),
            Some((2, Reason::Subnet))
        );
    }

    #[test]
    fn of_two_links_in_one_subnet_the_one_with_a_carrier() {
        let mut host = host(&[&["10.0.0.1/24"], &["10.0.0.2/24"]]);
        assert_eq!(
            place(&host, ip("10.0.0.9"), None),
            Some((2, Reason::Subnet))
        );
        host.links.get_mut(&2).unwrap().running = false;
        assert_eq!(
            place(&host, ip("10.0.0.9"), None),
            Some((3, Reason::Subnet))
        );
    }

    #[test]
    fn on_the_bridge_and_not_on_its_port() {
        // The second link is a port of the third, and has addresses all the same.
        let mut host = host(&[&["10.0.0.1/24"], &["10.1.0.1/24"]]);
        host.links.get_mut(&2).unwrap().master = Some(3);
        host.links.get_mut(&3).unwrap().kind = "bridge".into();
        host.routes.push(default_route(false, 2, 0));
        assert_eq!(
            place(&host, ip("10.0.0.9"), None),
            Some((3, Reason::Subnet))
        );
        assert_eq!(
            place(&host, ip("203.0.113.9"), None),
            Some((3, Reason::DefaultRoute))
        );
        for name in ["eth0", "eth1"] {
            let names = Some([name.to_string()].into());
            let found = super::place(&host, ip("10.1.0.9"), &names, None);
            assert_eq!(found, Some((3, Reason::Subnet)), "{name}");
        }
        // Of a VRF the parts have addresses of their own.
        host.links.get_mut(&3).unwrap().kind = "vrf".into();
        assert_eq!(
            place(&host, ip("10.0.0.9"), None),
            Some((2, Reason::Subnet))
        );
    }

    #[test]
    fn without_a_subnet_the_old_link_then_the_default_route_then_the_node_address() {
        let mut host = host(&[&["10.0.0.1/24"], &["10.1.0.1/24"]]);
        assert_eq!(
            place(&host, ip("203.0.113.9"), Some(3)),
            Some((3, Reason::Kept))
        );
        assert_eq!(
            place(&host, ip("203.0.113.9"), Some(9)),
            Some((2, Reason::NodeAddress))
        );
        host.routes.push(default_route(false, 3, 0));
        assert_eq!(
            place(&host, ip("203.0.113.9"), None),
            Some((3, Reason::DefaultRoute))
        );
        // The other family's default route is better than none.
        assert_eq!(
            place(&host, ip("2001:db8::9"), None),
            Some((3, Reason::DefaultRoute))
        );
    }

    #[test]
    fn a_machine_with_no_link_has_no_place() {
        assert_eq!(place(&host(&[]), ip("10.0.0.9"), None), None);
        // 127/8 is a subnet of lo, which is no place for an address of the LAN.
        assert_eq!(place(&host(&[]), ip("127.0.0.9"), None), None);
    }
}
