//! The cluster's names as a function of its objects: what a name and a type lead to. No sockets, no clock.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;
use kedge_client::{Change, Resource};
use kedge_machinery::Few;

use crate::model::{self, Port, Service, Slice};

/// Longest chain of aliases followed inside the zone.
const MAX_ALIASES: usize = 8;

/// Data of one record. Names are dotted text in lower case, without the trailing dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
    Address(IpAddr),
    Cname(String),
    Srv {
        port: u16,
        weight: u16,
        target: String,
    },
    Ptr(String),
    Txt(&'static str),
    Soa,
    Ns(String),
}

/// A record with its owner's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    pub name: String,
    pub data: Data,
}

/// What a question gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The name is not the cluster's: another resolver knows.
    Elsewhere,
    /// Records, with their targets' addresses as additional ones; `elsewhere` is the target of a last alias that leads out of the zone.
    Found {
        answer: Vec<Record>,
        additional: Vec<Record>,
        elsewhere: Option<String>,
    },
    /// The name is there, this type is not.
    NoData,
    NxDomain,
}

/// The types of question that the zone knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    A,
    Aaaa,
    Cname,
    Srv,
    Ptr,
    Txt,
    Soa,
    Ns,
    Other,
}

/// All names of the cluster.
#[derive(Debug)]
pub struct Zone {
    /// `cluster.local`.
    origin: String,
    /// Its name server's own address.
    server: IpAddr,
    /// Ranges whose reverse names are the cluster's alone.
    reverse: Vec<IpNet>,
    namespaces: BTreeSet<String>,
    services: HashMap<(String, String), Service>,
    /// By namespace and Service, then by the slice's name.
    slices: HashMap<(String, String), Few<Slice>>,
    /// Which Service a slice was last filed under.
    filed: HashMap<(String, String), String>,
    pointers: HashMap<IpAddr, Few<()>>,
}

impl Zone {
    #[must_use]
    pub fn new(origin: &str, server: IpAddr, reverse: Vec<IpNet>) -> Self {
        Self {
            origin: origin.to_ascii_lowercase(),
            server,
            reverse,
            namespaces: BTreeSet::new(),
            services: HashMap::new(),
            slices: HashMap::new(),
            filed: HashMap::new(),
            pointers: HashMap::new(),
        }
    }

    /// The zone's own name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Takes in one change of an object.
    pub fn apply(&mut self, change: Change) {
        let key = (change.key.namespace, change.key.name);
        match change.key.resource {
            Resource::NAMESPACES => {
                if change.object.is_some() {
                    self.namespaces.insert(key.1);
                } else {
                    self.namespaces.remove(&key.1);
                }
            }
            Resource::SERVICES => {
                self.set_service(key, change.object.and_then(|json| model::service(&json)))
            }
            Resource::ENDPOINTSLICES => {
                self.set_slice(key, change.object.and_then(|json| model::slice(&json)))
            }
            _ => {}
        }
    }

    fn set_service(&mut self, key: (String, String), service: Option<Service>) {
        self.set_pointers(&key, false);
        match service {
            Some(service) => self.services.insert(key.clone(), service),
            None => self.services.remove(&key),
        };
        self.set_pointers(&key, true);
    }

    fn set_slice(&mut self, key: (String, String), slice: Option<Slice>) {
        let (namespace, name) = key.clone();
        if let Some(service) = self.filed.remove(&key) {
            let owner = (namespace.clone(), service);
            self.set_pointers(&owner, false);
            if let Some(slices) = self.slices.get_mut(&owner) {
                slices.remove(&name);
                if slices.is_empty() {
                    self.slices.remove(&owner);
                }
            }
            self.set_pointers(&owner, true);
        }
        if let Some(slice) = slice {
            let owner = (namespace, slice.service.clone());
            self.set_pointers(&owner, false);
            self.filed.insert(key, slice.service.clone());
            self.slices
                .entry(owner.clone())
                .or_default()
                .insert(name, slice);
            self.set_pointers(&owner, true);
        }
    }

