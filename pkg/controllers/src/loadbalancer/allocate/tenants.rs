//! Who is on which address, and who may join.
//!
//! Services share an address as MetalLB has it (`internal/allocator`): under the same key, with no port in common, and all
//! with external traffic policy Cluster, or all with Local and the same endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::loadbalancer::outcome::{Holder, Name, Waiting};
use crate::loadbalancer::request::{Port, Request, Sharing};

/// The addresses that are given.
pub(super) struct Tenants<'a> {
    /// Those that somebody else has.
    held: &'a BTreeMap<IpAddr, Holder>,
    by_address: BTreeMap<IpAddr, Tenancy<'a>>,
    /// Where those are who share under a key.
    shared: BTreeMap<&'a Sharing, BTreeSet<IpAddr>>,
}

/// The Services on one address.
struct Tenancy<'a> {
    sharing: Option<&'a Sharing>,
    ports: BTreeMap<Port, &'a Name>,
    first: &'a Name,
}

impl<'a> Tenants<'a> {
    pub(super) fn new(held: &'a BTreeMap<IpAddr, Holder>) -> Self {
        Self {
            held,
            by_address: BTreeMap::new(),
            shared: BTreeMap::new(),
        }
    }

    /// Nobody has it.
    pub(super) fn is_free(&self, ip: IpAddr) -> bool {
        !self.by_address.contains_key(&ip) && !self.held.contains_key(&ip)
    }

    /// Addresses of Services that this one shares a key with, ports apart.
    pub(super) fn shared(&self, request: &Request) -> impl Iterator<Item = IpAddr> {
        let key = request.sharing.as_ref();
        let found = key.and_then(|key| self.shared.get(key));
        found.into_iter().flatten().copied()
    }

    /// That a Service may have the address, alone or with those who have it.
    pub(super) fn check(&self, ip: IpAddr, request: &Request) -> Result<(), Waiting> {
        if let Some(by) = self.held.get(&ip) {
            return Err(Waiting::Held { ip, by: *by });
        }
        let Some(tenancy) = self.by_address.get(&ip) else {
            return Ok(());
        };
        let by = tenancy.first.clone();
        match (tenancy.sharing, &request.sharing) {
            (Some(theirs), Some(own)) if theirs == own => {}
            (Some(theirs), Some(own)) if theirs.key == own.key => {
                return Err(Waiting::OtherBackend { ip, by });
            }
            (Some(theirs), Some(_)) => {
                let key = theirs.key.clone();
                return Err(Waiting::OtherKey { ip, by, key });
            }
            _ => return Err(Waiting::Taken { ip, by }),
        }
        let taken = |port: &Port| Some((*port, *tenancy.ports.get(port)?));
        match request.ports.iter().find_map(taken) {
            Some((port, by)) => Err(Waiting::PortOfAddressTaken {
                ip,
                port,
                by: by.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Writes a Service down as one of those who have the address.
    pub(super) fn add(&mut self, ip: IpAddr, name: &'a Name, request: &'a Request) {
        let tenancy = self.by_address.entry(ip).or_insert(Tenancy {
            sharing: request.sharing.as_ref(),
            ports: BTreeMap::new(),
            first: name,
        });
        tenancy
            .ports
            .extend(request.ports.iter().map(|port| (*port, name)));
        if let Some(key) = &request.sharing {
            self.shared.entry(key).or_default().insert(ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::loadbalancer::request::Transport;

    fn request(key: &str, backend: &str, port: u16) -> Request {
        let (key, backend) = (key.to_string(), backend.to_string());
        Request {
            sharing: (!key.is_empty()).then_some(Sharing { key, backend }),
            ports: vec![(Transport::Tcp, port)],
            ..Request::default()
        }
    }

    // The first Service has key "k", any endpoints or those of "app=a", and port 80.
    #[rstest]
    #[case::another_port(request("k", "", 80), request("k", "", 81), "")]
    #[case::the_same_port(request("k", "", 80), request("k", "", 80), "port 80/TCP of 10.0.0.1")]
    #[case::another_key(request("k", "", 80), request("l", "", 81), "with the key \"k\"")]
    #[case::no_key(
        request("k", "", 80),
        request("", "", 81),
        "10.0.0.1 belongs to Service a/first"
    )]
    #[case::no_key_before(
        request("", "", 80),
        request("k", "", 81),
        "10.0.0.1 belongs to Service a/first"
    )]
    #[case::same_endpoints(request("k", "app=a", 80), request("k", "app=a", 81), "")]
    #[case::other_endpoints(
        request("k", "app=a", 80),
        request("k", "app=b", 81),
        "externalTrafficPolicy"
    )]
    #[case::local_and_cluster(
        request("k", "app=a", 80),
        request("k", "", 81),
        "externalTrafficPolicy"
    )]
    fn who_may_join(#[case] first: Request, #[case] second: Request, #[case] why: &str) {
        let (ip, name) = ("10.0.0.1".parse().unwrap(), ("a".into(), "first".into()));
        let held = BTreeMap::new();
        let mut tenants = Tenants::new(&held);
        tenants.add(ip, &name, &first);
        let answer = tenants.check(ip, &second);
        match answer {
            Ok(()) => assert_eq!(why, ""),
            Err(waiting) => {
                let text = waiting.to_string();
                assert!(!why.is_empty() && text.contains(why), "{text}");
            }
        }
    }

    #[test]
    fn the_same_number_of_another_protocol_is_another_port() {
        let (ip, name) = ("10.0.0.1".parse().unwrap(), ("a".into(), "first".into()));
        let held = BTreeMap::new();
        let mut tenants = Tenants::new(&held);
        let (tcp, mut udp) = (request("k", "", 53), request("k", "", 53));
        udp.ports = vec![(Transport::Udp, 53)];
        tenants.add(ip, &name, &tcp);
        assert_eq!(tenants.check(ip, &udp), Ok(()));
        assert_eq!(tenants.shared(&udp).collect::<Vec<_>>(), [ip]);
    }
}
