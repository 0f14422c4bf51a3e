//! The ranges that Services are given addresses and node ports from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::Claim;
use super::choose::{Band, choose};

/// An address family, by its name in `ipFamilies`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// The configured ranges.
#[derive(Debug, Clone)]
pub(crate) struct Pools {
    /// One of each family at most; the first is the primary.
    pub(crate) cidrs: Vec<IpNet>,
    pub(crate) node_ports: RangeInclusive<u16>,
}

/// What an allocation sees of the world: the ranges, what is taken, and chance.
pub(crate) struct Environment<'a> {
    pub(crate) pools: &'a Pools,
    /// Ranges beside the server's own, of any family; asked for when they are needed.
    pub(crate) further: &'a dyn Fn() -> Vec<IpNet>,
    pub(crate) taken: &'a dyn Fn(&Claim) -> bool,
    pub(crate) random: &'a dyn Fn() -> u128,
}

impl Pools {
    /// The families that Services can have, the primary first.
    pub(crate) fn families(&self) -> Vec<Family> {
        self.cidrs
            .iter()
            .map(|net| Family::of(net.network()))
            .collect()
    }

    /// The first address of the primary range, which is the `kubernetes` Service's.
    pub(crate) fn first_address(&self) -> Option<IpAddr> {
        let net = self.cidrs.first()?;
        let (first, count) = usable(net);
        (count > 0).then(|| address(Family::of(net.network()), first))
    }

    fn cidr(&self, family: Family) -> Option<&IpNet> {
        self.cidrs
            .iter()
            .find(|net| Family::of(net.network()) == family)
    }
}

impl Environment<'_> {
    /// A free address. Errors are upstream's words.
    pub(crate) fn choose_address(&self, family: Family) -> Result<IpAddr, String> {
        let own = self.own(family)?;
        let further = || (self.further)().into_iter().filter(|net| of(net) == family);
        self.choose_of(own)
            .or_else(|| further().find_map(|net| self.choose_of(&net)))
            .ok_or_else(|| "range is full".to_string())
    }

    fn choose_of(&self, net: &IpNet) -> Option<IpAddr> {
        let (first, count) = usable(net);
        let at = |n: u128| address(of(net), first + n);
        let taken = |n: u128| (self.taken)(&Claim::Address(at(n)));
        let kept = Band::ADDRESSES.kept(size(net)).min(count);
        choose(count, kept, (self.random)(), taken).map(at)
    }

    fn own(&self, family: Family) -> Result<&IpNet, String> {
        self.pools
            .cidr(family)
            .ok_or_else(|| format!("{} is not configured", family.as_str()))
    }

    /// That an address which was asked for can be had.
    pub(crate) fn check_address(&self, address: IpAddr) -> Result<(), String> {
        let own = self.own(Family::of(address))?;
        let within = |net: &IpNet| {
            let (first, count) = usable(net);
            let place = number(address).checked_sub(first);
            of(net) == Family::of(address) && place.is_some_and(|place| place < count)
        };
        if !within(own) && !(self.further)().iter().any(within) {
            return Err("the provided network does not match the current range".into());
        }
        if (self.taken)(&Claim::Address(address)) {
            Err("provided IP is already allocated".into())
        } else {
            Ok(())
        }
    }

    /// A free node port.
    pub(crate) fn choose_port(&self, also_taken: impl Fn(u16) -> bool) -> Result<u16, String> {
        let first = *self.pools.node_ports.start();
        let size = self.pools.node_ports.len() as u128;
        let at = |n: u128| first.saturating_add(u16::try_from(n).unwrap_or(u16::MAX));
        let taken = |n: u128| also_taken(at(n)) || (self.taken)(&Claim::Port(at(n)));
        choose(size, Band::PORTS.kept(size), (self.random)(), taken)
            .map(at)
            .ok_or_else(|| "range is full".to_string())
    }

    /// That a node port which was asked for can be had; the number as the request has it.
    pub(crate) fn check_port(&self, number: i64) -> Result<u16, String> {
        let range = &self.pools.node_ports;
        let port = u16::try_from(number).ok().filter(|port| range.contains(port)).ok_or_else(|| {
            let (first, last) = (range.start(), range.end());
            format!("provided port is not in the valid range. The range of valid ports is {first}-{last}")
        })?;
        if (self.taken)(&Claim::Port(port)) {
            Err("provided port is already allocated".into())
        } else {
            Ok(port)
        }
    }
}

fn of(net: &IpNet) -> Family {
    Family::of(net.network())
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(a.to_bits()),
        IpAddr::V6(a) => a.to_bits(),
    }
}

fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        Family::V6 => Ipv6Addr::from_bits(number).into(),
    }
}

/// How many addresses the range has, the reserved ones too.
fn size(net: &IpNet) -> u128 {
    let bits = u32::from(net.max_prefix_len() - net.prefix_len());
    1u128.checked_shl(bits).unwrap_or(u128::MAX)
}

