//! What one Service gets, with all that others have already.

use std::net::IpAddr;

use super::candidates::Candidates;
use super::free::Free;
use super::tenants::Tenants;
use crate::loadbalancer::outcome::{Outcome, Waiting};
use crate::loadbalancer::pool::{Consumer, Pool};
use crate::loadbalancer::request::Request;

/// One Service's request, and what it has of it already.
pub(super) struct Wish<'a> {
    pub request: &'a Request,
    pub consumer: Consumer<'a>,
    pub kept: &'a [IpAddr],
    /// It had more than that.
    pub lost: bool,
}

impl Wish<'_> {
    pub(super) fn fulfil(&self, pools: &[Pool], free: &mut Free, tenants: &Tenants<'_>) -> Outcome {
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
