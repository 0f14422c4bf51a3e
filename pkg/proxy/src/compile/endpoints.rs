//! Which endpoints a Service port uses on this node.
//!
//! The rules are kube-proxy's: ready ones; when there is none, those that are terminating but still
//! serve (KEP-1669); hints of topology count only when every ready endpoint has them and one is
//! meant for this node (KEP-2433, KEP-3015).

use std::net::IpAddr;

use super::Context;
use crate::family::{Endpoint, Family, Protocol};
use crate::layout::Class;
use crate::model::{Hints, Place, ServicePort, Slice, SliceEndpoint, State};

/// The endpoints of a port, as far as they are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// For the policy Cluster; sorted.
    pub cluster: Vec<Endpoint>,
    /// For the policy Local; sorted.
    pub local: Vec<Endpoint>,
    /// Whether there is any usable endpoint, wherever.
    pub any: bool,
    /// Addresses of used endpoints that may be on this node; sorted.
    pub hairpins: Vec<IpAddr>,
    /// Of a UDP port: usable endpoints that no policy uses; sorted.
    pub draining: Vec<Endpoint>,
}

/// One endpoint of one slice, as a candidate.
type Candidate<'a> = (Endpoint, &'a SliceEndpoint);

/// Chooses endpoints for `port`. Only what `cluster` and `local` ask for is filled in.
pub fn choose<'a>(
    slices: impl Iterator<Item = &'a Slice>,
    port: &ServicePort,
    family: Family,
    (cluster, local): (bool, bool),
    context: &Context<'_>,
) -> Chosen {
    let candidates = candidates(slices, port, family);
    let mut chosen = Chosen {
        any: candidates.iter().any(|(_, e)| e.state != State::Unusable),
        ..Chosen::default()
    };
    let mut hairpins = Vec::new();
    let mut take = |keep: &dyn Fn(&SliceEndpoint) -> bool| -> Vec<Endpoint> {
        let kept = candidates.iter().filter(|(_, e)| keep(e));
        let mut list = Vec::new();
        for (endpoint, e) in kept.take(Class::MAX_ENDPOINTS) {
            list.push(*endpoint);
            if e.place != Place::Elsewhere {
                hairpins.push(endpoint.address);
            }
        }
        list
    };
    if cluster {
        let topology = Topology::of(&candidates, context);
        chosen.cluster = take(&|e| e.state == State::Ready && topology.allows(e, context));
        if chosen.cluster.is_empty() {
            chosen.cluster = take(&|e| e.state == State::Terminating);
        }
    }
    if local {
        chosen.local = take(&|e| e.state == State::Ready && e.place == Place::Here);
        if chosen.local.is_empty() {
            chosen.local = take(&|e| e.state == State::Terminating && e.place == Place::Here);
        }
    }
    hairpins.sort_unstable();
    hairpins.dedup();
    chosen.hairpins = hairpins;
    if port.protocol == Protocol::Udp {
        let usable = candidates
            .iter()
            .filter(|(_, e)| e.state != State::Unusable);
        let used = |e: &Endpoint| {
            chosen.cluster.binary_search(e).is_ok() || chosen.local.binary_search(e).is_ok()
        };
        chosen.draining = usable
            .map(|(endpoint, _)| *endpoint)
            .filter(|e| !used(e))
            .collect();
    }
    chosen
}

/// All endpoints of a port, each once and in its best state, sorted.
fn candidates<'a>(
    slices: impl Iterator<Item = &'a Slice>,
    port: &ServicePort,
    family: Family,
) -> Vec<Candidate<'a>> {
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    for slice in slices.filter(|slice| slice.family == family) {
        let numbers = slice
            .ports
            .iter()
            .filter(|p| p.name == port.name && p.protocol == port.protocol)
            .map(|p| p.port);
        for number in numbers {
            candidates.extend(slice.endpoints.iter().map(|endpoint| {
                let address = endpoint.address;
                (
                    Endpoint {
                        address,
                        port: number,
                    },
                    endpoint,
                )
            }));
        }
    }
    candidates.sort_by(|(a, x), (b, y)| a.cmp(b).then(y.state.cmp(&x.state)));
    candidates.dedup_by_key(|(endpoint, _)| *endpoint);
    candidates
}

/// Which hints count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topology {
    None,
    Node,
    Zone,
}