    /// Adds or removes the reverse names of one Service as it now stands.
    fn set_pointers(&mut self, key: &(String, String), there: bool) {
        let base = self.service_name(key);
        let mut names: Vec<(IpAddr, String)> = Vec::new();
        match self.services.get(key) {
            Some(Service::Cluster { addresses, .. }) => {
                names.extend(addresses.iter().map(|a| (*a, base.clone())))
            }
            Some(Service::Headless) => {
                names.extend(
                    self.endpoints(key)
                        .map(|e| (e.address, format!("{}.{base}", e.label))),
                );
            }
            Some(Service::External { .. }) | None => {}
        }
        for (address, name) in names {
            let set = self.pointers.entry(address).or_default();
            if there {
                set.insert(name, ());
            } else {
                set.remove(&name);
            }
            if set.is_empty() {
                self.pointers.remove(&address);
            }
        }
    }

    fn service_name(&self, (namespace, service): &(String, String)) -> String {
        format!("{service}.{namespace}.svc.{}", self.origin)
    }

    fn slices(&self, key: &(String, String)) -> impl Iterator<Item = &Slice> {
        self.slices.get(key).into_iter().flat_map(Few::values)
    }

    fn endpoints(&self, key: &(String, String)) -> impl Iterator<Item = &model::Endpoint> {
        self.slices(key).flat_map(|slice| &slice.endpoints)
    }

    /// What `name` (lower case, no trailing dot) and a type lead to.
    #[must_use]
    pub fn lookup(&self, name: &str, kind: Kind) -> Lookup {
        let mut answer = Vec::new();
        let mut name = name.to_string();
        for _ in 0..MAX_ALIASES {
            match self.step(&name, kind) {
                Step::Alias(target) => {
                    answer.push(Record {
                        name,
                        data: Data::Cname(target.clone()),
                    });
                    if kind == Kind::Cname {
                        return found(answer, Vec::new());
                    }
                    name = target;
                }
                Step::Elsewhere if answer.is_empty() => return Lookup::Elsewhere,
                Step::Elsewhere => {
                    return Lookup::Found {
                        answer,
                        additional: Vec::new(),
                        elsewhere: Some(name),
                    };
                }
                Step::Records(data) => {
                    let additional = self.targets(&data);
                    answer.extend(data.into_iter().map(|data| Record {
                        name: name.clone(),
                        data,
                    }));
                    return found(answer, additional);
                }
                Step::NoData if answer.is_empty() => return Lookup::NoData,
                Step::NxDomain if answer.is_empty() => return Lookup::NxDomain,
                // An alias whose end is not there still is an answer: the alias.
                Step::NoData | Step::NxDomain => break,
            }
        }
        found(answer, Vec::new())
    }

    /// Addresses of the targets of SRV records.
    fn targets(&self, data: &[Data]) -> Vec<Record> {
        let targets: BTreeSet<&String> = data
            .iter()
            .filter_map(|d| {
                if let Data::Srv { target, .. } = d {
                    Some(target)
                } else {
                    None
                }
            })
            .collect();
        targets
            .into_iter()
            .flat_map(|name| [(name, Kind::A), (name, Kind::Aaaa)])
            .flat_map(|(name, kind)| match self.step(name, kind) {
                Step::Records(data) => data
                    .into_iter()
                    .map(|data| Record {
                        name: name.clone(),
                        data,
                    })
                    .collect(),
                _ => Vec::new(),
            })
            .collect()
    }

