//! Which pools a Service may have addresses from, and in which order it asks them.

use std::net::IpAddr;

use crate::loadbalancer::outcome::Waiting;
use crate::loadbalancer::pool::{Consumer, Pool, Rank};
use crate::loadbalancer::request::Request;

/// Pools by their place in the list of all, the first to ask first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidates {
    /// Those made for the Service, by priority.
    pinned: Vec<usize>,
    /// Those for everybody.
    open: Vec<usize>,
}

impl Candidates {
    /// The pool that is asked for by name, else those that give of themselves.
    pub(super) fn of(
        pools: &[Pool],
        consumer: &Consumer<'_>,
        request: &Request,
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
        all.sort_by_key(|at| (pools[*at].rank(), *at));
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

    fn all(&self) -> impl Iterator<Item = usize> {
        self.pinned.iter().chain(&self.open).copied()
    }

    /// The pool that has an address of every family, and these. Where there is none and one family is enough, the first pool
    /// with an address of the primary family, else with one of the other. A pool made for the Service that has one goes before one
    /// for everybody that has both.
    pub(super) fn best(
        &self,
        families: &[bool],
        both: bool,
        give: &mut impl FnMut(usize, bool) -> Option<IpAddr>,
    ) -> Option<(usize, Vec<IpAddr>)> {
        for tier in [&self.pinned, &self.open] {
            let mut some: Vec<(usize, IpAddr)> = Vec::new();
            for at in tier {
                let found: Vec<IpAddr> = families.iter().filter_map(|v6| give(*at, *v6)).collect();
                if found.len() == families.len() {
                    return Some((*at, found));
                }
                some.extend(found.into_iter().map(|ip| (*at, ip)));
            }
            let of_family = |ipv6: &bool| some.iter().find(|(_, ip)| ip.is_ipv6() == *ipv6);
            let first = families.iter().find_map(of_family);
            if let Some((at, ip)) = first.filter(|_| !both) {
                return Some((*at, vec![*ip]));
            }
        }
        None
    }

    /// What there is too little of.
    pub(super) fn shortage(
        &self,
        pools: &[Pool],
        families: &[bool],
        give: &mut impl FnMut(usize, bool) -> Option<IpAddr>,
    ) -> Waiting {
        let named = |has: &dyn Fn(&Pool) -> bool| -> Vec<String> {
            let all = self.all().map(|at| &pools[at]);
            all.filter(|pool| has(pool))
                .map(ToString::to_string)
                .collect()
        };
        let nowhere = |ipv6: &&bool| !self.all().any(|at| pools[at].has_family(**ipv6));
        let missing = families.iter().find(nowhere).or_else(|| {
            let mut families = families.iter();
            families.find(|ipv6| self.all().all(|at| give(at, **ipv6).is_none()))
        });
        match missing {
            Some(ipv6) => Waiting::Exhausted {
                ipv6: *ipv6,
                pools: named(&|pool| pool.has_family(*ipv6)),
            },
            None => Waiting::NotTogether(named(&|_| true)),
        }
    }
}
