//! Which Service gets which address, from pools.
//!
//! `status` is the record. What a Service has stays its own as long as it is in a pool, of its families, and what it asks for;
//! nothing is given twice; what is left goes to those that wait, the oldest first. So the outcome is the
//! same after every restart.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::outcome::{Name, Outcome, Waiting};
use super::pool::LbPool;
use super::request::Request;

/// Names in the order in which they are served: the oldest Service first.
pub(super) fn by_age(requests: &BTreeMap<Name, Request>) -> Vec<&Name> {
    let mut names: Vec<&Name> = requests.keys().collect();
    names.sort_by_key(|name| (&requests[*name].created, *name));
    names
}

/// Allocates. `foreign` are addresses that Services of other implementations have.
pub(super) fn allocate(
    pools: &[LbPool],
    requests: &BTreeMap<Name, Request>,
    foreign: &BTreeSet<IpAddr>,
) -> BTreeMap<Name, Outcome> {
    let order = by_age(requests);
    let mut taken = Taken {
        foreign,
        by: BTreeMap::new(),
    };
    let mut outcomes: BTreeMap<Name, Outcome> = BTreeMap::new();
    for name in &order {
        let addresses = keep(pools, &requests[*name], &taken);
        taken
            .by
            .extend(addresses.iter().map(|ip| (*ip, (*name).clone())));
        outcomes.insert(
            (*name).clone(),
            Outcome {
                addresses,
                waiting: None,
            },
        );
    }
    let mut free = Free::new(pools);
    // Addresses asked for by name before those that could be anybody's.
    let (named, any): (Vec<&Name>, Vec<&Name>) = order
        .into_iter()
        .partition(|n| !requests[*n].requested.is_empty());
    for name in named.into_iter().chain(any) {
        let request = &requests[name];
        let Some(outcome) = outcomes.get_mut(name) else {
            continue;
        };
        let found = if let Some(mistake) = &request.mistake {
            Err(Waiting::Mistake(mistake.clone()))
        } else if request.requested.is_empty() {
            any_address(request, &outcome.addresses, &mut free, &taken)
        } else {
            named_addresses(pools, name, request, &taken)
        };
        match found {
            Ok(found) => *outcome = found,
            Err(waiting) => outcome.waiting = Some(waiting),
        }
        taken
            .by
            .extend(outcome.addresses.iter().map(|ip| (*ip, name.clone())));
    }
    outcomes
}

/// Addresses that somebody has.
struct Taken<'a> {
    foreign: &'a BTreeSet<IpAddr>,
    by: BTreeMap<IpAddr, Name>,
}

impl Taken<'_> {
    fn is_free(&self, ip: IpAddr) -> bool {
        !self.by.contains_key(&ip) && !self.foreign.contains(&ip)
    }
}

/// Of what a Service has, what it may keep.
fn keep(pools: &[LbPool], request: &Request, taken: &Taken<'_>) -> Vec<IpAddr> {
    let fits = |ip: &&IpAddr| {
        pools.iter().any(|pool| pool.contains(**ip))
            && (request.requested.is_empty() || request.requested.contains(ip))
            && taken.is_free(**ip)
    };
    let of_family = |ipv6: &bool| {
        request
            .current
            .iter()
            .filter(fits)
            .find(|ip| ip.is_ipv6() == *ipv6)
            .copied()
    };
    request.families.iter().filter_map(of_family).collect()
}

/// Exactly the addresses that were asked for, or none.
fn named_addresses(
    pools: &[LbPool],
    name: &Name,
    request: &Request,
    taken: &Taken<'_>,
) -> Result<Outcome, Waiting> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in &request.requested {
        let second = addresses
            .iter()
            .any(|other| other.is_ipv6() == ip.is_ipv6());
        if second || !request.families.contains(&ip.is_ipv6()) {
            return Err(Waiting::WrongFamily(*ip));
        }
        if !pools.iter().any(|pool| pool.contains(*ip)) {
            return Err(Waiting::NotInPool(*ip));
        }
        match taken.by.get(ip).filter(|by| *by != name) {
            Some(by) => {
                return Err(Waiting::Taken {
                    ip: *ip,
                    by: Some(by.clone()),
                });
            }
            None if taken.foreign.contains(ip) => return Err(Waiting::Taken { ip: *ip, by: None }),
            None => addresses.push(*ip),
        }
    }
    addresses.sort_by_key(|ip| {
        request
            .families
            .iter()
            .position(|ipv6| *ipv6 == ip.is_ipv6())
    });
    Ok(Outcome {
        addresses,
        waiting: None,
    })
}

/// An address of each family: what the Service has, and what is free.
fn any_address(
    request: &Request,
    kept: &[IpAddr],
    free: &mut Free,
    taken: &Taken<'_>,
) -> Result<Outcome, Waiting> {
    let mut addresses = Vec::new();
    let mut missing = None;
    for ipv6 in &request.families {
        let has = kept.iter().find(|ip| ip.is_ipv6() == *ipv6).copied();
        match has.or_else(|| free.next(*ipv6, taken)) {
            Some(ip) => addresses.push(ip),
            None => {
                missing = Some(Waiting::Exhausted {
                    ipv6: *ipv6,
                    pools: free.names(*ipv6),
                })
            }
        }
    }
    match missing {
        // One family without the other is of no use to it. What it has it keeps.
        Some(waiting) if request.all_families => {
            free.returned
                .extend(addresses.iter().filter(|ip| !kept.contains(ip)));
            Err(waiting)
        }
        // A second family that no pool has is not worth an Event.
        Some(Waiting::Exhausted { pools, .. }) if pools.is_empty() && !addresses.is_empty() => {
            Ok(Outcome {
                addresses,
                waiting: None,
            })
        }
        waiting => Ok(Outcome { addresses, waiting }),
    }
}

/// The addresses of pools, each looked at once at most.
struct Free {
    pools: Vec<(LbPool, Box<dyn Iterator<Item = IpAddr>>)>,
    returned: Vec<IpAddr>,
}

impl Free {
    fn new(pools: &[LbPool]) -> Self {
        let iterate = |pool: &LbPool| -> (LbPool, Box<dyn Iterator<Item = IpAddr>>) {
            (pool.clone(), Box::new(pool.addresses()))
        };
        Self {
            pools: pools.iter().map(iterate).collect(),
            returned: Vec::new(),
        }
    }

    fn next(&mut self, ipv6: bool, taken: &Taken<'_>) -> Option<IpAddr> {
        if let Some(at) = self.returned.iter().position(|ip| ip.is_ipv6() == ipv6) {
            return Some(self.returned.swap_remove(at));
        }
        let mut pools = self
            .pools
            .iter_mut()
            .filter(|(pool, _)| pool.is_ipv6() == ipv6);
        pools.find_map(|(_, addresses)| addresses.find(|ip| taken.is_free(*ip)))
    }

    fn names(&self, ipv6: bool) -> Vec<String> {
        self.pools
            .iter()
            .filter(|(pool, _)| pool.is_ipv6() == ipv6)
            .map(|(pool, _)| pool.to_string())
            .collect()
    }
}

#[cfg(test)]
#[path = "allocate_tests.rs"]
mod tests;
