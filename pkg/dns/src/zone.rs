//! The cluster's names as a function of its objects: what a name and a type lead to. No sockets, no clock.
//!
//! An object takes a few hundred octets: addresses are kept as octets, whatever else follows from them (names of
//! endpoints, reverse names, records) is made when it is asked for.

mod lookup;
mod named;
mod pointers;
mod srv;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use kedge_client::{Change, Resource};
use kedge_machinery::service_cidr;

use crate::hosts::Hosts;
use crate::model::{self, Addresses};
use crate::name::WireName;
use crate::ports::Ports;
pub use lookup::{Kind, Lookup};
use named::Named;
use pointers::{Owner, Pointers};

/// No slice: the end of a Service's chain of slices.
const NONE: u32 = u32::MAX;

/// All names of the cluster.
#[derive(Debug)]
pub struct Zone {
    /// `cluster.local`, in wire form.
    origin: Box<[u8]>,
    /// Its name server's own address.
    server: IpAddr,
    /// Ranges whose reverse names are the cluster's alone.
    reverse: Vec<IpNet>,
    /// The same, of ServiceCIDRs.
    service_cidrs: BTreeMap<String, Vec<IpNet>>,
    /// Domains within the cluster's whose other names another resolver knows.
    open: Vec<WireName>,
    /// Counts changes (RFC 1035, 3.3.13).
    serial: u32,
    namespaces: Named<Namespace>,
    /// By namespace; one that has slices alone is here too.
    services: Named<Service>,
    slices: Named<Slice>,
    pointers: Pointers,
    hosts: Hosts,
}

#[derive(Debug, Default)]
struct Namespace {
    /// The object itself is there, not only what is in it.
    there: bool,
    /// Services and slices that are kept under it.
    uses: u32,
}

#[derive(Debug)]
struct Service {
    object: Option<model::Service>,
    /// The first slice of the chain.
    first: u32,
}

#[derive(Debug)]
struct Slice {
    service: u32,
    /// The next slice of the same Service.
    next: u32,
    addresses: Addresses,
    hostnames: Box<[Box<str>]>,
    ports: Ports,
}

/// Data of one record. Names are made when the record is written: see [`Zone::name_of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Address(IpAddr),
    Srv {
        port: u16,
        weight: u16,
        target: Target,
    },
    Ptr(Target),
    Txt(&'static str),
    Soa,
    Ns,
    /// What a question for every type gets (RFC 8482).
    Hinfo,
}

/// A name of the cluster, as long as the zone does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Service(u32),
    Endpoint {
        slice: u32,
        at: u32,
    },
    /// A name of the configuration, by its address and its place among the names of that.
    Host {
        address: IpAddr,
        at: u32,
    },
}

/// A change that was read, and only has to be put in place.
#[derive(Debug)]
pub enum Update {
    Namespace(String, bool),
    Service(String, String, Option<model::Service>),
    Slice(String, String, Option<model::Slice>),
    ServiceCidr(String, Vec<IpNet>),
}

impl Update {
    /// Reads a change; `None` for kinds without names.
    #[must_use]
    pub fn read(change: Change) -> Option<Self> {
        let (namespace, name) = (change.key.namespace, change.key.name);
        let json = change.object;
        match change.key.resource {
            Resource::NAMESPACES => Some(Self::Namespace(name, json.is_some())),
            Resource::SERVICES => {
                let service = json.and_then(|json| model::service(&json.text()));
                Some(Self::Service(namespace, name, service))
            }
            Resource::ENDPOINTSLICES => {
                let slice = json.and_then(|json| model::slice(&json.text()));
                Some(Self::Slice(namespace, name, slice))
            }
            Resource::SERVICECIDRS => {
                let ranges = json.map(|json| service_cidr::ranges(&json.text()));
                Some(Self::ServiceCidr(name, ranges.unwrap_or_default()))
            }
            _ => None,
        }
    }
}

