//! One Service port in force, and the elements that it is made of.

use crate::compile::{Front, PortSpec, Role, Target};
use crate::family::Endpoint;
use crate::layout::{Class, Element, Flags, Group, Key, Mark, Value};
use crate::model::Policy;

/// A group's endpoints by slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSlots {
    pub group: Group,
    pub slots: Box<[Endpoint]>,
}

impl GroupSlots {
    /// Its elements.
    pub fn elements(&self) -> impl Iterator<Item = Element> + '_ {
        let slots = (0..=u16::MAX).zip(self.slots.iter());
        slots.map(|(slot, endpoint)| (Key::Slot(self.group, slot), Value::Endpoint(*endpoint)))
    }
}

/// A port with its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub spec: PortSpec,
    /// The endpoints for the policy Cluster. Its group is also the port's own: steps before the
    /// choice are found by it.
    pub cluster: GroupSlots,
    /// The endpoints for the policy Local, if a policy is.
    pub local: Option<GroupSlots>,
}

impl Port {
    /// Its groups.
    pub fn groups(&self) -> impl Iterator<Item = &GroupSlots> {
        std::iter::once(&self.cluster).chain(&self.local)
    }

    /// Endpoints that answer, new flows or old ones.
    pub fn serving(&self) -> impl Iterator<Item = Endpoint> + '_ {
        let chosen = self.groups().flat_map(|group| group.slots.iter());
        chosen.chain(&self.spec.draining).copied()
    }

    /// The elements that only this port has, except for slots: steps between an address and a slot.
    pub fn steps(&self) -> Vec<Element> {
        let mut out = Vec::new();
        let own = self.cluster.group;
        let has = |role: Role| self.spec.fronts.iter().any(|front| front.role == role);
        let internal = has(Role::Internal);
        let guarded = self.spec.fronts.iter().any(|front| front.role.is_guarded());
        let external = guarded || has(Role::External) || has(Role::NodePort);
        if internal {
            self.sticky(self.spec.internal, &mut out);
        }
        if external && self.by_source() {
            let inside = self.inside();
            out.push((Key::FromInside(own), Value::Mark(self.choice(inside))));
            out.push((
                Key::FromOutside(own),
                Value::Mark(self.choice(self.spec.external)),
            ));
            self.sticky(inside, &mut out);
        }
        if external {
            self.sticky(self.spec.external, &mut out);
        }
        if guarded {
            out.push((Key::AfterRanges(own), Value::Mark(self.external())));
            let ranges = self.spec.source_ranges.iter();
            out.extend(ranges.map(|range| (Key::SourceRange(own, *range), Value::Member)));
        }
        if let Some(seconds) = self.spec.affinity {
            for group in self.groups().filter(|group| !group.slots.is_empty()) {
                out.push((Key::Learn(group.group), Value::Learn(seconds)));
                let live = group.slots.iter();
                out.extend(live.map(|e| (Key::Live(group.group, *e), Value::Member)));
            }
        }
        // Two targets may be the same.
        out.sort_unstable_by_key(|(key, _)| *key);
        out.dedup();
        out
    }

    /// What an address of this port gives a packet to go on with.
    pub fn mark(&self, front: &Front) -> Mark {
        match front.role {
            Role::Internal => self.choice(self.spec.internal),
            Role::Guarded | Role::GuardedNodePort => {
                Mark::new(self.cluster.group, Flags::NONE, Class::SOURCE_RANGES)
            }
            Role::External | Role::NodePort => self.external(),
        }
    }

    fn external(&self) -> Mark {
        if self.by_source() {
            Mark::new(self.cluster.group, Flags::NONE, Class::BY_SOURCE)
        } else {
            self.choice(self.spec.external)
        }
    }

    /// Whether clients inside and outside get different answers: with no endpoint anywhere all get
    /// the same.
    fn by_source(&self) -> bool {
        self.spec.external.policy == Policy::Local && self.spec.any
    }

    fn inside(&self) -> Target {
        Target {
            policy: Policy::Cluster,
            flags: self.spec.inside,
        }
    }

    fn slots(&self, policy: Policy) -> &GroupSlots {
        match (policy, &self.local) {
            (Policy::Local, Some(local)) => local,
            _ => &self.cluster,
        }
    }

    /// The mark that chooses an endpoint, or says that there is none.
    fn choice(&self, target: Target) -> Mark {
        let group = self.slots(target.policy);
        let class = match Class::for_count(group.slots.len()) {
            Some(_) if self.spec.affinity.is_some() => Class::STICKY,
            Some(class) => class,
            // The closed port of a Service that is served elsewhere would be a lie.
            None if self.spec.any => {
                return Mark::new(self.cluster.group, Flags::NONE, Class::DENY);
            }
            None => return Mark::new(self.cluster.group, Flags::NONE, Class::REJECT),
        };
        Mark::new(group.group, target.flags, class)
    }

    /// With affinity, the step that follows [`Port::choice`].
    fn sticky(&self, target: Target, out: &mut Vec<Element>) {
        let group = self.slots(target.policy);
        if let (Some(_), Some(class)) = (self.spec.affinity, Class::for_count(group.slots.len())) {
            let key = Key::Sticky(group.group.family, group.group.bits() | target.flags.bits());
            let mark = Mark::new(group.group, target.flags | Flags::LEARN, class);
            out.push((key, Value::Mark(mark)));
        }
    }
}
