//! One Service's new plan in the place of its old one.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::claims::Claim;
use super::port::{GroupSlots, Port};
use super::slots;
use super::{Applied, Changes, Delta, Recovered, State};
use crate::compile::{PortId, PortPlan, PortSpec, Role, ServicePlan};
use crate::family::{Endpoint, Family, Protocol};
use crate::layout::{Element, Group, Key, Mark, ServiceKey, Value};
use crate::model::ServiceName;

/// What a port had for endpoints before, its own group and the local one.
type Former = (Option<GroupSlots>, Option<GroupSlots>);

impl State {
    /// Puts `plan` in force for a Service and records what that changes. `recovered` is what the
    /// kernel knew at start.
    pub fn update(
        &mut self,
        name: &ServiceName,
        plan: ServicePlan,
        mut recovered: Option<&mut Recovered>,
        delta: &mut Delta,
    ) {
        let old = self.services.remove(name).unwrap_or_default();
        let changes = &mut delta.changes;
        replace_counted(
            &mut self.cluster_ips,
            Key::ClusterIp,
            &old.cluster_ips,
            &plan.cluster_ips,
            changes,
        );
        let old_fronts = fronts(&old.ports);
        let mut before: HashMap<PortId, Port> = old
            .ports
            .into_vec()
            .into_iter()
            .map(|port| (port.spec.id, port))
            .collect();
        let mut ports = Vec::with_capacity(plan.ports.len());
        // UDP ports that have lost endpoints.
        let mut shrunk = HashSet::new();
        for port in plan.ports {
            let id = port.spec.id;
            let former = before.remove(&id);
            let known = former
                .as_ref()
                .map(|port| (Some(port.cluster.clone()), port.local.clone()));
            let known =
                known.unwrap_or_else(|| Self::recover(&port.spec, recovered.as_deref_mut()));
            let Some(port) = self.settle_port(port, &known) else {
                tracing::error!(
                    "Service {name}, port {}: no group id is free, it gets no rules",
                    id.port
                );
                before.extend(former.map(|former| (id, former)));
                continue;
            };
            self.replace_port(former.as_ref(), Some(&port), &mut delta.changes);
            if forget(former.as_ref(), &known, &port, delta) {
                shrunk.insert(id);
            }
            ports.push(port);
        }
        for port in before.values() {
            self.replace_port(Some(port), None, &mut delta.changes);
            for group in port.groups() {
                self.ids_of(group.group.family).release(group.group.id);
                if port.spec.affinity.is_some() {
                    delta.forget.learnt.insert(group.group, HashSet::new());
                }
            }
        }
        self.replace_fronts(name, old_fronts, &ports, &shrunk, delta);
        if !ports.is_empty() || !plan.cluster_ips.is_empty() {
            let applied = Applied {
                ports: ports.into(),
                cluster_ips: plan.cluster_ips.into(),
            };
            self.services.insert(name.clone(), applied);
        }
    }

    /// Before any Service is updated with what was recovered: keeps new groups from taking ids that
    /// the kernel has.
    pub fn reserve(&mut self, recovered: &Recovered) {
        for group in recovered.all() {
            self.ids_of(group.family).claim(group.id);
        }
    }

    /// After every Service has been updated with what was recovered: what nobody asked for any
    /// more. Flows are looked at wherever there may be some, as a former run may have ended before it had deleted those that
    /// its last change made stale.
    pub fn abandon(&mut self, recovered: &Recovered, delta: &mut Delta) {
        for group in recovered.left() {
            self.ids_of(group.family).release(group.id);
            delta.forget.learnt.insert(group, HashSet::new());
        }
        for (key, groups) in recovered.udp() {
            match self.port_at(&key) {
                Some(port) => delta.forget.stale.serve(key, port.serving()),
                None => delta.forget.stale.close(key, groups),
            }
        }
    }

