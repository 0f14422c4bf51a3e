//! Values into messages for the kernel.

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

use crate::host::{Route, RouteKind, Rule};
use crate::mark;

use super::OwnLink;

/// The loopback link, as `iif` of a rule: packets of this machine itself.
const LOOPBACK: &str = "lo";
const FOREVER: u32 = u32::MAX;

/// The prefix length that holds one address.
pub(super) fn host_prefix(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

/// A host address that is marked as ours and that the kernel does not choose as a source by itself: for IPv4 because
/// of its scope, for IPv6 because it is deprecated (RFC 4862: good for packets that come in).
///
/// `counts`: systemd-resolved asks nobody by a link unless it has an address that is neither deprecated nor of the
/// scope of a link (its `link_address_relevant`). The kernel passes over the scope of a site as well.
pub(super) fn address(ip: IpAddr, link: u32, counts: bool) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(ip);
    message.header.prefix_len = host_prefix(ip);
    message.header.index = link;
    message.attributes = vec![
        AddressAttribute::Address(ip),
        AddressAttribute::Local(ip),
        AddressAttribute::RoutePriority(mark::METRIC),
        AddressAttribute::Protocol(AddressProtocol::Other(mark::PROTOCOL)),
    ];
    match ip {
        IpAddr::V4(_) if counts => message.header.scope = AddressScope::Site,
        IpAddr::V4(_) => message.header.scope = AddressScope::Link,
        IpAddr::V6(_) => {
            // Duplicate detection would keep the address from use for a second, and for ever on a link without a carrier.
            message.attributes.push(AddressAttribute::Flags(
                AddressFlags::Nodad | AddressFlags::Noprefixroute,
            ));
            let mut lifetime = CacheInfo::default();
            lifetime.ifa_preferred = if counts { FOREVER } else { 0 };
            lifetime.ifa_valid = FOREVER;
            message
                .attributes
                .push(AddressAttribute::CacheInfo(lifetime));
        }
    }
    message
}

/// A link for addresses of this machine alone. The other end of a pair is marked as well.
pub(super) fn own_link(kind: OwnLink) -> LinkMessage {
    let info = match kind {
        OwnLink::Dummy => vec![LinkInfo::Kind(InfoKind::Dummy)],
        OwnLink::Pair => {
            let end = InfoVeth::Peer(named(mark::DNS_LINK_END));
            vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(end)),
            ]
        }
    };
    let mut message = named(mark::DNS_LINK);
    message.attributes.push(LinkAttribute::LinkInfo(info));
    message
}

fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.into()),
        LinkAttribute::Group(mark::GROUP),
    ];
    message
}

/// Switches a link on that has no neighbours: nobody is asked for addresses, and nothing is announced to all.
pub(super) fn turn_on(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up | LinkFlags::Noarp;
    message.header.change_mask = LinkFlags::Up | LinkFlags::Noarp | LinkFlags::Multicast;
    message
}

pub(super) fn route(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = family(route.destination.addr());
    header.destination_prefix_length = route.destination.prefix_len();
    header.protocol = RouteProtocol::from(mark::PROTOCOL);
    (header.kind, header.scope) = match route.kind {
        RouteKind::Unicast => (RouteType::Unicast, RouteScope::Link),
        RouteKind::Local => (RouteType::Local, RouteScope::Host),
        RouteKind::Unreachable => (RouteType::Unreachable, RouteScope::Universe),
        RouteKind::Other(kind) => (kind.into(), RouteScope::Universe),
    };
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Destination(route_address(
        route.destination.addr(),
    )));
    attributes.push(RouteAttribute::Table(route.table));
    attributes.push(RouteAttribute::Priority(route.metric));
    if route.kind != RouteKind::Unreachable {
        attributes.extend(route.link.map(RouteAttribute::Oif));
    }
    attributes.extend(
        route
            .source
            .map(|source| RouteAttribute::PrefSource(route_address(source))),
    );
    attributes.extend(
        route
            .mtu
            .map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])),
    );
    message
}

fn route_address(ip: IpAddr) -> RouteAddress {
    match ip {
        IpAddr::V4(ip) => RouteAddress::Inet(ip),
        IpAddr::V6(ip) => RouteAddress::Inet6(ip),
    }
}

pub(super) fn rule(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family(rule.destination.addr());
    message.header.dst_len = rule.destination.prefix_len();
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Destination(rule.destination.addr()),
        RuleAttribute::Iifname(LOOPBACK.into()),
        RuleAttribute::Table(rule.table),
        RuleAttribute::Priority(rule.priority),
        RuleAttribute::Protocol(RouteProtocol::from(mark::PROTOCOL)),
    ];
    message
}
