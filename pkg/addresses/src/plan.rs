//! What to add and what to remove so that the machine has the addresses that it should have.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::host::Host;
use crate::place::{Links, Reason, allows, place};

/// The addresses that the machine should have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Addresses that the LAN reaches; nothing while nobody knows them yet (then those that are there stay).
    pub announced: Option<BTreeMap<IpAddr, Links>>,
    /// Addresses for this machine alone, on the loopback link or the one made for them.
    pub local: BTreeSet<IpAddr>,
}

/// An address, where it goes, and why there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addition {
    pub ip: IpAddr,
    pub link: u32,
    pub reason: Reason,
}

/// The difference between what is and what should be. Additions go first: an address that moves is on both
/// links for a moment rather than on none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub add: Vec<Addition>,
    /// Addresses that kedge made and that are no longer wanted there, each with its link.
    pub remove: Vec<(IpAddr, u32)>,
    /// Wanted addresses that have to wait: the link that they belong on is off, or there is none.
    pub waiting: BTreeMap<IpAddr, Option<u32>>,
}

impl Plan {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// Compares. `before` tells where addresses were that the kernel may have taken away since (IPv6 addresses
/// go with a link that is switched off).
///
/// An address that is there and that kedge did not make is good enough: it is neither added nor removed.
#[must_use]
pub fn plan(wanted: &Wanted, host: &Host, before: &BTreeMap<IpAddr, u32>) -> Plan {
    let mut plan = Plan::default();
    let mut own: BTreeMap<IpAddr, BTreeSet<u32>> = BTreeMap::new();
    let mut foreign = BTreeSet::new();
    for address in &host.addresses {
        if address.own {
            own.entry(address.ip).or_default().insert(address.link);
        } else {
            foreign.insert(address.ip);
        }
    }

    let local = wanted
        .local
        .iter()
        .map(|ip| (*ip, host.local_link().map(|link| (link, Reason::Local))));
    let announced = wanted
        .announced
        .iter()
        .flatten()
        .filter(|(ip, _)| !wanted.local.contains(ip))
        .map(|(ip, links)| {
            let there = own
                .get(ip)
                .and_then(|links| links.iter().find(|link| !host.is_local(**link)));
            (
                *ip,
                place(host, *ip, links, there.or(before.get(ip)).copied()),
            )
        });
    let mut places: BTreeMap<IpAddr, u32> = BTreeMap::new();
    for (ip, placed) in local.chain(announced) {
        if foreign.contains(&ip) {
            continue;
        }
        let Some((link, reason)) = placed else {
            plan.waiting.insert(ip, None);
            continue;
        };
        places.insert(ip, link);
        if own.get(&ip).is_some_and(|links| links.contains(&link)) {
            continue;
        }
        if host.links.get(&link).is_some_and(|link| link.up) {
            plan.add.push(Addition { ip, link, reason });
        } else {
            plan.waiting.insert(ip, Some(link));
        }
    }

    for (ip, links) in own {
        for link in links {
            let unknown = wanted.announced.is_none() && !host.is_local(link);
            // What waits for its proper link is better served from the wrong one until then.
            let links = wanted.announced.as_ref().and_then(|all| all.get(&ip));
            let needed = plan.waiting.contains_key(&ip)
                && links.is_none_or(|links| allows(host, links, link));
            if !unknown && !needed && places.get(&ip) != Some(&link) {
                plan.remove.push((ip, link));
            }
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::host::samples::{address, default_route, host, link};
    use crate::host::{Address, Link, scope};
    use crate::mark;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn announced(ips: &[&str]) -> Wanted {
        Wanted {
            announced: Some(ips.iter().map(|text| (ip(text), None)).collect()),
            local: BTreeSet::new(),
        }
    }

    fn own(text: &str, link: u32) -> Address {
        Address {
            own: true,
            ..address(text, link)
        }
    }

    fn fresh(wanted: &Wanted, host: &Host) -> Plan {
        plan(wanted, host, &BTreeMap::new())
    }

    #[test]
    fn a_virtual_address_goes_onto_the_link_of_its_subnet() {
        let plan = fresh(
            &announced(&["192.168.1.240"]),
            &host(&[&["10.0.0.1/8"], &["192.168.1.5/24"]]),
        );
        assert_eq!(
            plan.add,
            [Addition {
                ip: ip("192.168.1.240"),
                link: 3,
                reason: Reason::Subnet
            }]
        );
        assert!(plan.remove.is_empty());
    }

    #[test]
    fn what_is_there_is_adopted() {
        let mut host = host(&[&["192.168.1.5/24"]]);
        host.addresses.push(own("192.168.1.240/32", 2));
        assert!(fresh(&announced(&["192.168.1.240"]), &host).is_empty());
    }

    #[test]
    fn nothing_goes_before_it_is_known_what_is_wanted() {
        let mut host = host(&[&["192.168.1.5/24"]]);
        host.addresses.push(own("192.168.1.240/32", 2));
        host.addresses.push(own("10.43.0.10/32", 1));
        let plan = fresh(&Wanted::default(), &host);
        assert_eq!(
            plan.remove,
            [(ip("10.43.0.10"), 1)],
            "what is local is known from the start"
        );
        let plan = fresh(&announced(&[]), &host);
        assert_eq!(
            plan.remove,
            [(ip("10.43.0.10"), 1), (ip("192.168.1.240"), 2)]
        );
    }

    #[test]
    fn a_local_address_is_on_the_link_made_for_it_while_that_works() {
        let dns = Link {
            own: true,
            ..link(7, mark::DNS_LINK)
        };
        let wanted = Wanted {
            announced: None,
            local: [ip("10.43.0.10")].into(),
        };
        let places = |there: u32, works: bool| {
            let mut host = host(&[&["192.168.1.5/24"]]);
            let dns = Link {
                running: works,
                ..dns.clone()
            };
            host.links.insert(7, dns);
            host.addresses.push(own("10.43.0.10/32", there));
            let plan = fresh(&wanted, &host);
            let added: Vec<u32> = plan.add.iter().map(|addition| addition.link).collect();
            (added, plan.remove)
        };
        assert_eq!(places(1, true), (vec![7], vec![(ip("10.43.0.10"), 1)]));
        assert_eq!(places(7, true), (vec![], vec![]));
        assert_eq!(places(7, false), (vec![1], vec![(ip("10.43.0.10"), 7)]));
    }

    #[test]
    fn an_address_that_somebody_else_made_is_left_alone() {
        let mut host = host(&[&["192.168.1.5/24", "192.168.1.240/24"]]);
        let wanted = announced(&["192.168.1.240"]);
        assert!(fresh(&wanted, &host).is_empty());
        // Ours beside it is one too many.
        host.addresses.push(own("192.168.1.240/32", 2));
        assert_eq!(fresh(&wanted, &host).remove, [(ip("192.168.1.240"), 2)]);
    }

    #[test]
    fn it_moves_when_its_subnet_does() {
        let mut host = host(&[&[], &["192.168.1.5/24"]]);
        host.addresses.push(own("192.168.1.240/32", 2));
        let plan = fresh(&announced(&["192.168.1.240"]), &host);
        assert_eq!(
            plan.add,
            [Addition {
                ip: ip("192.168.1.240"),
                link: 3,
                reason: Reason::Subnet
            }]
        );
        assert_eq!(plan.remove, [(ip("192.168.1.240"), 2)]);
    }

    #[test]
    fn it_stays_when_only_the_default_route_moves() {
        let mut host = host(&[&["10.0.0.1/24"], &["10.1.0.1/24"]]);
        host.routes.push(default_route(false, 3, 0));
        host.addresses.push(own("203.0.113.9/32", 2));
        assert!(fresh(&announced(&["203.0.113.9"]), &host).is_empty());
    }

    #[test]
    fn it_waits_for_a_link_that_is_off_and_does_not_wander() {
        let mut host = host(&[&["192.168.1.5/24"], &["10.1.0.1/24"]]);
        host.routes.push(default_route(false, 3, 0));
        host.links.get_mut(&2).unwrap().up = false;
        let plan = fresh(&announced(&["192.168.1.240"]), &host);
        assert_eq!(
            (plan.add.len(), plan.waiting),
            (0, BTreeMap::from([(ip("192.168.1.240"), Some(2))]))
        );

        // IPv6: the kernel took the subnet's address away as well.
        let before = BTreeMap::from([(ip("fd00::240"), 2)]);
        let plan = super::plan(&announced(&["fd00::240"]), &host, &before);
        assert_eq!(
            (plan.add.len(), plan.waiting),
            (0, BTreeMap::from([(ip("fd00::240"), Some(2))]))
        );
    }

    #[test]
    fn the_dns_address_goes_onto_loopback() {
        let wanted = Wanted {
            announced: None,
            local: [ip("10.43.0.10")].into(),
        };
        let plan = fresh(&wanted, &host(&[&["10.0.0.1/8"]]));
        assert_eq!(
            plan.add,
            [Addition {
                ip: ip("10.43.0.10"),
                link: 1,
                reason: Reason::Local
            }]
        );
    }

    /// Makes a plan true, as the kernel would.
    fn apply(plan: &Plan, host: &mut Host) {
        for addition in &plan.add {
            assert!(
                !host
                    .addresses
                    .iter()
                    .any(|a| a.ip == addition.ip && a.link == addition.link)
            );
            let prefix = if addition.ip.is_ipv4() { 32 } else { 128 };
            host.addresses.push(Address {
                ip: addition.ip,
                prefix,
                link: addition.link,
                scope: scope::LINK,
                flags: 0,
                own: true,
            });
        }
        host.addresses
            .retain(|a| !(a.own && plan.remove.contains(&(a.ip, a.link))));
    }

    /// Addresses of few subnets, so that they collide.
    fn any_ip() -> impl Strategy<Value = IpAddr> {
        (0u8..3, 1u8..12).prop_map(|(net, last)| Ipv4Addr::new(10, net, 0, last).into())
    }

    fn any_links() -> impl Strategy<Value = Links> {
        let name = (2u32..6).prop_map(|link| format!("eth{}", link - 2));
        prop::option::weighted(0.3, prop::collection::btree_set(name, 0..3))
    }

    prop_compose! {
        fn any_host()(
            links in prop::collection::vec((any::<bool>(), prop::option::of((0u8..3, 1u8..12))), 0..4),
            ours in prop::collection::btree_set((any_ip(), 1u32..6), 0..6),
            default in prop::option::of(2u32..6),
        ) -> Host {
            let mut host = host(&vec![&[] as &[&str]; links.len()]);
            for (index, (up, subnet)) in (2..).zip(links) {
                host.links.get_mut(&index).unwrap().up = up;
                host.addresses.extend(subnet.map(|(net, last)| address(&format!("10.{net}.0.{last}/24"), index)));
            }
            for (ip, link) in ours {
                if host.links.contains_key(&link) && !host.addresses.iter().any(|a| a.ip == ip && a.link == link) {
                    host.addresses.push(Address { own: true, ..address(&format!("{ip}/32"), link) });
                }
            }
            host.routes.extend(default.map(|link| default_route(false, link, 0)));
            host
        }
    }

    proptest! {
        #[test]
        fn one_step_is_enough_and_touches_nothing_of_others(
            mut host in any_host(),
            announced in prop::option::of(prop::collection::btree_map(any_ip(), any_links(), 0..8)),
            local in prop::collection::btree_set(any_ip(), 0..2),
            before in prop::collection::btree_map(any_ip(), 1u32..6, 0..4),
        ) {
            let wanted = Wanted { announced, local };
            let foreign: Vec<_> = host.addresses.iter().filter(|a| !a.own).cloned().collect();
            let unknown = host.addresses.iter().filter(|a| a.own && a.link != 1).count();
            let first = plan(&wanted, &host, &before);
            apply(&first, &mut host);

            let again = plan(&wanted, &host, &before);
            prop_assert!(again.is_empty(), "{again:?} after {first:?}");
            let left: Vec<_> = host.addresses.iter().filter(|a| !a.own).cloned().collect();
            prop_assert_eq!(&left, &foreign);
            for ip in wanted.announced.iter().flatten().map(|(ip, _)| ip).chain(&wanted.local) {
                let there = host.addresses.iter().filter(|a| a.ip == *ip).count();
                prop_assert!(there > 0 || first.waiting.contains_key(ip), "{ip} is neither there nor waiting");
            }
            match &wanted.announced {
                None => prop_assert_eq!(host.addresses.iter().filter(|a| a.own && a.link != 1).count(), unknown),
                Some(set) => for a in host.addresses.iter().filter(|a| a.own) {
                    let may = set.get(&a.ip).is_some_and(|links| allows(&host, links, a.link));
                    prop_assert!(may || wanted.local.contains(&a.ip), "{} is unwanted there", a.ip);
                },
            }
        }
    }
}
