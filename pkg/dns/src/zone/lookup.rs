//! One name and one type: what the zone says. Aliases are followed by who writes the answer.

use std::net::IpAddr;

use ipnet::IpNet;

use super::srv::Ask;
use super::{Data, NONE, Owner, Slice, Target, Zone, undashed};
use crate::model::Service;
use crate::name::WireName;

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
    Any,
    Other,
}

/// What a question gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'z> {
    /// The name is not the cluster's: another resolver knows.
    Elsewhere,
    /// The records that were put into the list, of the name that was asked for.
    Found,
    /// Another name has the answer: dotted text, as the Service has it.
    Alias(&'z str),
    /// The name is there, this type is not.
    NoData,
    NxDomain,
}

impl Zone {
    /// What a name and a type lead to; records are put into `found`, which is emptied first.
    pub fn lookup<'z>(&'z self, name: &WireName, kind: Kind, found: &mut Vec<Data>) -> Lookup<'z> {
        found.clear();
        let Some(below) = name.below(&self.origin) else {
            return match (name.reverse_address(), self.hosts.addresses(name)) {
                (Some(address), _) => self.pointer(address, kind, found),
                (None, Some(own)) => addresses(kind, own.iter().copied(), found),
                (None, None) => Lookup::Elsewhere,
            };
        };
        match self.within(below.labels(), kind, found) {
            Lookup::NxDomain => self.beside(name, kind, found),
            known => known,
        }
    }

    /// A name of the cluster's domain that the cluster does not have: one of the configuration, or another resolver's.
    fn beside(&self, name: &WireName, kind: Kind, found: &mut Vec<Data>) -> Lookup<'_> {
        match self.hosts.addresses(name) {
            Some(own) => addresses(kind, own.iter().copied(), found),
            None if self
                .open
                .iter()
                .any(|domain| name.is_within(domain.as_bytes())) =>
            {
                Lookup::Elsewhere
            }
            None => Lookup::NxDomain,
        }
    }

    /// What the cluster has of its domain, by the labels above that; `None`: more than it looks at.
    fn within(&self, labels: Option<&[&[u8]]>, kind: Kind, found: &mut Vec<Data>) -> Lookup<'_> {
        let Some(labels) = labels else {
            return Lookup::NxDomain;
        };
        match labels {
            [] => match kind {
                Kind::Soa => one(found, Data::Soa),
                Kind::Ns => one(found, Data::Ns),
                Kind::Any => one(found, Data::Hinfo),
                _ => Lookup::NoData,
            },
            [b"dns-version"] => match kind {
                Kind::Txt => one(found, Data::Txt("1.1.0")),
                Kind::Any => one(found, Data::Hinfo),
                _ => Lookup::NoData,
            },
            [b"dns" | b"svc" | b"pod"] => Lookup::NoData,
            [b"dns", b"ns"] => addresses(kind, [self.server].into_iter(), found),
            [b"svc" | b"pod", namespace] if self.has_namespace(namespace) => Lookup::NoData,
            [b"pod", namespace, label] => match undashed(label) {
                Some(address) if self.has_namespace(namespace) => {
                    addresses(kind, [address].into_iter(), found)
                }
                _ => Lookup::NxDomain,
            },
            [b"svc", namespace, service, below @ ..] => {
                let id = self
                    .namespaces
                    .find(NONE, namespace)
                    .and_then(|namespace| self.services.find(namespace, service));
                id.map_or(Lookup::NxDomain, |id| {
                    self.service_lookup(id, below, kind, found)
                })
            }
            _ => Lookup::NxDomain,
        }
    }

    /// The zone whose SOA a denial of the name has (RFC 2308, 2): nobody keeps a denial by the SOA of a zone that the name is not
    /// in. A name of the configuration has none.
    pub fn apex(&self, name: &WireName) -> Option<WireName> {
        let mut origin = WireName::root();
        if name.is_within(&self.origin) && origin.append(&self.origin) {
            return Some(origin);
        }
        // An address outside of all ranges is known by an endpoint or a host that has it: a zone of its own.
        let address = name.reverse_address()?;
        Some(self.range_of(address).map_or(*name, WireName::reverse_zone))
    }

    /// The range that the address is in whose reverse names are the cluster's alone.
    fn range_of(&self, address: IpAddr) -> Option<IpNet> {
        let added = self.service_cidrs.values().flatten();
        let mut ranges = self.reverse.iter().chain(added);
        ranges.find(|net| net.contains(&address)).copied()
    }

    fn has_namespace(&self, name: &[u8]) -> bool {
        let id = self.namespaces.find(NONE, name);
        id.is_some_and(|id| self.namespaces[id].there)
    }

    fn service_lookup(
        &self,
        id: u32,
        below: &[&[u8]],
        kind: Kind,
        found: &mut Vec<Data>,
    ) -> Lookup<'_> {
        let Some(service) = &self.services[id].object else {
            return Lookup::NxDomain;
        };
        match (service, below) {
            (Service::External { target }, []) => match target.parse() {
                // No name has only digits in its last label: who writes an address means it.
                Ok(address) => addresses(kind, [address].into_iter(), found),
                Err(_) => Lookup::Alias(target),
            },
            (Service::External { .. }, _) => Lookup::NxDomain,
            (Service::Cluster { addresses: own, .. }, []) => match kind {
                Kind::Srv => self.srv(id, service, &Ask::default(), found),
                _ => addresses(kind, own.iter().copied(), found),
            },
            (Service::Headless, []) => {
                let endpoints = || {
                    self.slices_of(id)
                        .flat_map(|(_, slice)| slice.addresses.iter())
                };
                match kind {
                    _ if endpoints().next().is_none() => Lookup::NxDomain,
                    Kind::Srv => self.srv(id, service, &Ask::default(), found),
                    _ => addresses(kind, endpoints(), found),
                }
            }
            (_, [protocol, rest @ ..]) if protocol.starts_with(b"_") => {
                let port = match rest {
                    [] => None,
                    [port] if port.starts_with(b"_") => Some(*port),
                    _ => return Lookup::NxDomain,
                };
                match self.srv(id, service, &Ask::of(protocol, port), found) {
                    Lookup::Found if kind == Kind::Any => {
                        found.clear();
                        one(found, Data::Hinfo)
                    }
                    Lookup::Found if kind != Kind::Srv => {
                        found.clear();
                        Lookup::NoData
                    }
                    Lookup::NoData => Lookup::NxDomain,
                    other => other,
                }
            }
            (_, [label]) => self.endpoint(id, label, kind, found),
            _ => Lookup::NxDomain,
        }
    }

    /// `db-0.db.shop.svc...`, `10-42-0-12.db.shop.svc...`.
    fn endpoint(&self, id: u32, label: &[u8], kind: Kind, found: &mut Vec<Data>) -> Lookup<'_> {
        let address = undashed(label);
        let matching = || {
            self.slices_of(id).flat_map(move |(id, slice)| {
                let all = slice.addresses.iter().enumerate();
                all.filter(move |(at, its)| match hostname(slice, *at) {
                    Some(hostname) => hostname.as_bytes() == label,
                    None => Some(*its) == address,
                })
                .map(move |(at, its)| (id, at as u32, its))
            })
        };
        match matching().next() {
            None => Lookup::NxDomain,
            Some(_) if kind == Kind::Srv => {
                let targets = matching().map(|(slice, at, _)| (slice, at));
                self.endpoint_srv(targets, &Ask::default(), found)
            }
            Some(_) => addresses(kind, matching().map(|(_, _, its)| its), found),
        }
    }

    fn pointer(&self, address: IpAddr, kind: Kind, found: &mut Vec<Data>) -> Lookup<'_> {
        self.pointers.each(address, |owner| match owner {
            Owner::Service(id) => found.push(Data::Ptr(Target::Service(id))),
            Owner::Slice(slice) => {
                let addresses = self.slices[slice].addresses.iter();
                let at = addresses.take_while(|other| *other != address).count() as u32;
                let service = &self.services[self.slices[slice].service].object;
                if matches!(service, Some(Service::Headless | Service::Cluster { .. })) {
                    found.push(Data::Ptr(Target::Endpoint { slice, at }));
                }
            }
        });
        // An address of a Service is that Service's alone.
        if found
            .iter()
            .any(|data| matches!(data, Data::Ptr(Target::Service(_))))
        {
            found.retain(|data| matches!(data, Data::Ptr(Target::Service(_))));
        }
        // An endpoint may be in several slices of its Service, and is one name all the same.
        found.sort_unstable_by_key(|data| self.pointed(data));
        found.dedup_by_key(|data| self.pointed(data));
        if found.is_empty() {
            let names = 0..self.hosts.names(address).len() as u32;
            found.extend(names.map(|at| Data::Ptr(Target::Host { address, at })));
        }
        match kind {
            _ if found.is_empty() => match self.range_of(address) {
                Some(_) => Lookup::NxDomain,
                None => Lookup::Elsewhere,
            },
            Kind::Ptr => Lookup::Found,
            Kind::Any => {
                found.clear();
                one(found, Data::Hinfo)
            }
            _ => {
                found.clear();
                Lookup::NoData
            }
        }
    }

    /// The Service, and the endpoint's host name, that a pointer of one address leads to.
    fn pointed(&self, data: &Data) -> (u32, Option<&str>) {
        match data {
            Data::Ptr(Target::Service(id)) => (*id, None),
            Data::Ptr(Target::Endpoint { slice, at }) => {
                let slice = &self.slices[*slice];
                (slice.service, hostname(slice, *at as usize))
            }
            _ => (NONE, None),
        }
    }

    /// Addresses of the targets of SRV records and of the name server, for the additional section.
    pub fn addresses_of(&self, target: Target, mut each: impl FnMut(IpAddr)) {
        match target {
            Target::Host { address, .. } => each(address),
            Target::Service(id) => {
                if let Some(Service::Cluster { addresses, .. }) = &self.services[id].object {
                    addresses.iter().for_each(|address| each(*address));
                }
            }
            Target::Endpoint { slice, at } => {
                let its = &self.slices[slice];
                match hostname(its, at as usize) {
                    None => its.addresses.get(at as usize).into_iter().for_each(each),
                    Some(shared) => {
                        for (_, slice) in self.slices_of(its.service) {
                            let all = slice.addresses.iter().enumerate();
                            all.filter(|(at, _)| hostname(slice, *at) == Some(shared))
                                .for_each(|(_, address)| each(address));
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn hostname(slice: &Slice, at: usize) -> Option<&str> {
    let hostname = slice.hostnames.get(at)?;
    (!hostname.is_empty()).then_some(hostname)
}

fn one(found: &mut Vec<Data>, data: Data) -> Lookup<'static> {
    found.push(data);
    Lookup::Found
}

/// Those of the addresses that are of the asked family, each once.
fn addresses(
    kind: Kind,
    all: impl Iterator<Item = IpAddr>,
    found: &mut Vec<Data>,
) -> Lookup<'static> {
    match kind {
        Kind::Any => return one(found, Data::Hinfo),
        Kind::A => found.extend(all.filter(IpAddr::is_ipv4).map(Data::Address)),
        Kind::Aaaa => found.extend(all.filter(IpAddr::is_ipv6).map(Data::Address)),
        _ => {}
    }
    if found.len() > 1 {
        found.sort_unstable_by_key(|data| match data {
            Data::Address(address) => Some(*address),
            _ => None,
        });
        found.dedup();
    }
    if found.is_empty() {
        Lookup::NoData
    } else {
        Lookup::Found
    }
}