    /// Ids and slots for a port.
    fn settle_port(&mut self, plan: PortPlan, (own, local): &Former) -> Option<Port> {
        let family = plan.spec.id.family;
        let cluster = self.settle_group(family, own.as_ref(), &plan.cluster)?;
        let local = if plan.spec.uses_local() {
            let local = self.settle_group(family, local.as_ref(), &plan.local);
            if local.is_none() {
                self.ids_of(family).release(cluster.group.id);
            }
            Some(local?)
        } else {
            if let Some(local) = local {
                self.ids_of(family).release(local.group.id);
            }
            None
        };
        Some(Port {
            spec: plan.spec,
            cluster,
            local,
        })
    }

    fn settle_group(
        &mut self,
        family: Family,
        old: Option<&GroupSlots>,
        want: &[Endpoint],
    ) -> Option<GroupSlots> {
        let group = match old {
            Some(old) => old.group,
            None => Group {
                family,
                id: self.ids_of(family).allocate()?,
            },
        };
        let slots = slots::place(old.map_or(&[], |old| &old.slots), want);
        Some(GroupSlots {
            group,
            slots: slots.into(),
        })
    }

    fn recover(spec: &PortSpec, recovered: Option<&mut Recovered>) -> Former {
        let Some(recovered) = recovered else {
            return (None, None);
        };
        let (own, local) = recovered.groups(spec);
        let with_slots = |group: Group| GroupSlots {
            group,
            slots: recovered.slots(group).into(),
        };
        (own.map(with_slots), local.map(with_slots))
    }

    /// Slots, steps and hairpins of a port.
    fn replace_port(&mut self, old: Option<&Port>, new: Option<&Port>, changes: &mut Changes) {
        let groups = |port: Option<&Port>| -> HashMap<Group, Box<[Endpoint]>> {
            let groups = port.into_iter().flat_map(Port::groups);
            groups
                .map(|group| (group.group, group.slots.clone()))
                .collect()
        };
        let (old_groups, new_groups) = (groups(old), groups(new));
        let ids: HashSet<Group> = old_groups
            .keys()
            .chain(new_groups.keys())
            .copied()
            .collect();
        for group in ids {
            let slots = |groups: &HashMap<Group, Box<[Endpoint]>>| {
                groups.get(&group).cloned().unwrap_or_default()
            };
            replace_slots(group, &slots(&old_groups), &slots(&new_groups), changes);
        }
        let steps = |port: Option<&Port>| port.map(Port::steps).unwrap_or_default();
        let (old_steps, new_steps) = (steps(old), steps(new));
        if old_steps != new_steps {
            for step in &old_steps {
                self.count_timeout(step, -1);
                changes.remove(*step);
            }
            for step in &new_steps {
                self.count_timeout(step, 1);
                changes.add(*step);
            }
        }
        let hairpins = |port: Option<&Port>| {
            port.map(|port| port.spec.hairpins.clone())
                .unwrap_or_default()
        };
        for address in hairpins(old) {
            self.hairpins.remove(address);
        }
        for address in hairpins(new) {
            if self.hairpins.add(address) {
                changes.add((Key::Hairpin(address), Value::Member));
            }
        }
    }

    fn count_timeout(&mut self, (key, value): &Element, by: i32) {
        let (Key::Learn(group), Value::Learn(seconds)) = (key, value) else {
            return;
        };
        let key = (group.family, *seconds);
        let n = self.timeouts.entry(key).or_default();
        *n = n.saturating_add_signed(by);
        if *n == 0 {
            self.timeouts.remove(&key);
        }
    }

    /// Addresses that the Service is asked at, and which UDP flows at them are right.
    fn replace_fronts(
        &mut self,
        name: &ServiceName,
        mut old: HashMap<ServiceKey, Asked>,
        ports: &[Port],
        shrunk: &HashSet<PortId>,
        delta: &mut Delta,
    ) {
        let new = fronts(ports);
        for (key, asked) in old.extract_if(|key, _| !new.contains_key(key)) {
            let (before, after) = self.claims.release(key, name);
            shift(key, before, after, &mut delta.changes);
            if asked.answers && before != after {
                delta.forget.stale.close(key, asked.groups);
            }
        }
        for (key, asked) in new {
            let claim = Claim {
                role: asked.role,
                owner: name.clone(),
                mark: asked.mark,
            };
            let (before, after) = self.claims.claim(key, claim);
            shift(key, before, after, &mut delta.changes);
            if key.protocol != Protocol::Udp || self.claims.owner(&key) != Some(name) {
                continue;
            }
            let known = old.get(&key).is_some_and(|old| old.id == asked.id) && before.is_some();
            // Where everything is compared, that tells which addresses are new to the kernel.
            let new = !known && !delta.changes.are_ignored();
            let may_have_flows = before.is_some() || !asked.vacant;
            if (new && may_have_flows || shrunk.contains(&asked.id))
                && let Some(port) = ports.iter().find(|port| port.spec.id == asked.id)
            {
                delta.forget.stale.serve(key, port.serving());
            }
        }
    }
}

