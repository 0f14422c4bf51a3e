//! Routes by which this machine itself reaches Service addresses, with or without a default route.
//!
//! A packet that a program here sends to a ClusterIP is routed before the output hook rewrites its destination, so
//! some route has to cover the address or `connect` fails. Per Service range there are:
//!
//! - a rule for packets of this machine alone (`iif lo`), into a table of our own, with
//! - a `local` route on `lo`. It chooses a source by which the endpoint can answer, works with every link down, and is never
//!   asked for forwarded packets. A packet that no Service claims ends on this machine. (A unicast
//!   route on `lo` would send forwarded packets round until their time to live is over, and IPv6 has no such route.)
//! - an `unreachable` route of the main table, after every other: a forwarded packet that no Service claims is
//!   refused here, rather than sent out to a router that may well route the range back to this machine.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::host::{Host, Route, RouteKind, Rule};
use crate::mark;

const MAIN_TABLE: u32 = 254;

/// What to change so that the routes and rules are as they should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RoutePlan {
    pub remove_rules: Vec<Rule>,
    /// The ones to replace are not among them.
    pub remove_routes: Vec<Route>,
    /// Added, or put in the place of the one with the same destination, table and metric.
    pub put_routes: Vec<Route>,
    pub add_rules: Vec<Rule>,
}

/// Compares. `preferred` are this node's addresses where somebody named them: the source of packets to Services is
/// the first of them that the machine has, then its main address, then the cluster DNS address (`local`).
pub(crate) fn route_plan(
    cidrs: &[IpNet],
    preferred: &[IpAddr],
    local: &BTreeSet<IpAddr>,
    host: &Host,
) -> RoutePlan {
    let routes: BTreeSet<Route> = cidrs
        .iter()
        .flat_map(|cidr| {
            let source = source(cidr, preferred, local, host);
            let local = source.map(|source| local_route(cidr, source, host));
            local.into_iter().chain([last_resort(cidr, host)])
        })
        .collect();
    let rules: BTreeSet<Rule> = cidrs
        .iter()
        .map(|cidr| Rule {
            destination: cidr.trunc(),
            table: mark::TABLE,
            priority: mark::RULE_PRIORITY,
        })
        .collect();
    let there: BTreeSet<Route> = host
        .routes
        .iter()
        .filter(|route| route.own)
        .cloned()
        .collect();
    let rules_there: BTreeSet<Rule> = host.rules.iter().cloned().collect();
    let slot = |route: &Route| (route.destination, route.table, route.metric);
    let taken: BTreeSet<_> = routes.iter().map(slot).collect();
    RoutePlan {
        remove_rules: rules_there.difference(&rules).cloned().collect(),
        remove_routes: there
            .iter()
            .filter(|route| !taken.contains(&slot(route)))
            .cloned()
            .collect(),
        put_routes: routes.difference(&there).cloned().collect(),
        add_rules: rules.difference(&rules_there).cloned().collect(),
    }
}

fn source(
    cidr: &IpNet,
    preferred: &[IpAddr],
    local: &BTreeSet<IpAddr>,
    host: &Host,
) -> Option<IpAddr> {
    let there = |ip: &IpAddr| host.addresses.iter().any(|address| address.ip == *ip);
    let family = |ip: &IpAddr| ip.is_ipv6() == matches!(cidr, IpNet::V6(_));
    let node = host.node_addresses();
    preferred
        .iter()
        .chain(&node)
        .chain(local)
        .copied()
        .find(|ip| family(ip) && there(ip))
}

fn local_route(cidr: &IpNet, source: IpAddr, host: &Host) -> Route {
    // The route decides the segment size that a TCP client offers; `lo` would offer 64 KiB to a peer on a LAN.
    let link = host
        .addresses
        .iter()
        .find(|address| address.ip == source)
        .and_then(|a| host.links.get(&a.link));
    Route {
        destination: cidr.trunc(),
        table: mark::TABLE,
        kind: RouteKind::Local,
        link: host.loopback(),
        metric: metric(cidr),
        source: Some(source),
        mtu: link.filter(|link| !link.loopback).map(|link| link.mtu),
        own: true,
    }
}

fn last_resort(cidr: &IpNet, host: &Host) -> Route {
    Route {
        destination: cidr.trunc(),
        table: MAIN_TABLE,
        kind: RouteKind::Unreachable,
        // The kernel shows IPv6 routes that lead nowhere on lo.
        link: host.loopback().filter(|_| matches!(cidr, IpNet::V6(_))),
        metric: mark::METRIC,
        source: None,
        mtu: None,
        own: true,
    }
}

