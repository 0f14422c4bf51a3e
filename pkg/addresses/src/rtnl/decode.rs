//! Messages of the kernel into values.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoBond, InfoData, InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteProtocol, RouteType,
};
use netlink_packet_route::rule::{RuleAttribute, RuleMessage};

use crate::host::{Address, Link, Mac, Route, RouteKind, Rule};
use crate::mark;

const MAIN_TABLE: u32 = 254;

pub(super) fn link(message: &LinkMessage) -> Link {
    let flags = message.header.flags;
    let loopback = flags.contains(LinkFlags::Loopback);
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mac: None,
        up: flags.contains(LinkFlags::Up),
        running: flags.contains(LinkFlags::Up) && flags.contains(LinkFlags::LowerUp),
        carrier_changes: 0,
        loopback,
        announces: false,
        mtu: 0,
        kind: String::new(),
        master: None,
        active_port: None,
        own: false,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Group(group) => link.own = *group == mark::GROUP,
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::CarrierChanges(count) => link.carrier_changes = *count,
            LinkAttribute::Address(bytes) => {
                link.mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(Mac)
            }
            LinkAttribute::LinkInfo(infos) => {
                link.kind = infos.iter().find_map(info_kind).unwrap_or_default();
                link.active_port = infos.iter().find_map(active_port);
            }
            LinkAttribute::Controller(master) => link.master = Some(*master).filter(|i| *i != 0),
            _ => {}
        }
    }
    let ethernet = message.header.link_layer_type == LinkLayerType::Ether;
    link.announces =
        ethernet && !loopback && !flags.contains(LinkFlags::Noarp) && link.mac.is_some();
    link
}

fn info_kind(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(InfoKind::Other(kind)) => Some(kind.clone()),
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

fn active_port(info: &LinkInfo) -> Option<u32> {
    let LinkInfo::Data(InfoData::Bond(data)) = info else {
        return None;
    };
    data.iter().find_map(|data| match data {
        InfoBond::ActivePort(port) => Some(*port),
        _ => None,
    })
}

pub(super) fn address(message: &AddressMessage) -> Option<Address> {
    let mut ip = None;
    let mut local = None;
    let mut flags = u32::from(message.header.flags.bits());
    let mut metric = 0;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(address) => ip = Some(*address),
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Flags(bits) => flags = bits.bits(),
            AddressAttribute::RoutePriority(priority) => metric = *priority,
            _ => {}
        }
    }
    // On a point-to-point link `Address` is the peer's.
    let ip = local.or(ip)?;
    let host = message.header.prefix_len == super::encode::host_prefix(ip);
    Some(Address {
        ip,
        prefix: message.header.prefix_len,
        link: message.header.index,
        scope: message.header.scope.into(),
        flags,
        own: host && metric == mark::METRIC,
    })
}

/// Nothing for a route that nobody here asks about.
pub(super) fn route(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    let own = header.protocol == RouteProtocol::from(mark::PROTOCOL);
    if !own && header.destination_prefix_length != 0 {
        return None;
    }
    let any: IpAddr = match header.address_family {
        AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let mut route = Route {
        destination: IpNet::new(any, header.destination_prefix_length).ok()?,
        table: header.table.into(),
        kind: match header.kind {
            RouteType::Unicast => RouteKind::Unicast,
            RouteType::Local => RouteKind::Local,
            RouteType::Unreachable => RouteKind::Unreachable,
            other => RouteKind::Other(other.into()),
        },
        link: None,
        metric: 0,
        source: None,
        mtu: None,
        own,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(to) => {
                route.destination = IpNet::new(ip(to)?, header.destination_prefix_length).ok()?;
            }
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::Oif(link) => route.link = Some(*link),
            RouteAttribute::MultiPath(hops) => {
                route.link = hops.first().map(|hop| hop.interface_index)
            }
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::PrefSource(source) => route.source = ip(source),
            RouteAttribute::Metrics(metrics) => {
                route.mtu = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    (own || route.table == MAIN_TABLE).then_some(route)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

/// Nothing for a rule that is not ours.
pub(super) fn rule(message: &RuleMessage) -> Option<Rule> {
    let mut own = false;
    let mut destination = None;
    let mut table = u32::from(message.header.table);
    let mut priority = 0;
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Protocol(protocol) => {
                own = *protocol == RouteProtocol::from(mark::PROTOCOL)
            }
            RuleAttribute::Destination(ip) => {
                destination = IpNet::new(*ip, message.header.dst_len).ok()
            }
            RuleAttribute::Table(number) => table = *number,
            RuleAttribute::Priority(number) => priority = *number,
            _ => {}
        }
    }
    own.then_some(Rule {
        destination: destination?,
        table,
        priority,
    })
}
