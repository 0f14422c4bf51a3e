//! Which Service gets which address, from pools.
//!
//! `status` is the record. What a Service has stays its own as long as a pool for it has the address, it is of its families, is
//! what it asks for, and is shared with nobody against the rules; what is left goes to those that wait, the oldest
//! first. So the outcome is the same after every restart.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::candidates::Candidates;
use super::outcome::{Holder, Name, Outcome, Waiting};
use super::pool::{Consumer, Labels, Pool};
use super::request::Request;
use super::tenants::Tenants;

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

/// One Service's request, and what it has of it already.
struct Wish<'a> {
    request: &'a Request,
    consumer: Consumer<'a>,
    kept: &'a [IpAddr],
    /// It had more than that.
    lost: bool,
}

impl Wish<'_> {
    fn fulfil(&self, pools: &[Pool], free: &mut Free, tenants: &Tenants<'_>) -> Outcome {
        let found = if let Some(mistake) = &self.request.mistake {
            Err(Waiting::Mistake(mistake.clone()))
        } else if self.request.requested.is_empty() {
            self.any(pools, free, tenants)
        } else {
            self.named(pools, tenants).map(Outcome::served)
        };
        let mut outcome = found.unwrap_or_else(|waiting| Outcome {
            addresses: self.kept.to_vec(),
            waiting: Some(waiting),
        });
        // One family without the other is of no use to some.
        if self.request.all_families && outcome.addresses.len() < self.request.families.len() {
            outcome.addresses.clear();
        }
        outcome
    }

    /// Exactly the addresses that were asked for, or none.
    fn named(&self, pools: &[Pool], tenants: &Tenants<'_>) -> Result<Vec<IpAddr>, Waiting> {
        let request = self.request;
        let addresses = one_of_each_family(request)?;
        for ip in addresses.iter().copied() {
            let pool = pools
                .iter()
                .find(|pool| pool.contains(ip))
                .ok_or(Waiting::NotInPool(ip))?;
            if let Some(asked) = request.pool.as_ref().filter(|name| **name != pool.name) {
                return Err(Waiting::NotInThatPool {
                    ip,
                    pool: asked.clone(),
                });
            }
            if !pool.serves(&self.consumer) {
                return Err(Waiting::ClosedPool(pool.name.clone()));
            }
            if !self.kept.contains(&ip) {
                tenants.check(ip, request)?;
            }
        }
        Ok(addresses)
    }

    /// An address of each family, all from one pool.
    fn any(
        &self,
        pools: &[Pool],
        free: &mut Free,
        tenants: &Tenants<'_>,
    ) -> Result<Outcome, Waiting> {
        let request = self.request;
        let (families, both) = (&request.families, request.all_families);
        if self.kept.len() == families.len() {
            return Ok(Outcome::served(self.kept.to_vec()));
        }
        let mut give = |at: usize, ipv6: bool| free.find(pools, at, ipv6, request, tenants);
        let home = pools
            .iter()
            .position(|pool| self.kept.iter().any(|ip| pool.contains(*ip)));
        if let Some(home) = home {
            let has = |ipv6: bool| self.kept.iter().find(|ip| ip.is_ipv6() == ipv6).copied();
            let full: Option<Vec<IpAddr>> = families
                .iter()
                .map(|ipv6| has(*ipv6).or_else(|| give(home, *ipv6)))
                .collect();
            if let Some(full) = full {
                return Ok(Outcome::served(full));
            }
            if !both && !self.lost {
                return Ok(partial(&pools[home], request, self.kept.to_vec()));
            }
        }
        let candidates = Candidates::of(pools, &self.consumer, request)?;
        match (candidates.best(families, both, &mut give), home) {
            (Some((_, full)), _) if full.len() == families.len() => Ok(Outcome::served(full)),
            (_, Some(home)) if !both => Ok(partial(&pools[home], request, self.kept.to_vec())),
            (Some((at, some)), None) if !both => Ok(partial(&pools[at], request, some)),
            _ => Err(candidates.shortage(pools, families, &mut give)),
        }
    }
}

/// Not every family. One that the pool does not have at all is not worth an Event.
fn partial(pool: &Pool, request: &Request, addresses: Vec<IpAddr>) -> Outcome {
    let has = |ipv6: bool| addresses.iter().any(|ip| ip.is_ipv6() == ipv6);
    let mut families = request.families.iter().copied();
    let missing = families.find(|ipv6| !has(*ipv6) && pool.has_family(*ipv6));
    let waiting = missing.map(|ipv6| Waiting::Exhausted {
        ipv6,
        pools: vec![pool.to_string()],
    });
    Outcome { addresses, waiting }
}

/// The addresses that are asked for, in the order of the Service's families.
fn one_of_each_family(request: &Request) -> Result<Vec<IpAddr>, Waiting> {
    let of = |ipv6: bool| {
        request
            .requested
            .iter()
            .filter(move |ip| ip.is_ipv6() == ipv6)
    };
    for ip in &request.requested {
        let first = of(ip.is_ipv6()).next() == Some(ip);
        if !first || !request.families.contains(&ip.is_ipv6()) {
            return Err(Waiting::WrongFamily(*ip));
        }
    }
    let families = request.families.iter();
    let addresses: Vec<IpAddr> = families
        .filter_map(|ipv6| of(*ipv6).next().copied())
        .collect();
    if request.all_families && addresses.len() < request.families.len() {
        return Err(Waiting::OneFamily);
    }
    Ok(addresses)
}

type Addresses = Box<dyn Iterator<Item = IpAddr>>;

/// The free addresses of pools, each looked at once at most.
struct Free {
    /// By pool and family: the one that is next, and those after it.
    rest: BTreeMap<(usize, bool), (Option<IpAddr>, Addresses)>,
}

impl Free {
    fn new(pools: &[Pool]) -> Self {
        let mut rest = BTreeMap::new();
        for (at, pool) in pools.iter().enumerate() {
            for ipv6 in [false, true] {
                let addresses: Addresses = Box::new(pool.addresses(ipv6));
                rest.insert((at, ipv6), (None, addresses));
            }
        }
        Self { rest }
    }

    /// An address of the pool that the Service may have: with those whom it shares with, else alone. It stays free until
    /// somebody is written down for it.
    fn find(
        &mut self,
        pools: &[Pool],
        at: usize,
        ipv6: bool,
        request: &Request,
        tenants: &Tenants<'_>,
    ) -> Option<IpAddr> {
        let pool = pools.get(at)?;
        let mut shared = tenants.shared(request);
        let joins = |ip: &IpAddr| {
            ip.is_ipv6() == ipv6 && pool.contains(*ip) && tenants.check(*ip, request).is_ok()
        };
        shared.find(joins).or_else(|| self.next(at, ipv6, tenants))
    }

    fn next(&mut self, at: usize, ipv6: bool, tenants: &Tenants<'_>) -> Option<IpAddr> {
        let (next, rest) = self.rest.get_mut(&(at, ipv6))?;
        if !next.is_some_and(|ip| tenants.is_free(ip)) {
            *next = rest.find(|ip| tenants.is_free(*ip));
        }
        *next
    }
}

#[cfg(test)]
#[path = "allocate_tests.rs"]
mod tests;