    /// One name, no alias followed.
    fn step(&self, name: &str, kind: Kind) -> Step {
        if let Some(address) = reverse_address(name) {
            return self.pointer(address, kind);
        }
        let Some(rest) = name
            .strip_suffix(&self.origin)
            .filter(|rest| rest.is_empty() || rest.ends_with('.'))
        else {
            return Step::Elsewhere;
        };
        let mut labels: Vec<&str> = rest
            .trim_end_matches('.')
            .split('.')
            .filter(|label| !label.is_empty())
            .collect();
        labels.reverse();
        match labels.as_slice() {
            [] => match kind {
                Kind::Soa => Step::Records(vec![Data::Soa]),
                Kind::Ns => Step::Records(vec![Data::Ns(format!("ns.dns.{}", self.origin))]),
                _ => Step::NoData,
            },
            ["dns-version"] => typed(kind == Kind::Txt, || vec![Data::Txt("1.1.0")]),
            ["dns"] | ["svc"] | ["pod"] => Step::NoData,
            ["dns", "ns"] => addresses(kind, [self.server].into_iter()),
            ["svc", namespace] | ["pod", namespace] => {
                if self.namespaces.contains(*namespace) {
                    Step::NoData
                } else {
                    Step::NxDomain
                }
            }
            ["pod", namespace, label] => match model::undashed(label) {
                Some(address) if self.namespaces.contains(*namespace) => {
                    addresses(kind, [address].into_iter())
                }
                _ => Step::NxDomain,
            },
            ["svc", namespace, service, below @ ..] => {
                self.service(&(namespace.to_string(), service.to_string()), below, kind)
            }
            _ => Step::NxDomain,
        }
    }

    fn service(&self, key: &(String, String), below: &[&str], kind: Kind) -> Step {
        let Some(service) = self.services.get(key) else {
            return Step::NxDomain;
        };
        match (service, below) {
            (Service::External { target }, []) => Step::Alias(target.clone()),
            (Service::External { .. }, _) => Step::NxDomain,
            (Service::Cluster { addresses: own, .. }, []) => match kind {
                Kind::Srv => self.srv(key, service, None, None),
                _ => addresses(kind, own.iter().copied()),
            },
            (Service::Headless, []) => {
                if self.endpoints(key).next().is_none() {
                    return Step::NxDomain;
                }
                match kind {
                    Kind::Srv => self.srv(key, service, None, None),
                    _ => addresses(kind, self.endpoints(key).map(|e| e.address)),
                }
            }
            (_, [protocol, rest @ ..]) if protocol.starts_with('_') => match rest {
                [] => self.srv_node(key, service, protocol, kind),
                [port] if port.starts_with('_') => {
                    self.srv_leaf(key, service, protocol, port, kind)
                }
                _ => Step::NxDomain,
            },
            (_, [label]) => {
                let mut found = self
                    .endpoints(key)
                    .filter(|e| e.label == *label)
                    .map(|e| e.address)
                    .peekable();
                if found.peek().is_none() {
                    Step::NxDomain
                } else {
                    addresses(kind, found)
                }
            }
            _ => Step::NxDomain,
        }
    }

    /// `_tcp.web.default.svc...`: a name only in so far as a port is below it.
    fn srv_node(
        &self,
        key: &(String, String),
        service: &Service,
        protocol: &str,
        kind: Kind,
    ) -> Step {
        match self.srv(key, service, Some(protocol), None) {
            Step::Records(_) if kind != Kind::Srv => Step::NoData,
            step => step,
        }
    }

    fn srv_leaf(
        &self,
        key: &(String, String),
        service: &Service,
        protocol: &str,
        port: &str,
        kind: Kind,
    ) -> Step {
        match self.srv(key, service, Some(protocol), Some(port)) {
            Step::Records(_) if kind != Kind::Srv => Step::NoData,
            step => step,
        }
    }