/// What an address leads to.
struct Asked {
    id: PortId,
    role: Role,
    mark: Mark,
    groups: Vec<Group>,
    /// [`crate::compile::Front::vacant`]
    vacant: bool,
    /// It is a UDP port that some endpoint answers: there may be flows.
    answers: bool,
}

/// All addresses of some ports. None is there twice.
fn fronts(ports: &[Port]) -> HashMap<ServiceKey, Asked> {
    let mut out = HashMap::new();
    for port in ports {
        for front in &port.spec.fronts {
            let key = ServiceKey {
                address: front.address,
                protocol: port.spec.id.protocol,
                port: front.port,
            };
            let asked = Asked {
                id: port.spec.id,
                role: front.role,
                mark: port.mark(front),
                groups: port.groups().map(|group| group.group).collect(),
                vacant: front.vacant,
                answers: port.spec.id.protocol == Protocol::Udp && port.serving().next().is_some(),
            };
            out.insert(key, asked);
        }
    }
    out
}

fn shift(key: ServiceKey, before: Option<Mark>, after: Option<Mark>, changes: &mut Changes) {
    if before != after {
        changes.replace(
            Key::Service(key),
            before.map(Value::Mark),
            after.map(Value::Mark),
        );
    }
}

fn replace_slots(group: Group, old: &[Endpoint], new: &[Endpoint], changes: &mut Changes) {
    for slot in 0..old.len().max(new.len()) {
        let (old, new) = (old.get(slot), new.get(slot));
        if old != new
            && let Ok(slot) = u16::try_from(slot)
        {
            let value =
                |endpoint: Option<&Endpoint>| endpoint.map(|endpoint| Value::Endpoint(*endpoint));
            changes.replace(Key::Slot(group, slot), value(old), value(new));
        }
    }
}

fn replace_counted(
    counted: &mut super::Counted,
    key: fn(IpAddr) -> Key,
    old: &[IpAddr],
    new: &[IpAddr],
    changes: &mut Changes,
) {
    if old == new {
        return;
    }
    for address in old {
        if counted.remove(*address) {
            changes.remove((key(*address), Value::Member));
        }
    }
    for address in new {
        if counted.add(*address) {
            changes.add((key(*address), Value::Member));
        }
    }
}

/// Records which clients must be forgotten for endpoints that are gone; true if UDP flows must be
/// looked at as well.
fn forget(former: Option<&Port>, (own, local): &Former, port: &Port, delta: &mut Delta) -> bool {
    let had_affinity = former.is_some_and(|former| former.spec.affinity.is_some());
    let known = own.iter().chain(local);
    if had_affinity {
        for old in known.clone() {
            let now = port.groups().find(|group| group.group == old.group);
            let now = now.filter(|_| port.spec.affinity.is_some());
            let lost = old
                .slots
                .iter()
                .any(|e| now.is_none_or(|now| !now.slots.contains(e)));
            if lost {
                let left = now
                    .map(|now| now.slots.iter().copied().collect())
                    .unwrap_or_default();
                delta.forget.learnt.insert(old.group, left);
            }
        }
    }
    if port.spec.id.protocol != Protocol::Udp {
        return false;
    }
    let serving: HashSet<Endpoint> = port.serving().collect();
    let draining = former
        .into_iter()
        .flat_map(|former| former.spec.draining.iter());
    let mut before = known.flat_map(|group| group.slots.iter()).chain(draining);
    before.any(|endpoint| !serving.contains(endpoint))
}