impl Topology {
    fn of(candidates: &[Candidate<'_>], context: &Context<'_>) -> Self {
        let mut ready = candidates
            .iter()
            .filter(|(_, e)| e.state == State::Ready)
            .map(|(_, e)| e.hints.as_deref())
            .peekable();
        if ready.peek().is_none_or(Option::is_none) {
            return Self::None;
        }
        let ready: Vec<&Hints> = match ready.collect() {
            Some(all) => all,
            None => return Self::None,
        };
        let usable = |names: fn(&Hints) -> &[Box<str>], own: &str| {
            ready.iter().all(|hints| !names(hints).is_empty())
                && ready.iter().any(|hints| has(names(hints), own))
        };
        if usable(|hints| &hints.nodes, context.node_name) {
            Self::Node
        } else if usable(|hints| &hints.zones, context.zone) {
            Self::Zone
        } else {
            Self::None
        }
    }

    fn allows(self, endpoint: &SliceEndpoint, context: &Context<'_>) -> bool {
        let Some(hints) = endpoint.hints.as_deref() else {
            return self == Self::None;
        };
        match self {
            Self::None => true,
            Self::Node => has(&hints.nodes, context.node_name),
            Self::Zone => has(&hints.zones, context.zone),
        }
    }
}

fn has(names: &[Box<str>], own: &str) -> bool {
    names.iter().any(|name| **name == *own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::testing::{context, endpoint, port, slice};

    fn chosen(endpoints: Vec<SliceEndpoint>) -> Chosen {
        let slices = [slice(endpoints)];
        choose(
            slices.iter(),
            &port(80),
            Family::V4,
            (true, true),
            &context(),
        )
    }

    fn last_octets(endpoints: &[Endpoint]) -> Vec<u8> {
        let octet = |e: &Endpoint| match e.address {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(v6) => v6.octets()[15],
        };
        endpoints.iter().map(octet).collect()
    }

    #[test]
    fn ready_ones_are_used() {
        let chosen = chosen(vec![
            endpoint(3, State::Ready, Place::Elsewhere),
            endpoint(1, State::Ready, Place::Here),
            endpoint(2, State::Terminating, Place::Here),
            endpoint(4, State::Unusable, Place::Here),
        ]);
        assert_eq!(last_octets(&chosen.cluster), [1, 3]);
        assert_eq!(last_octets(&chosen.local), [1]);
        assert!(chosen.any);
    }

    #[test]
    fn terminating_ones_serve_when_no_other_does() {
        let chosen = chosen(vec![
            endpoint(1, State::Terminating, Place::Here),
            endpoint(2, State::Ready, Place::Elsewhere),
        ]);
        assert_eq!(last_octets(&chosen.cluster), [2]);
        assert_eq!(
            last_octets(&chosen.local),
            [1],
            "each policy falls back on its own"
        );
    }

    #[test]
    fn an_endpoint_in_two_slices_counts_once_and_at_its_best() {
        let chosen = chosen(vec![
            endpoint(1, State::Unusable, Place::Here),
            endpoint(1, State::Ready, Place::Here),
        ]);
        assert_eq!(last_octets(&chosen.cluster), [1]);
    }

    #[test]
    fn only_own_or_unplaced_endpoints_come_to_themselves() {
        let chosen = chosen(vec![
            endpoint(1, State::Ready, Place::Here),
            endpoint(2, State::Ready, Place::Elsewhere),
            endpoint(3, State::Ready, Place::Unknown),
        ]);
        let hairpins: Vec<String> = chosen.hairpins.iter().map(ToString::to_string).collect();
        assert_eq!(hairpins, ["10.42.0.1", "10.42.0.3"]);
    }

    fn hinted(n: u8, zones: &[&str], nodes: &[&str]) -> SliceEndpoint {
        let names = |list: &[&str]| list.iter().map(|name| (*name).into()).collect();
        SliceEndpoint {
            hints: Some(Box::new(Hints {
                zones: names(zones),
                nodes: names(nodes),
            })),
            ..endpoint(n, State::Ready, Place::Elsewhere)
        }
    }

    #[test]
    fn zone_hints_are_followed_when_all_have_them() {
        let near = chosen(vec![hinted(1, &["a"], &[]), hinted(2, &["b"], &[])]);
        assert_eq!(last_octets(&near.cluster), [1]);
        let partly = chosen(vec![
            hinted(1, &["a"], &[]),
            endpoint(2, State::Ready, Place::Here),
        ]);
        assert_eq!(last_octets(&partly.cluster), [1, 2]);
        let unnamed_first = chosen(vec![
            endpoint(1, State::Ready, Place::Here),
            hinted(2, &["a"], &[]),
        ]);
        assert_eq!(last_octets(&unnamed_first.cluster), [1, 2]);
        let none_here = chosen(vec![hinted(1, &["b"], &[]), hinted(2, &["c"], &[])]);
        assert_eq!(last_octets(&none_here.cluster), [1, 2]);
    }

    #[test]
    fn node_hints_come_before_zone_hints() {
        let chosen = chosen(vec![
            hinted(1, &["a"], &["there"]),
            hinted(2, &["a"], &["here"]),
        ]);
        assert_eq!(last_octets(&chosen.cluster), [2]);
    }
}
