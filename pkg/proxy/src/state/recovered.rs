//! What the kernel still knows from a former run.

use std::collections::{HashMap, HashSet};

use crate::compile::{PortSpec, Role};
use crate::family::{Endpoint, Family, Protocol};
use crate::layout::{Class, Group, Key, Mark, ServiceKey, Value};
use crate::model::Policy;

/// Ids and slots as the kernel has them. Taking them over leaves connections, and most elements, as
/// they are.
#[derive(Debug, Default)]
pub struct Recovered {
    services: HashMap<ServiceKey, Mark>,
    outside: HashMap<Group, Mark>,
    slots: HashMap<Group, Vec<(u16, Endpoint)>>,
    taken: HashSet<Group>,
}

impl Recovered {
    pub fn new<'a>(elements: impl Iterator<Item = (&'a Key, &'a Value)>) -> Self {
        let mut recovered = Self::default();
        for (key, value) in elements {
            match (*key, *value) {
                (Key::Service(key), Value::Mark(mark)) => {
                    recovered.services.insert(key, mark);
                }
                (Key::FromOutside(group), Value::Mark(mark)) => {
                    recovered.outside.insert(group, mark);
                }
                (Key::Slot(group, slot), Value::Endpoint(endpoint)) => {
                    recovered
                        .slots
                        .entry(group)
                        .or_default()
                        .push((slot, endpoint));
                }
                _ => {}
            }
        }
        for slots in recovered.slots.values_mut() {
            slots.sort_unstable();
        }
        recovered
    }

    /// The groups that a port had: its own, and that of local endpoints. Each group is given once.
    pub fn groups(&mut self, spec: &PortSpec) -> (Option<Group>, Option<Group>) {
        let (mut own, mut local) = (None, None);
        for front in &spec.fronts {
            let key = ServiceKey {
                address: front.address,
                protocol: spec.id.protocol,
                port: front.port,
            };
            let Some(mark) = self.services.get(&key) else {
                continue;
            };
            let group = Group {
                family: spec.id.family,
                id: mark.group_id(),
            };
            // Only a direct choice of local endpoints has their group in the mark.
            let class = mark.class();
            let chooses = class.is_count() || class == Class::STICKY;
            if front.role == Role::Internal && spec.internal.policy == Policy::Local && chooses {
                local.get_or_insert(group);
            } else {
                own.get_or_insert(group);
            }
        }
        if let Some(mark) = own.and_then(|own| self.outside.get(&own)) {
            local.get_or_insert(Group {
                family: spec.id.family,
                id: mark.group_id(),
            });
        }
        let own = own.filter(|group| self.taken.insert(*group));
        let local = local.filter(|group| self.taken.insert(*group));
        (own, local)
    }

    /// A group's endpoints by slot, up to the first hole.
    pub fn slots(&self, group: Group) -> Vec<Endpoint> {
        let slots = self.slots.get(&group).into_iter().flatten();
        slots
            .enumerate()
            .take_while(|(index, (slot, _))| *index == usize::from(*slot))
            .map(|(_, (_, endpoint))| *endpoint)
            .collect()
    }

    /// Every group that the kernel has anything of.
    pub fn all(&self) -> HashSet<Group> {
        let asked = self
            .services
            .iter()
            .map(|(key, mark)| (Family::of(key.address), mark));
        let local = self
            .outside
            .iter()
            .map(|(group, mark)| (group.family, mark));
        let marked = asked.chain(local).map(|(family, mark)| Group {
            family,
            id: mark.group_id(),
        });
        marked.chain(self.slots.keys().copied()).collect()
    }

    /// Those of them that no port has taken over.
    pub fn left(&self) -> impl Iterator<Item = Group> + '_ {
        self.all()
            .into_iter()
            .filter(|group| !self.taken.contains(group))
    }

    /// UDP addresses that the kernel had, with the groups that they led to.
    pub fn udp(&self) -> impl Iterator<Item = (ServiceKey, Vec<Group>)> + '_ {
        let udp = self
            .services
            .iter()
            .filter(|(key, _)| key.protocol == Protocol::Udp);
        udp.map(|(key, mark)| {
            let family = Family::of(key.address);
            let group = |mark: &Mark| Group {
                family,
                id: mark.group_id(),
            };
            let own = group(mark);
            let local = self.outside.get(&own).map(group);
            (*key, std::iter::once(own).chain(local).collect())
        })
    }
}
