//! SRV records: ports, and the Service or endpoints behind them.

use std::net::IpAddr;

use super::lookup::hostname;
use super::{Data, Lookup, Target, Zone};
use crate::model::Service;
use crate::ports::{Port, Protocol};

/// The ports that a name asks for: by `_protocol`, and by `_port` above it.
#[derive(Default)]
pub struct Ask<'n> {
    /// Inner `None`: a protocol that no port has.
    protocol: Option<Option<Protocol>>,
    port: Option<&'n [u8]>,
}

impl<'n> Ask<'n> {
    pub fn of(protocol: &[u8], port: Option<&'n [u8]>) -> Self {
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
    /// SRV records of the ports that are asked for; `NoData` where there is none.
    pub(super) fn srv(
        &self,
        id: u32,
        service: &Service,
        ask: &Ask<'_>,
        found: &mut Vec<Data>,
    ) -> Lookup<'_> {
        let Service::Cluster { ports, .. } = service else {
            let targets = self.slices_of(id).flat_map(|(id, slice)| {
                let all = 0..slice.addresses.len() as u32;
                all.map(move |at| (id, at))
            });
            return self.endpoint_srv(targets, ask, found);
        };
        let taken = ports.iter().filter(|port| ask.takes(port));
        found.extend(taken.map(|port| srv(port.number, Target::Service(id))));
        self.shared(found)
    }

    /// The same of these endpoints: each a slice, and the place in it.
    pub(super) fn endpoint_srv(
        &self,
        targets: impl Iterator<Item = (u32, u32)>,
        ask: &Ask<'_>,
        found: &mut Vec<Data>,
    ) -> Lookup<'_> {
        for (slice, at) in targets {
            let ports = self.slices[slice].ports.iter();
            let taken = ports.filter(|port| ask.takes(port));
            found.extend(taken.map(|port| srv(port.number, Target::Endpoint { slice, at })));
        }
        found.sort_unstable_by_key(|data| self.order(data));
        self.shared(found)
    }

    /// Each target once, and weights for them.
    fn shared(&self, found: &mut Vec<Data>) -> Lookup<'_> {
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
}

fn srv(port: u16, target: Target) -> Data {
    Data::Srv {
        port,
        weight: 0,
        target,
    }
}
