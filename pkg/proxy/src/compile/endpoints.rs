//! Which endpoints a Service port uses on this node.
//!
//! The rules are kube-proxy's: ready ones; when there is none, those that are terminating but still
//! serve (KEP-1669); hints of topology count only when every ready endpoint has them and one is
//! meant for this node (KEP-2433, KEP-3015).

use std::net::IpAddr;

use super::{Context, shares};
use crate::family::{Endpoint, Family, Protocol};
use crate::layout::Class;
use crate::model::{Hints, Place, ServicePort, Slice, SliceEndpoint, State, Weight};

/// The endpoints of a port, as far as they are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// For the policy Cluster, each as often as it has slots; sorted.
    pub cluster: Vec<Endpoint>,
    /// The same for the policy Local.
    pub local: Vec<Endpoint>,
    /// Whether there is any usable endpoint, wherever.
    pub any: bool,
    /// Addresses of used endpoints that may be on this node; sorted.
    pub hairpins: Vec<IpAddr>,
    /// Of a UDP port: usable endpoints that no policy uses; sorted.
    pub draining: Vec<Endpoint>,
}

/// One endpoint of one slice, as a candidate, with the slice's weight.
type Candidate<'a> = (Endpoint, &'a SliceEndpoint, Weight);

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
        any: candidates
            .iter()
            .any(|(_, e, _)| e.state != State::Unusable),
        ..Chosen::default()
    };
    let mut hairpins = Vec::new();
    let mut take = |keep: &dyn Fn(&SliceEndpoint) -> bool| -> Vec<Endpoint> {
        let kept = candidates.iter().filter(|(_, e, _)| keep(e));
        let kept: Vec<&Candidate<'_>> = kept.take(Class::MAX_ENDPOINTS).collect();
        let weights = kept
            .iter()
            .map(|(_, e, weight)| weight.and(context.nodes.weight(e.node)));
        let counts = shares::slots(&weights.collect::<Vec<_>>());
        let mut list = Vec::with_capacity(counts.iter().sum());
        for ((endpoint, e, _), count) in kept.into_iter().zip(counts) {
            list.extend(std::iter::repeat_n(*endpoint, count));
            if count > 0 && e.place != Place::Elsewhere {
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
            .filter(|(_, e, _)| e.state != State::Unusable);
        let used = |e: &Endpoint| {
            chosen.cluster.binary_search(e).is_ok() || chosen.local.binary_search(e).is_ok()
        };
        chosen.draining = usable
            .map(|(endpoint, ..)| *endpoint)
            .filter(|e| !used(e))
            .collect();
    }
    chosen
}

/// All endpoints of a port, each once, in its best state and on this node if one of its copies is, sorted.
fn candidates<'a>(
    slices: impl Iterator<Item = &'a Slice>,
    port: &ServicePort,
    family: Family,
) -> Vec<Candidate<'a>> {
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    for slice in slices.filter(|slice| slice.family == family) {
        for number in slice.numbers(port) {
            candidates.extend(slice.endpoints.iter().map(|endpoint| {
                let address = endpoint.address;
                (
                    Endpoint {
                        address,
                        port: number,
                    },
                    endpoint,
                    slice.weight,
                )
            }));
        }
    }
    let elsewhere = |e: &SliceEndpoint| e.place != Place::Here;
    candidates.sort_by(|(a, x, _), (b, y, _)| {
        let state = || y.state.cmp(&x.state);
        let place = || elsewhere(x).cmp(&elsewhere(y));
        a.cmp(b).then_with(state).then_with(place)
    });
    candidates.dedup_by_key(|(endpoint, ..)| *endpoint);
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
            .filter(|(_, e, _)| e.state == State::Ready)
            .map(|(_, e, _)| e.hints.as_deref())
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
mod tests;