    /// SRV records of the ports that match `_protocol` and `_port`.
    fn srv(
        &self,
        key: &(String, String),
        service: &Service,
        protocol: Option<&str>,
        port: Option<&str>,
    ) -> Step {
        let matches = |p: &&Port| {
            protocol.is_none_or(|protocol| protocol.strip_prefix('_') == Some(&p.protocol))
                && port.is_none_or(|port| port.strip_prefix('_') == Some(&p.name))
        };
        let base = self.service_name(key);
        let mut found: Vec<(u16, String)> = match service {
            Service::Cluster { ports, .. } => ports
                .iter()
                .filter(matches)
                .map(|p| (p.number, base.clone()))
                .collect(),
            _ => self
                .slices(key)
                .flat_map(|slice| slice.ports.iter().filter(matches).map(move |p| (slice, p)))
                .flat_map(|(slice, p)| {
                    slice
                        .endpoints
                        .iter()
                        .map(|e| (p.number, format!("{}.{base}", e.label)))
                })
                .collect(),
        };
        found.sort();
        found.dedup();
        // The specification leaves the weights open; equal shares are what CoreDNS gives.
        let weight = u16::try_from(100 / found.len().max(1))
            .unwrap_or(100)
            .max(1);
        let records: Vec<Data> = found
            .into_iter()
            .map(|(port, target)| Data::Srv {
                port,
                weight,
                target,
            })
            .collect();
        match (records.is_empty(), protocol.is_some()) {
            (true, true) => Step::NxDomain,
            (true, false) => Step::NoData,
            _ => Step::Records(records),
        }
    }

    fn pointer(&self, address: IpAddr, kind: Kind) -> Step {
        match self.pointers.get(&address) {
            Some(names) => typed(kind == Kind::Ptr, || {
                names.names().map(|name| Data::Ptr(name.into())).collect()
            }),
            None if self.reverse.iter().any(|net| net.contains(&address)) => Step::NxDomain,
            None => Step::Elsewhere,
        }
    }
}

enum Step {
    Elsewhere,
    Alias(String),
    Records(Vec<Data>),
    NoData,
    NxDomain,
}

fn found(answer: Vec<Record>, additional: Vec<Record>) -> Lookup {
    Lookup::Found {
        answer,
        additional,
        elsewhere: None,
    }
}

fn typed(right: bool, records: impl FnOnce() -> Vec<Data>) -> Step {
    if right {
        Step::Records(records())
    } else {
        Step::NoData
    }
}

/// Those of the addresses that are of the asked family, each once.
fn addresses(kind: Kind, all: impl Iterator<Item = IpAddr>) -> Step {
    let mut of_family: Vec<IpAddr> = all
        .filter(|address| match kind {
            Kind::A => address.is_ipv4(),
            Kind::Aaaa => address.is_ipv6(),
            _ => false,
        })
        .collect();
    of_family.sort_unstable();
    of_family.dedup();
    if of_family.is_empty() {
        Step::NoData
    } else {
        Step::Records(of_family.into_iter().map(Data::Address).collect())
    }
}

/// The address of a whole name under `in-addr.arpa` (RFC 1035, 3.5) or `ip6.arpa` (RFC 3596, 2.5).
#[must_use]
pub fn reverse_address(name: &str) -> Option<IpAddr> {
    if let Some(octets) = name.strip_suffix(".in-addr.arpa") {
        let mut bytes = [0u8; 4];
        let labels: Vec<&str> = octets.split('.').collect();
        if labels.len() != 4 {
            return None;
        }
        for (byte, label) in bytes.iter_mut().zip(labels.iter().rev()) {
            *byte = label.parse().ok()?;
        }
        return Some(IpAddr::from(bytes));
    }
    let nibbles = name.strip_suffix(".ip6.arpa")?;
    let labels: Vec<&str> = nibbles.split('.').collect();
    if labels.len() != 32 || labels.iter().any(|label| label.len() != 1) {
        return None;
    }
    let value = labels.iter().rev().try_fold(0u128, |sum, label| {
        Some(sum << 4 | u128::from(u8::from_str_radix(label, 16).ok()?))
    })?;
    Some(IpAddr::from(value.to_be_bytes()))
}

#[cfg(test)]
#[path = "zone_tests.rs"]
mod tests;