impl Zone {
    /// `origin` is the cluster's domain, `serial` what its SOA counts changes from.
    #[must_use]
    pub fn new(origin: &WireName, server: IpAddr, reverse: Vec<IpNet>, serial: u32) -> Self {
        Self {
            origin: origin.as_bytes().into(),
            server,
            reverse,
            service_cidrs: BTreeMap::new(),
            open: Vec::new(),
            serial,
            namespaces: Named::default(),
            services: Named::default(),
            slices: Named::default(),
            pointers: Pointers::default(),
            hosts: Hosts::default(),
        }
    }

    /// With names beside the cluster's.
    #[must_use]
    pub fn with_hosts(self, hosts: Hosts) -> Self {
        Self { hosts, ..self }
    }

    /// Names in these domains that the cluster does not have are another resolver's; domains outside the cluster's are
    /// left out, as their names never are the cluster's.
    #[must_use]
    pub fn with_open(self, domains: impl Iterator<Item = WireName>) -> Self {
        let open = domains
            .filter(|domain| domain.is_within(&self.origin))
            .collect();
        Self { open, ..self }
    }

    /// The zone's own name, in wire form.
    #[must_use]
    pub fn origin(&self) -> &[u8] {
        &self.origin
    }

    #[must_use]
    pub fn server(&self) -> IpAddr {
        self.server
    }

    #[must_use]
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// Puts a change in place.
    pub fn take(&mut self, update: Update) {
        self.serial = self.serial.wrapping_add(1);
        match update {
            Update::Namespace(name, there) => {
                let id = self.namespace(&name);
                self.namespaces[id].there = there;
                self.let_namespace_go(id);
            }
            Update::Service(namespace, name, object) => self.set_service(&namespace, &name, object),
            Update::Slice(namespace, name, slice) => self.set_slice(&namespace, &name, slice),
            Update::ServiceCidr(name, ranges) if ranges.is_empty() => {
                self.service_cidrs.remove(&name);
            }
            Update::ServiceCidr(name, ranges) => {
                self.service_cidrs.insert(name, ranges);
            }
        }
    }

    fn set_service(&mut self, namespace: &str, name: &str, object: Option<model::Service>) {
        let namespace = self.namespace(namespace);
        let id = self.service(namespace, name);
        if let Some(model::Service::Cluster { addresses, .. }) = &self.services[id].object {
            for address in addresses {
                self.pointers.remove(*address, Owner::Service(id));
            }
        }
        if let Some(model::Service::Cluster { addresses, .. }) = &object {
            for address in addresses {
                self.pointers.insert(*address, Owner::Service(id));
            }
        }
        self.services[id].object = object;
        self.let_service_go(id);
        self.let_namespace_go(namespace);
    }

    fn set_slice(&mut self, namespace: &str, name: &str, slice: Option<model::Slice>) {
        let namespace = self.namespace(namespace);
        if let Some(id) = self.slices.find(namespace, name.as_bytes()) {
            let old = self.slices.remove(id);
            self.namespaces[namespace].uses -= 1;
            for address in old.addresses.iter() {
                self.pointers.remove(address, Owner::Slice(id));
            }
            self.unchain(old.service, id, old.next);
            self.let_service_go(old.service);
        }
        if let Some(slice) = slice {
            let service = self.service(namespace, &slice.service);
            let next = self.services[service].first;
            let kept = Slice {
                service,
                next,
                addresses: slice.addresses,
                hostnames: slice.hostnames,
                ports: slice.ports,
            };
            let id = self.slices.insert(namespace, name, kept);
            self.namespaces[namespace].uses += 1;
            self.services[service].first = id;
            for address in self.slices[id].addresses.iter() {
                self.pointers.insert(address, Owner::Slice(id));
            }
        }
        self.let_namespace_go(namespace);
    }

    /// Takes a slice out of its Service's chain.
    fn unchain(&mut self, service: u32, slice: u32, next: u32) {
        let mut at = self.services[service].first;
        if at == slice {
            self.services[service].first = next;
            return;
        }
        while at != NONE {
            let entry = &mut self.slices[at];
            if entry.next == slice {
                entry.next = next;
                return;
            }
            at = entry.next;
        }
    }

    fn namespace(&mut self, name: &str) -> u32 {
        match self.namespaces.find(NONE, name.as_bytes()) {
            Some(id) => id,
            None => self.namespaces.insert(NONE, name, Namespace::default()),
        }
    }

