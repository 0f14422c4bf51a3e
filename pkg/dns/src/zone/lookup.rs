//! One name and one type: what the zone says. Aliases are followed by who writes the answer.

use std::net::IpAddr;

use super::{Data, NONE, Owner, Slice, Target, Zone, undashed};
use crate::model::Service;
use crate::name::WireName;
use crate::ports::{Port, Protocol};

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

/// The ports that a name asks for: by `_protocol`, and by `_port` above it.
#[derive(Default)]
struct Ask<'n> {
    /// Inner `None`: a protocol that no port has.
    protocol: Option<Option<Protocol>>,
    port: Option<&'n [u8]>,
}

impl<'n> Ask<'n> {
    fn of(protocol: &[u8], port: Option<&'n [u8]>) -> Self {
        Self {
            protocol: Some(Protocol::of_label(protocol)),
            port,
        }
    }

    fn takes(&self, port: &Port<'_>) -> bool {
        let Some(protocol) = self.protocol else {
            return true;
        };
        // Below a protocol only what has a name is found.
        protocol == Some(port.protocol)
            && !port.name.is_empty()
            && self
                .port
                .is_none_or(|name| name.strip_prefix(b"_") == Some(port.name.as_bytes()))
    }
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
        let Some(labels) = below.labels() else {
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

    /// True for a name that the SOA record speaks for: one of the cluster, not one of the configuration.
    pub fn is_authority_for(&self, name: &WireName) -> bool {
        self.hosts.addresses(name).is_none() || name.is_within(&self.origin)
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
            let slices = self.slices_of(id);
            slices.flat_map(move |(_, slice)| {
                slice
                    .addresses
                    .iter()
                    .enumerate()
                    .filter(move |(at, its)| match hostname(slice, *at) {
                        Some(hostname) => hostname.as_bytes() == label,
                        None => Some(*its) == address,
                    })
                    .map(|(_, its)| its)
            })
        };
        match matching().next() {
            None => Lookup::NxDomain,
            Some(_) => addresses(kind, matching(), found),
        }
    }

    /// SRV records of the ports that are asked for; `NoData` where there is none.
    fn srv(&self, id: u32, service: &Service, ask: &Ask<'_>, found: &mut Vec<Data>) -> Lookup<'_> {
        let record = |port: u16, target| Data::Srv {
            port,
            weight: 0,
            target,
        };
        match service {
            Service::Cluster { ports, .. } => {
                let taken = ports.iter().filter(|port| ask.takes(port));
                found.extend(taken.map(|port| record(port.number, Target::Service(id))));
            }
            _ => {
                for (slice_id, slice) in self.slices_of(id) {
                    for port in slice.ports.iter().filter(|port| ask.takes(port)) {
                        found.extend((0..slice.addresses.len() as u32).map(|at| {
                            let slice = slice_id;
                            record(port.number, Target::Endpoint { slice, at })
                        }));
                    }
                }
                found.sort_unstable_by_key(|data| self.order(data));
            }
        }
        // Endpoints that share a host name are one target.
        found.dedup_by_key(|data| self.order(data));
        // The specification leaves the weights open; equal shares are what CoreDNS gives.
        let share = u16::try_from(100 / found.len().max(1))
            .unwrap_or(100)
            .max(1);
        for data in found.iter_mut() {
            if let Data::Srv { weight, .. } = data {
                *weight = share;
            }
        }
        if found.is_empty() {
            Lookup::NoData
        } else {
            Lookup::Found
        }
    }

    /// By port, then by the label of the target.
    fn order(&self, data: &Data) -> (u16, Option<&str>, Option<IpAddr>) {
        match data {
            Data::Srv {
                port,
                target: Target::Endpoint { slice, at },
                ..
            } => {
                let slice = &self.slices[*slice];
                match hostname(slice, *at as usize) {
                    Some(hostname) => (*port, Some(hostname), None),
                    None => (*port, None, slice.addresses.get(*at as usize)),
                }
            }
            Data::Srv { port, .. } => (*port, None, None),
            _ => (0, None, None),
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
        found.dedup();
        if found.is_empty() && self.hosts.name(address).is_some() {
            found.push(Data::Ptr(Target::Host(address)));
        }
        match kind {
            _ if found.is_empty() => {
                if self.reverse.iter().any(|net| net.contains(&address)) {
                    Lookup::NxDomain
                } else {
                    Lookup::Elsewhere
                }
            }
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

    /// Addresses of the targets of SRV records and of the name server, for the additional section.
    pub fn addresses_of(&self, target: Target, mut each: impl FnMut(IpAddr)) {
        match target {
            Target::Host(address) => each(address),
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

fn hostname(slice: &Slice, at: usize) -> Option<&str> {
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