/// What the kernel makes of no metric (`IP6_RT_PRIO_USER` for IPv6): said, so that what is read is what was written.
fn metric(cidr: &IpNet) -> u32 {
    match cidr {
        IpNet::V4(_) => 0,
        IpNet::V6(_) => 1024,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Address;
    use crate::host::samples::{address, host};

    fn cidrs() -> Vec<IpNet> {
        vec![
            "10.43.0.0/16".parse().unwrap(),
            "fd43::/112".parse().unwrap(),
        ]
    }

    fn dns() -> BTreeSet<IpAddr> {
        ["10.43.0.10".parse().unwrap()].into()
    }

    fn apply(plan: &RoutePlan, host: &mut Host) {
        host.rules.retain(|rule| !plan.remove_rules.contains(rule));
        host.routes
            .retain(|route| !plan.remove_routes.contains(route));
        for put in &plan.put_routes {
            let same = |r: &Route| {
                (r.destination, r.table, r.metric) == (put.destination, put.table, put.metric)
            };
            host.routes.retain(|route| !same(route));
            host.routes.push(put.clone());
        }
        host.rules.extend(plan.add_rules.clone());
    }

    #[test]
    fn each_range_gets_its_rule_its_route_and_its_end() {
        let mut host = host(&[&["192.168.1.5/24", "fd00::5/64"]]);
        let plan = route_plan(&cidrs(), &[], &dns(), &host);
        assert_eq!((plan.put_routes.len(), plan.add_rules.len()), (4, 2));
        let sources: Vec<_> = plan
            .put_routes
            .iter()
            .filter_map(|route| route.source)
            .collect();
        assert_eq!(
            sources,
            [
                "192.168.1.5".parse::<IpAddr>().unwrap(),
                "fd00::5".parse().unwrap()
            ]
        );
        apply(&plan, &mut host);
        assert_eq!(
            route_plan(&cidrs(), &[], &dns(), &host),
            RoutePlan::default()
        );
    }

    #[test]
    fn a_new_node_address_replaces_the_route() {
        let mut host = host(&[&["192.168.1.5/24"]]);
        apply(&route_plan(&cidrs(), &[], &dns(), &host), &mut host);
        host.addresses
            .retain(|a| a.ip != "192.168.1.5".parse::<IpAddr>().unwrap());
        host.addresses.push(address("192.168.7.7/24", 2));
        let plan = route_plan(&cidrs(), &[], &dns(), &host);
        assert_eq!(plan.put_routes.len(), 1);
        assert_eq!(
            plan.put_routes[0].source,
            Some("192.168.7.7".parse().unwrap())
        );
        assert!(plan.remove_routes.is_empty());
    }

    #[test]
    fn with_no_link_the_dns_address_is_the_source() {
        let mut host = host(&[]);
        host.addresses.push(Address {
            own: true,
            ..address("10.43.0.10/32", 1)
        });
        let plan = route_plan(&cidrs()[..1], &[], &dns(), &host);
        let local: Vec<_> = plan
            .put_routes
            .iter()
            .filter(|route| route.kind == RouteKind::Local)
            .collect();
        assert_eq!(local[0].source, Some("10.43.0.10".parse().unwrap()));
        assert_eq!(local[0].mtu, None);
    }

    #[test]
    fn a_named_node_address_is_preferred_once_it_is_there() {
        let host = host(&[&["192.168.1.5/24"], &["10.9.0.1/24"]]);
        let sources = |preferred: &str| {
            let plan = route_plan(&cidrs()[..1], &[preferred.parse().unwrap()], &dns(), &host);
            plan.put_routes
                .iter()
                .find_map(|route| route.source)
                .unwrap()
                .to_string()
        };
        assert_eq!(sources("10.9.0.1"), "10.9.0.1");
        assert_eq!(sources("10.9.0.77"), "192.168.1.5");
    }

    #[test]
    fn another_range_takes_the_old_ones_away() {
        let mut host = host(&[&["192.168.1.5/24"]]);
        apply(&route_plan(&cidrs(), &[], &dns(), &host), &mut host);
        let plan = route_plan(&["10.96.0.0/12".parse().unwrap()], &[], &dns(), &host);
        assert_eq!((plan.remove_rules.len(), plan.add_rules.len()), (2, 1));
        apply(&plan, &mut host);
        assert_eq!((host.routes.len(), host.rules.len()), (2, 1));
    }
}
