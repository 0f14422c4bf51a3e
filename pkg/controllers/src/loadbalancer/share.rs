//! Which Service gets the node's own addresses, where there are no pools: every one whose ports are free there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::allocate::{Requests, by_age};
use super::outcome::{Name, Outcome, Waiting};
use super::request::{Port, Request};

/// Shares `node` (this node's addresses, the main one of each family first) out. `reserved` ports are the machine's own,
/// `node_ports` those of all Services, which are open on the same addresses. Who has an address keeps it; then the oldest is first.
pub(super) fn share(
    node: &[IpAddr],
    requests: &Requests<'_>,
    reserved: &BTreeSet<Port>,
    node_ports: &BTreeMap<Port, Name>,
) -> BTreeMap<Name, Outcome> {
    let mut claims: BTreeMap<Port, Name> = BTreeMap::new();
    let mut order = by_age(requests);
    order.sort_by_key(|name| (requests[name].current.is_empty(), requests[name].edited));
    let mut outcomes = BTreeMap::new();
    for name in order {
        let request = requests[name];
        let outcome = match obstacle(name, request, reserved, node_ports, &claims) {
            None => addresses(node, request),
            Some(waiting) => Outcome {
                addresses: Vec::new(),
                waiting: Some(waiting),
            },
        };
        if !outcome.addresses.is_empty() {
            claims.extend(request.ports.iter().map(|port| (*port, name.clone())));
        }
        outcomes.insert(name.clone(), outcome);
    }
    outcomes
}

fn obstacle(
    name: &Name,
    request: &Request,
    reserved: &BTreeSet<Port>,
    node_ports: &BTreeMap<Port, Name>,
    claims: &BTreeMap<Port, Name>,
) -> Option<Waiting> {
    if let Some(mistake) = &request.mistake {
        return Some(Waiting::Mistake(mistake.clone()));
    }
    request.ports.iter().find_map(|port| {
        let taken = |by: Option<Name>| Waiting::PortTaken {
            transport: port.0,
            port: port.1,
            by,
        };
        if reserved.contains(port) {
            return Some(taken(None));
        }
        let by = claims
            .get(port)
            .or_else(|| node_ports.get(port))
            .filter(|by| *by != name)?;
        Some(taken(Some(by.clone())))
    })
}