    fn service(&mut self, namespace: u32, name: &str) -> u32 {
        if let Some(id) = self.services.find(namespace, name.as_bytes()) {
            return id;
        }
        self.namespaces[namespace].uses += 1;
        let empty = Service {
            object: None,
            first: NONE,
        };
        self.services.insert(namespace, name, empty)
    }

    fn let_service_go(&mut self, id: u32) {
        let service = &self.services[id];
        if service.object.is_none() && service.first == NONE {
            let namespace = self.services.namespace(id);
            self.services.remove(id);
            self.namespaces[namespace].uses -= 1;
        }
    }

    fn let_namespace_go(&mut self, id: u32) {
        let namespace = &self.namespaces[id];
        if !namespace.there && namespace.uses == 0 {
            self.namespaces.remove(id);
        }
    }

    fn slices_of(&self, service: u32) -> impl Iterator<Item = (u32, &Slice)> {
        let mut at = self.services[service].first;
        std::iter::from_fn(move || {
            let id = at;
            let slice = (id != NONE).then(|| &self.slices[id])?;
            at = slice.next;
            Some((id, slice))
        })
    }

    /// The name that a record leads to.
    #[must_use]
    pub fn name_of(&self, target: Target) -> WireName {
        let mut name = WireName::root();
        let service = match target {
            Target::Service(id) => id,
            Target::Host { address, at } => {
                let names = self.hosts.names(address);
                return names.get(at as usize).copied().unwrap_or(name);
            }
            Target::Endpoint { slice, at } => {
                let slice = &self.slices[slice];
                match slice.hostnames.get(at as usize) {
                    Some(hostname) if !hostname.is_empty() => name.push(hostname.as_bytes()),
                    _ => slice
                        .addresses
                        .get(at as usize)
                        .is_some_and(|address| name.push(Dashed::of(address).as_bytes())),
                };
                slice.service
            }
        };
        let namespace = self.services.namespace(service);
        name.push(self.services.name(service).as_bytes());
        name.push(self.namespaces.name(namespace).as_bytes());
        name.push(b"svc");
        name.append(&self.origin);
        name
    }
}

/// `10-42-0-11`, `fd00-42--11`: an address as a label.
struct Dashed {
    octets: [u8; 45],
    length: usize,
}

impl Dashed {
    fn of(address: IpAddr) -> Self {
        use std::io::Write;
        let mut octets = [0; 45];
        let mut rest = &mut octets[..];
        // The longest text of an address is as long as the room for it.
        let _ = write!(rest, "{address}");
        let mut length = 45 - rest.len();
        for octet in &mut octets[..length] {
            if matches!(octet, b'.' | b':') {
                *octet = b'-';
            }
        }
        // No label of a host ends in a dash (RFC 1123, 2.1): `fd00:42::` is `fd00:42::0`.
        if octets[..length].ends_with(b"-") && length < octets.len() {
            octets[length] = b'0';
            length += 1;
        }
        Self { octets, length }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

/// The address that a label stands for.
fn undashed(label: &[u8]) -> Option<IpAddr> {
    let mut text = [0; 45];
    let text = text.get_mut(..label.len())?;
    for (separator, dashes) in [(b'.', 3..4), (b':', 2..8)] {
        text.copy_from_slice(label);
        let mut found = 0;
        for octet in text.iter_mut().filter(|octet| **octet == b'-') {
            *octet = separator;
            found += 1;
        }
        let parsed = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
        if dashes.contains(&found) && parsed.is_some() {
            return parsed;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_for_an_address_and_back() {
        for (text, label) in [
            ("10.42.0.11", "10-42-0-11"),
            ("fd00:42::11", "fd00-42--11"),
            ("::1", "--1"),
            ("fd00:42::", "fd00-42--0"),
            ("fd00::2:3", "fd00--2-3"),
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(Dashed::of(address).as_bytes(), label.as_bytes());
            assert_eq!(undashed(label.as_bytes()), Some(address));
        }
        for label in ["web", "10-42-0", "1-2-3-4-5", &"-".repeat(63)] {
            assert_eq!(undashed(label.as_bytes()), None, "{label}");
        }
    }
}
