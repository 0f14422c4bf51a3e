//! Elements of the sets and maps, as values.

use std::net::IpAddr;

use ipnet::IpNet;

use super::class::Class;
use super::mark::{Group, Mark};
use crate::family::{Endpoint, Family, Protocol};

/// Which element: its set, and the key in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// `svc`: an address that a Service is asked at.
    Service(ServiceKey),
    /// `cluster-ips`: the other ports of this address are closed.
    ClusterIp(IpAddr),
    /// `eps`: a slot of a group.
    Slot(Group, u16),
    /// `hairpin`: an endpoint that may come to itself.
    Hairpin(IpAddr),
    /// `source-ranges`: who may come, by the port's own group.
    SourceRange(Group, IpNet),
    /// `after-ranges`: what comes after the source ranges.
    AfterRanges(Group),
    /// `from-inside`: what comes after [`Class::BY_SOURCE`] for clients in the cluster and on the
    /// node.
    FromInside(Group),
    /// `from-outside`: the same for all others.
    FromOutside(Group),
    /// `sticky`: what comes after [`Class::STICKY`]; the group with flags, as the mark has them.
    Sticky(Family, u32),
    /// `learn`: for how long a group's clients are remembered.
    Learn(Group),
    /// `live`: an endpoint that a group's clients may be remembered for.
    Live(Group, Endpoint),
    /// One of the maps from classes to chains.
    Dispatch(Family, Dispatch, Class),
}

/// An address, a protocol and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceKey {
    pub address: IpAddr,
    pub protocol: Protocol,
    pub port: u16,
}

impl std::fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = std::net::SocketAddr::new(self.address, self.port);
        write!(f, "{at}/{}", format!("{:?}", self.protocol).to_uppercase())
    }
}

/// The maps from classes to chains: one for each place that they are looked up from, since a chain
/// must not be reached through a map that it uses itself (`EMLINK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dispatch {
    Services,
    SourceRanges,
    BySource,
    Sticky,
}

/// What an element of a map holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value {
    /// Nothing: the element of a set.
    Member,
    Mark(Mark),
    Endpoint(Endpoint),
    /// The chain that learns for this number of seconds.
    Learn(u32),
    /// The chain of the class that is the key.
    Chain,
    /// Something that is not ours to find there.
    Foreign,
}

/// An element.
pub type Element = (Key, Value);

impl Key {
    pub fn family(&self) -> Family {
        match self {
            Self::Service(key) => Family::of(key.address),
            Self::ClusterIp(address) | Self::Hairpin(address) => Family::of(*address),
            Self::Slot(group, _)
            | Self::Live(group, _)
            | Self::SourceRange(group, _)
            | Self::AfterRanges(group)
            | Self::FromInside(group)
            | Self::FromOutside(group)
            | Self::Learn(group) => group.family,
            Self::Sticky(family, _) | Self::Dispatch(family, ..) => *family,
        }
    }
}
