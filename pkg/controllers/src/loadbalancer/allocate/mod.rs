//! Which Service gets which address, from pools.
//!
//! `status` is the record. What a Service has stays its own as long as a pool for it has the address, it is of its families, is
//! what it asks for, and is shared with nobody against the rules; what is left goes to those that wait, the oldest
//! first. So the outcome is the same after every restart.

mod candidates;
mod free;
mod tenants;
mod wish;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::loadbalancer::outcome::{Holder, Name, Outcome};
use crate::loadbalancer::pool::{Consumer, Labels, Pool};
use crate::loadbalancer::request::Request;
use free::Free;
use tenants::Tenants;
use wish::Wish;

/// What an allocation is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct World<'a> {
    pub pools: &'a [Pool],
    /// Labels of namespaces that have some.
    pub namespaces: &'a BTreeMap<String, Labels>,
    /// Addresses that somebody else has.
    pub held: &'a BTreeMap<IpAddr, Holder>,
    /// What was given to whom and does not stand in a status yet.
    pub promised: &'a BTreeMap<Name, Vec<IpAddr>>,
}

/// Those who ask.
pub(super) type Requests<'a> = BTreeMap<&'a Name, &'a Request>;

/// Names in the order in which they are served: the oldest Service first.
pub(super) fn by_age<'a>(requests: &Requests<'a>) -> Vec<&'a Name> {
    let mut names: Vec<&Name> = requests.keys().copied().collect();
    names.sort_by_key(|name| (&requests[name].created, *name));
    names
}

/// Allocates.
pub(super) fn allocate(world: World<'_>, requests: &Requests<'_>) -> BTreeMap<Name, Outcome> {
    let mut has: Has<'_> = requests
        .iter()
        .map(|(name, request)| {
            let promised = world.promised.get(*name);
            (*name, promised.unwrap_or(&request.current).clone())
        })
        .collect();
    loop {
        let Pass { outcomes, left } = pass(world, requests, &has);
        if !left {
            return outcomes;
        }
        // Somebody left an address that others, served before, may have waited for. Who left has all that it asks for now, or
        // nothing, and does not leave again.
        for (name, addresses) in &mut has {
            if let Some(outcome) = outcomes.get(*name) {
                addresses.clone_from(&outcome.addresses);
            }
        }
    }
}

/// What each Service has.
type Has<'a> = BTreeMap<&'a Name, Vec<IpAddr>>;

struct Pass {
    outcomes: BTreeMap<Name, Outcome>,
    /// A Service left an address that it could have kept.
    left: bool,
}

fn pass(world: World<'_>, requests: &Requests<'_>, has: &Has<'_>) -> Pass {
    let order = by_age(requests);
    let mut tenants = Tenants::new(world.held);
    let mut kept: BTreeMap<&Name, Vec<IpAddr>> = BTreeMap::new();
    let (edited, settled): (Vec<&Name>, Vec<&Name>) =
        order.iter().partition(|name| requests[*name].edited);
    for name in settled.into_iter().chain(edited) {
        let (request, current) = (requests[name], &has[name]);
        let who = consumer(world, name, request);
        let addresses = keep(world.pools, &who, request, current, &tenants);
        for ip in &addresses {
            tenants.add(*ip, name, request);
        }
        kept.insert(name, addresses);
    }
    let mut free = Free::new(world.pools);
    let mut outcomes = BTreeMap::new();
    let mut left = false;
    // Addresses asked for by name before those that could be anybody's.
    let (named, any): (Vec<&Name>, Vec<&Name>) = order
        .into_iter()
        .partition(|name| !requests[name].requested.is_empty());
    for name in named.into_iter().chain(any) {
        let (request, kept) = (requests[name], kept.remove(name).unwrap_or_default());
        let wish = Wish {
            request,
            consumer: consumer(world, name, request),
            lost: kept.len() < has[name].len(),
            kept: &kept,
        };
        let outcome = wish.fulfil(world.pools, &mut free, &tenants);
        left |= kept.iter().any(|ip| !outcome.addresses.contains(ip));
        for ip in outcome.addresses.iter().filter(|ip| !kept.contains(ip)) {
            tenants.add(*ip, name, request);
        }
        outcomes.insert(name.clone(), outcome);
    }
    Pass { outcomes, left }
}

fn consumer<'a>(world: World<'a>, name: &'a Name, request: &'a Request) -> Consumer<'a> {
    static NONE: Labels = Labels::new();
    Consumer {
        namespace: &name.0,
        namespace_labels: world.namespaces.get(&name.0).unwrap_or(&NONE),
        labels: &request.labels,
    }
}

/// Of what a Service has, what it may keep: one address of each family, all from one pool.
fn keep(
    pools: &[Pool],
    consumer: &Consumer<'_>,
    request: &Request,
    current: &[IpAddr],
    tenants: &Tenants<'_>,
) -> Vec<IpAddr> {
    let mut home: Option<&Pool> = None;
    let mut kept = Vec::new();
    for ipv6 in &request.families {
        let fits = |ip: &IpAddr| {
            ip.is_ipv6() == *ipv6
                && (request.requested.is_empty() || request.requested.contains(ip))
                && tenants.check(*ip, request).is_ok()
        };
        let pool_of = |ip: &IpAddr| {
            let may = |pool: &&Pool| {
                pool.contains(*ip)
                    && pool.serves(consumer)
                    && request.pool.as_ref().is_none_or(|name| *name == pool.name)
            };
            let same = |pool: &&Pool| home.is_none_or(|home| std::ptr::eq(home, *pool));
            // Who asks for addresses of two pools gets them.
            pools
                .iter()
                .filter(may)
                .find(|pool| !request.requested.is_empty() || same(pool))
        };
        let fitting = current.iter().filter(|ip| fits(ip));
        if let Some((ip, pool)) = fitting.filter_map(|ip| Some((*ip, pool_of(ip)?))).next() {
            home.get_or_insert(pool);
            kept.push(ip);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
