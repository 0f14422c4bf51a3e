//! Which pools a Service may have addresses from, and in which order it asks them.

use std::net::IpAddr;

use super::outcome::Waiting;
use super::pool::{Consumer, Pool, Rank};
use super::request::Request;

/// Pools by their place in the list of all, the first to ask first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidates {
    /// Those made for the Service, by priority.
    pinned: Vec<usize>,
    /// Those for everybody.
    open: Vec<usize>,
}

impl Candidates {
    /// The pool that is asked for by name, else those that give of themselves. Where the Service has an address already
    /// (`kept`), the pool of that comes first: both families from one pool where it can be.
    pub(super) fn of(
        pools: &[Pool],
        consumer: &Consumer<'_>,
        request: &Request,
        kept: &[IpAddr],
    ) -> Result<Self, Waiting> {
        if let Some(name) = &request.pool {
            return Self::named(pools, consumer, name);
        }
        let mut all: Vec<usize> = (0..pools.len())
            .filter(|at| pools[*at].auto_assign && pools[*at].serves(consumer))
            .collect();
        if all.is_empty() {
            let names = pools.iter().map(|pool| pool.name.clone()).collect();
            return Err(Waiting::NoPool(names));
        }
        let has = |at: usize| kept.iter().any(|ip| pools[at].contains(*ip));
        all.sort_by_key(|at| (!has(*at), pools[*at].rank(), *at));
        let (open, pinned) = all
            .into_iter()
            .partition(|at| pools[*at].rank() == Rank::Open);
        Ok(Self { pinned, open })
    }

    fn named(pools: &[Pool], consumer: &Consumer<'_>, name: &str) -> Result<Self, Waiting> {
        let of_name: Vec<usize> = (0..pools.len())
            .filter(|at| pools[*at].name == name)
            .collect();
        if of_name.is_empty() {
            return Err(Waiting::UnknownPool(name.into()));
        }
        let open: Vec<usize> = of_name
            .into_iter()
            .filter(|at| pools[*at].serves(consumer))
            .collect();
        if open.is_empty() {
            return Err(Waiting::ClosedPool(name.into()));
        }
        Ok(Self {
            pinned: Vec::new(),
            open,
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = usize> {
        self.pinned.iter().chain(&self.open).copied()
    }

    /// Addresses of all families of the Service from one pool. A pool made for the Service that has one of them goes before a
    /// pool for everybody that has both, where one is enough.
    pub(super) fn one_pool(
        &self,
        request: &Request,
        give: &mut impl FnMut(usize, bool) -> Option<IpAddr>,
    ) -> Option<Vec<IpAddr>> {
        for tier in [&self.pinned, &self.open] {
            let mut some = false;
            for at in tier {
                let families = request.families.iter();
                let found: Vec<IpAddr> = families.filter_map(|ipv6| give(*at, *ipv6)).collect();
                if found.len() == request.families.len() {
                    return Some(found);
                }
                some |= !found.is_empty();
            }
            if some && !request.all_families {
                return None;
            }
        }
        None
    }
}
