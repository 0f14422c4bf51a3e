//! Node ports (upstream: `initNodePorts`, `updateNodePorts`). Ports of one number share one across protocols, as a DNS
//! server on TCP and UDP wants it.

use std::collections::{BTreeMap, BTreeSet};

use kedge_machinery::{FieldError, Object, Status};

use super::super::spec::{Spec, spec_mut};
use super::invalid;
use crate::allocate::Environment;
use crate::value::{int, list_mut, text};

/// Takes node ports out of the range, each once.
struct Taker<'a> {
    service: &'a Object,
    world: &'a Environment<'a>,
    taken: BTreeSet<i64>,
}

impl<'a> Taker<'a> {
    fn new(service: &'a Object, world: &'a Environment<'a>) -> Self {
        Self {
            service,
            world,
            taken: BTreeSet::new(),
        }
    }

    /// The number that the port at a place asks for.
    fn take(&mut self, place: usize, number: i64) -> Result<i64, Status> {
        let free = match self.taken.insert(number) {
            true => self.world.check_port(number).map(|_| ()),
            false => Err("provided port is already allocated".into()),
        };
        let path = format!("spec.ports[{place}].nodePort");
        free.map(|()| number)
            .map_err(|why| invalid(self.service, FieldError::invalid(path, number, why)))
    }

    /// Any number that no port of the Service asks for.
    fn choose(&mut self) -> Result<i64, Status> {
        let asked = Spec::of(self.service).node_ports();
        let unavailable = |n: u16| self.taken.contains(&n.into()) || asked.contains(&n.into());
        let number = self
            .world
            .choose_port(unavailable)
            .map_err(|why| Status::internal(format!("failed to allocate a nodePort: {why}")))?;
        self.taken.insert(number.into());
        Ok(number.into())
    }
}

/// For a Service that is made: the first port of a number takes what any port of that number asks for.
pub(super) fn of_new(service: &mut Object, world: &Environment<'_>) -> Result<(), Status> {
    let spec = Spec::of(service);
    let asked = |number: i64| {
        let mut of_number = spec.ports().iter().filter(|p| int(p, "port") == number);
        of_number.find_map(|p| Some(int(p, "nodePort")).filter(|n| *n != 0))
    };
    let mut taker = Taker::new(service, world);
    let mut by_number: BTreeMap<i64, i64> = BTreeMap::new();
    let mut chosen = Vec::new();
    for (i, port) in spec.ports().iter().enumerate() {
        let (own, number) = (int(port, "nodePort"), int(port, "port"));
        if own == 0 && !spec.allocates_node_ports() {
            chosen.push(0);
            continue;
        }
        chosen.push(match by_number.get(&number).copied() {
            None => {
                let first = match asked(number) {
                    Some(asked) => taker.take(i, asked)?,
                    None => taker.choose()?,
                };
                by_number.insert(number, first);
                first
            }
            Some(shared) if own == 0 || own == shared => shared,
            Some(_) => taker.take(i, own)?,
        });
    }
    set(service, &chosen);
    Ok(())
}

/// For a Service that changes: what it had it keeps.
pub(super) fn of_changed(
    service: &mut Object,
    old: &Object,
    world: &Environment<'_>,
) -> Result<(), Status> {
    let (spec, was) = (Spec::of(service), Spec::of(old));
    let had = if was.needs_node_ports() {
        was.node_ports()
    } else {
        Vec::new()
    };
    let mut taker = Taker::new(service, world);
    let mut by_number: BTreeMap<i64, i64> = BTreeMap::new();
    for port in spec.ports().iter().filter(|p| int(p, "nodePort") != 0) {
        let number = by_number.entry(int(port, "port"));
        number.or_insert(int(port, "nodePort"));
    }
    let mut seen = BTreeSet::new();
    let mut chosen = Vec::new();
    for (i, port) in spec.ports().iter().enumerate() {
        let (own, protocol) = (int(port, "nodePort"), text(port, "protocol"));
        if own == 0 && !spec.allocates_node_ports() {
            chosen.push(0);
            continue;
        }
        let number = int(port, "port");
        let shared = by_number.get(&number).copied();
        let node_port = match shared.filter(|shared| !seen.contains(&(protocol, *shared))) {
            _ if own != 0 => {
                if !had.contains(&own) && !taker.taken.contains(&own) {
                    taker.take(i, own)?;
                }
                own
            }
            Some(shared) => shared,
            None => *by_number.entry(number).insert_entry(taker.choose()?).get(),
        };
        if !seen.insert((protocol, node_port)) {
            let text = format!("duplicate nodePort: {{{protocol} {node_port}}}");
            return Err(Status::new(500, "", text));
        }
        chosen.push(node_port);
    }
    set(service, &chosen);
    Ok(())
}

fn set(service: &mut Object, node_ports: &[i64]) {
    let ports = list_mut(spec_mut(service), "ports").iter_mut();
    for (port, number) in ports.zip(node_ports).filter(|(_, number)| **number != 0) {
        if let Some(port) = port.as_object_mut() {
            port.insert("nodePort".into(), (*number).into());
        }
    }
}
