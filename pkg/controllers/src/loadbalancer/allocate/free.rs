//! Which addresses of pools nobody has.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::tenants::Tenants;
use crate::loadbalancer::pool::Pool;
use crate::loadbalancer::request::Request;

type Addresses = Box<dyn Iterator<Item = IpAddr>>;

/// The free addresses of pools, each looked at once at most.
pub(super) struct Free {
    /// By pool and family: the one that is next, and those after it.
    rest: BTreeMap<(usize, bool), (Option<IpAddr>, Addresses)>,
}

impl Free {
    pub(super) fn new(pools: &[Pool]) -> Self {
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
    pub(super) fn find(
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