/// The node's first address of each family of the Service, or those that it asks for by name. While the node has none (before
/// DHCP, with the cable out), a Service keeps what it has: it will mostly be right again, and status is no place to blink.
fn addresses(node: &[IpAddr], request: &Request) -> Outcome {
    let known = |ip: &IpAddr| node.contains(ip) || request.current.contains(ip);
    if let Some(foreign) = request.requested.iter().find(|ip| !known(ip)) {
        return Outcome {
            addresses: Vec::new(),
            waiting: Some(Waiting::NotNodeAddress(*foreign)),
        };
    }
    let choice = if request.requested.is_empty() {
        node
    } else {
        &request.requested
    };
    let mut outcome = Outcome::default();
    for ipv6 in &request.families {
        match choice
            .iter()
            .chain(&request.current)
            .find(|ip| ip.is_ipv6() == *ipv6)
        {
            Some(ip) => outcome.addresses.push(*ip),
            None => outcome.waiting = Some(Waiting::NoNodeAddress { ipv6: *ipv6 }),
        }
    }
    if request.all_families && outcome.waiting.is_some() {
        outcome.addresses.clear();
    } else if !outcome.addresses.is_empty() {
        outcome.waiting = None;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::super::request::Transport;
    use super::*;

    fn share(
        node: &[IpAddr],
        requests: &BTreeMap<Name, Request>,
        reserved: &BTreeSet<Port>,
        node_ports: &BTreeMap<Port, Name>,
    ) -> BTreeMap<Name, Outcome> {
        super::share(node, &requests.iter().collect(), reserved, node_ports)
    }

    fn name(text: &str) -> Name {
        ("a".into(), text.into())
    }

    fn web(created: &str, ports: &[u16]) -> Request {
        Request {
            created: created.into(),
            families: vec![false],
            ports: ports.iter().map(|port| (Transport::Tcp, *port)).collect(),
            ..Request::default()
        }
    }

    fn node() -> Vec<IpAddr> {
        ["192.168.1.5", "10.0.0.1", "fd00::5"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect()
    }

    fn run(requests: &BTreeMap<Name, Request>) -> BTreeMap<Name, Outcome> {
        let reserved = [(Transport::Tcp, 6443)].into();
        let node_ports = [((Transport::Tcp, 30080), name("other"))].into();
        share(&node(), requests, &reserved, &node_ports)
    }

    #[test]
    fn two_services_share_the_address_by_their_ports() {
        let requests =
            BTreeMap::from([(name("a"), web("2", &[80])), (name("b"), web("1", &[443]))]);
        let outcomes = run(&requests);
        assert!(
            outcomes
                .values()
                .all(|outcome| outcome.addresses == node()[..1])
        );
    }

    #[test]
    fn the_older_one_has_the_port_and_a_holder_keeps_it() {
        let mut requests = BTreeMap::from([
            (name("a"), web("2", &[80])),
            (name("b"), web("1", &[80, 443])),
        ]);
        let outcomes = run(&requests);
        let taken = Waiting::PortTaken {
            transport: Transport::Tcp,
            port: 80,
            by: Some(name("b")),
        };
        assert_eq!(outcomes[&name("a")].waiting, Some(taken));
        requests.get_mut(&name("a")).unwrap().current = node()[..1].to_vec();
        assert_eq!(run(&requests)[&name("a")].addresses, node()[..1]);
        assert!(run(&requests)[&name("b")].addresses.is_empty());
    }

    #[test]
    fn the_machines_own_ports_and_node_ports_are_not_given_away() {
        let requests = BTreeMap::from([
            (name("a"), web("1", &[6443])),
            (name("b"), web("1", &[30080])),
        ]);
        let outcomes = run(&requests);
        assert!(matches!(
            outcomes[&name("a")].waiting,
            Some(Waiting::PortTaken { by: None, .. })
        ));
        assert!(matches!(
            outcomes[&name("b")].waiting,
            Some(Waiting::PortTaken { by: Some(_), .. })
        ));
    }

    #[test]
    fn each_family_gets_its_address() {
        let dual = Request {
            families: vec![true, false],
            ..web("1", &[80])
        };
        let outcomes = run(&BTreeMap::from([(name("a"), dual.clone())]));
        assert_eq!(outcomes[&name("a")].addresses, [node()[2], node()[0]]);
        let strict = Request {
            all_families: true,
            ..dual
        };
        let outcomes = share(
            &node()[..1],
            &BTreeMap::from([(name("a"), strict)]),
            &[].into(),
            &BTreeMap::new(),
        );
        assert_eq!(
            outcomes[&name("a")].waiting,
            Some(Waiting::NoNodeAddress { ipv6: true })
        );
        assert!(outcomes[&name("a")].addresses.is_empty());
    }

    #[test]
    fn a_node_without_an_address_leaves_the_status_alone() {
        let holder = Request {
            current: node()[..1].to_vec(),
            ..web("1", &[80])
        };
        let requests = BTreeMap::from([(name("a"), holder)]);
        let outcomes = share(&[], &requests, &[].into(), &BTreeMap::new());
        assert_eq!(
            outcomes[&name("a")],
            Outcome {
                addresses: node()[..1].to_vec(),
                waiting: None
            }
        );
        let outcomes = share(&node()[1..], &requests, &[].into(), &BTreeMap::new());
        assert_eq!(outcomes[&name("a")].addresses, [node()[1]]);
    }

    #[test]
    fn another_of_the_nodes_addresses_may_be_asked_for() {
        let asks = |ip: &str, port| Request {
            requested: vec![ip.parse().unwrap()],
            ..web("1", &[port])
        };
        let outcomes = run(&BTreeMap::from([
            (name("a"), asks("10.0.0.1", 80)),
            (name("b"), asks("10.0.0.2", 81)),
        ]));
        assert_eq!(outcomes[&name("a")].addresses, [node()[1]]);
        assert!(matches!(
            outcomes[&name("b")].waiting,
            Some(Waiting::NotNodeAddress(_))
        ));
    }
}
