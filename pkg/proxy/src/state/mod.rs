//! What is in force: every Service's ports with their ids and slots, and how it changes.
//!
//! [`State::update`] puts one Service's new plan in the place of its old one and says which
//! elements differ. It costs what the Service is large, whatever the number of Services. What
//! several Services may share, an address, is counted or claimed.

mod changes;
mod claims;
mod delta;
mod hairpins;
mod ids;
mod port;
mod recovered;
mod shared;
mod slots;
mod stale;
#[cfg(test)]
mod tests;
mod update;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::compile::Role;
use crate::family::{Endpoint, Family, Protocol};
use crate::layout::{Element, Group, Key, ServiceKey, Value, fixed_elements};
use crate::model::ServiceName;
use claims::Claims;
use hairpins::Hairpins;
use ids::Ids;
use port::{GroupSlots, Port};
use shared::Counted;

pub use changes::Changes;
pub use delta::{Delta, Forget};
pub use recovered::Recovered;
pub use stale::{Flow, Scope, Stale};

/// All that the kernel should hold.
#[derive(Debug, Default)]
pub struct State {
    services: HashMap<ServiceName, Applied>,
    ids: [Ids; 2],
    claims: Claims,
    cluster_ips: Counted,
    hairpins: Hairpins,
    /// Timeouts of affinity, with the number of groups that have them.
    timeouts: HashMap<(Family, u32), u32>,
}

/// One Service in force.
#[derive(Debug, Default)]
struct Applied {
    ports: Box<[Port]>,
    cluster_ips: Box<[std::net::IpAddr]>,
}

impl State {
    /// The kernel has what it should: ids that were given back may come again.
    pub fn settle(&mut self) {
        self.ids.iter_mut().for_each(Ids::settle);
    }

    /// True if elements are to go once the packets have passed that are on their way now: then [`State::end_settling`] is to be
    /// called.
    pub fn begin_settling(&mut self) -> bool {
        self.hairpins.begin_settling()
    }

    /// Packets have passed: what they needed goes.
    pub fn end_settling(&mut self, changes: &mut Changes) {
        for address in self.hairpins.settle() {
            changes.remove((Key::Hairpin(address), Value::Member));
        }
    }

    /// Calls `each` with every element of one family that the kernel should hold.
    pub fn for_each(&self, family: Family, mut each: impl FnMut(Element)) {
        fixed_elements(family).for_each(&mut each);
        let cluster_ips = self.cluster_ips.of(family);
        cluster_ips.for_each(|address| each((Key::ClusterIp(address), Value::Member)));
        let hairpins = self.hairpins.of(family);
        hairpins.for_each(|address| each((Key::Hairpin(address), Value::Member)));
        for (key, mark) in self.claims.iter() {
            if Family::of(key.address) == family {
                each((Key::Service(key), Value::Mark(mark)));
            }
        }
        for port in self.ports().filter(|port| port.spec.id.family == family) {
            port.steps().into_iter().for_each(&mut each);
            port.groups()
                .flat_map(GroupSlots::elements)
                .for_each(&mut each);
        }
    }

    /// What `have` lacks, and what it has in excess. Consumes it, so that there is never a second
    /// copy of the whole.
    pub fn difference(
        &self,
        family: Family,
        mut have: HashMap<Key, Value>,
    ) -> (Vec<Element>, Vec<Element>) {
        let (mut remove, mut add) = (Vec::new(), Vec::new());
        self.for_each(family, |(key, value)| match have.remove(&key) {
            Some(there) if there == value => {}
            Some(there) => {
                remove.push((key, there));
                add.push((key, value));
            }
            None => add.push((key, value)),
        });
        remove.extend(have);
        (remove, add)
    }

    /// The timeouts of affinity, each of which needs a chain.
    pub fn timeouts(&self) -> impl Iterator<Item = (Family, u32)> + '_ {
        self.timeouts.keys().copied()
    }

    /// Groups with affinity, with the endpoints that clients may be remembered for.
    pub fn learning(&self) -> HashMap<Group, HashSet<Endpoint>> {
        self.ports()
            .filter(|port| port.spec.affinity.is_some())
            .flat_map(Port::groups)
            .map(|group| (group.group, group.slots.iter().copied().collect()))
            .collect()
    }

    /// UDP addresses among elements that the kernel lacked: flows may have passed them by.
    pub fn passed_by<'a>(&self, added: impl Iterator<Item = &'a Element>, forget: &mut Forget) {
        for (key, _) in added {
            if let Key::Service(key) = key
                && key.protocol == Protocol::Udp
                && let Some(port) = self.port_at(key)
            {
                forget.stale.serve(*key, port.serving());
            }
        }
    }

    /// Brings what is to be forgotten up to what is right by now.
    pub fn refresh(&self, forget: &mut Forget) {
        self.refresh_stale(&mut forget.stale);
        let mut learning = self.learning();
        for (group, endpoints) in &mut forget.learnt {
            *endpoints = learning.remove(group).unwrap_or_default();
        }
    }

    /// The same for flows alone.
    pub fn refresh_stale(&self, stale: &mut Stale) {
        stale.amend(|key| Some(self.port_at(key)?.serving().collect()));
    }

    /// The port that is asked at an address.
    fn port_at(&self, key: &ServiceKey) -> Option<&Port> {
        let applied = self.services.get(self.claims.owner(key)?)?;
        applied.ports.iter().find(|port| {
            port.spec.id.protocol == key.protocol
                && port
                    .spec
                    .fronts
                    .iter()
                    .any(|front| (front.address, front.port) == (key.address, key.port))
        })
    }

    /// Who is asked at an address, and what kind of address it is.
    pub fn front(&self, key: &ServiceKey) -> Option<(&ServiceName, Role)> {
        let name = self.claims.owner(key)?;
        let fronts = self.port_at(key)?.spec.fronts.iter();
        let mut here =
            fronts.filter(|front| (front.address, front.port) == (key.address, key.port));
        here.next().map(|front| (name, front.role))
    }

    /// The Service of a cluster IP.
    pub fn owner_of(&self, cluster_ip: IpAddr) -> Option<&ServiceName> {
        let mut all = self.services.iter();
        all.find(|(_, applied)| applied.cluster_ips.contains(&cluster_ip))
            .map(|(name, _)| name)
    }

    /// Number of Services in force.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    fn ports(&self) -> impl Iterator<Item = &Port> {
        self.services
            .values()
            .flat_map(|applied| applied.ports.iter())
    }

    fn ids_of(&mut self, family: Family) -> &mut Ids {
        &mut self.ids[family as usize]
    }
}