/// The first address for use and their count: not the network's own, nor (IPv4) the broadcast address.
fn usable(net: &IpNet) -> (u128, u128) {
    let reserved = if net.network().is_ipv4() { 2 } else { 1 };
    (
        number(net.network()).saturating_add(1),
        size(net).saturating_sub(reserved),
    )
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    fn pools(cidrs: &[&str]) -> Pools {
        Pools {
            cidrs: cidrs.iter().map(|c| c.parse().unwrap()).collect(),
            node_ports: 30000..=30002,
        }
    }

    #[test]
    fn network_and_broadcast_are_nobodys() {
        let pools = pools(&["10.0.0.0/30", "fd00::/126"]);
        let taken = RefCell::new(BTreeSet::new());
        let is_taken = |claim: &Claim| taken.borrow().contains(claim);
        let world = Environment {
            pools: &pools,
            further: &Vec::new,
            taken: &is_taken,
            random: &|| 7,
        };
        let all = |family| {
            let mut out = Vec::new();
            while let Ok(address) = world.choose_address(family) {
                world.check_address(address).unwrap();
                taken.borrow_mut().insert(Claim::Address(address));
                out.push(address.to_string());
            }
            out.sort();
            out
        };
        assert_eq!(all(Family::V4), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(all(Family::V6), ["fd00::1", "fd00::2", "fd00::3"]);
        let error = |address: &str| world.check_address(address.parse().unwrap()).unwrap_err();
        assert_eq!(error("10.0.0.1"), "provided IP is already allocated");
        for outside in ["10.0.0.0", "10.0.0.3", "10.0.1.1", "fd00::", "fd01::1"] {
            let why = "the provided network does not match the current range";
            assert_eq!(error(outside), why, "{outside}");
        }
        assert_eq!(pools.first_address(), Some("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn ranges_without_room() {
        for (net, family) in [
            ("192.168.1.0/32", Family::V4),
            ("192.168.1.0/31", Family::V4),
            ("fd00::/128", Family::V6),
        ] {
            let pools = pools(&[net]);
            let world = Environment {
                pools: &pools,
                further: &Vec::new,
                taken: &|_| false,
                random: &|| 7,
            };
            let got = world.choose_address(family);
            assert_eq!(got, Err("range is full".into()), "{net}");
            assert_eq!(pools.first_address(), None, "{net}");
        }
    }

    #[test]
    fn further_ranges_serve_when_the_own_is_full_and_who_asks() {
        let pools = pools(&["10.0.0.0/30"]);
        let further = || {
            ["fd00::/126", "10.0.1.0/30"]
                .map(|net| net.parse().unwrap())
                .to_vec()
        };
        let full = |claim: &Claim| matches!(claim, Claim::Address(a) if a.to_string().starts_with("10.0.0."));
        let world = Environment {
            pools: &pools,
            further: &further,
            taken: &full,
            random: &|| 0,
        };
        let ask = |address: &str| world.check_address(address.parse().unwrap()).is_ok();
        assert_eq!(
            world.choose_address(Family::V4),
            Ok("10.0.1.1".parse().unwrap())
        );
        assert!(ask("10.0.1.2") && !ask("10.0.1.3") && !ask("10.0.2.1"));
        // A family that the server has none of stays so.
        assert!(world.choose_address(Family::V6).is_err() && !ask("fd00::1"));
    }

    #[test]
    fn what_is_nobodys_in_one_range_is_an_address_of_a_wider_one() {
        let pools = pools(&["10.0.1.0/24"]);
        let ask = |further: &[&str]| {
            let further: Vec<IpNet> = further.iter().map(|net| net.parse().unwrap()).collect();
            let world = Environment {
                pools: &pools,
                further: &|| further.clone(),
                taken: &|_| false,
                random: &|| 0,
            };
            ["10.0.1.0", "10.0.1.255"].map(|a| world.check_address(a.parse().unwrap()).is_ok())
        };
        assert_eq!(ask(&[]), [false; 2]);
        assert_eq!(ask(&["10.0.0.0/16"]), [true; 2]);
    }

    #[test]
    fn ports_run_out() {
        let pools = pools(&["10.0.0.0/30"]);
        let taken = |claim: &Claim| *claim == Claim::Port(30001);
        let world = Environment {
            pools: &pools,
            further: &Vec::new,
            taken: &taken,
            random: &|| 0,
        };
        assert_eq!(world.choose_port(|p| p == 30000), Ok(30002));
        assert_eq!(
            world.choose_port(|p| p != 30001),
            Err("range is full".into())
        );
        assert_eq!(
            world.check_port(30001),
            Err("provided port is already allocated".into())
        );
        for outside in [0, -1, 29999, 30003, 99999] {
            let error = world.check_port(outside).unwrap_err();
            assert!(
                error.ends_with("The range of valid ports is 30000-30002"),
                "{error}"
            );
        }
    }
}
