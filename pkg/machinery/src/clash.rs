//! A range of Services beside the networks that a machine is in: what both have, its programs reach as a Service alone.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

/// What a range has in common with the machine's own networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// The machine itself has this address of the range, so that its neighbours and its router are in it too.
    Address(IpAddr),
    /// The network of this address of the machine has addresses of the range; the machine's own is none of them.
    Network(IpNet),
}

impl Clash {
    /// The worst clash of a range with the machine's own addresses, each with the length of its network's prefix.
    #[must_use]
    pub fn of(range: &IpNet, own: &[IpNet]) -> Option<Self> {
        let inside = own.iter().find(|own| range.contains(&own.addr()));
        // Of two networks that share an address one is in the other.
        let beside = || {
            own.iter()
                .find(|own| own.contains(&range.network()) || range.contains(&own.network()))
        };
        let address = inside.map(|own| Self::Address(own.addr()));
        address.or_else(|| beside().copied().map(Self::Network))
    }

    /// The machine would lose its neighbours: the range must not be used.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Address(_))
    }
}

/// What is said of the range.
impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => write!(f, "has {ip}, an address of this machine itself"),
            Self::Network(own) => write!(
                f,
                "overlaps with {}, the network of this machine's address {}",
                own.trunc(),
                own.addr()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_and_the_machines_networks() {
        let own = [
            "192.168.1.50/24",
            "10.0.0.7/8",
            "fd00:1::50/64",
            "172.16.0.9/32",
        ];
        let own = own.map(|text| text.parse().unwrap());
        for (range, expected) in [
            (
                "192.168.0.0/16",
                Some("has 192.168.1.50, an address of this machine itself"),
            ),
            (
                "172.16.0.0/24",
                Some("has 172.16.0.9, an address of this machine itself"),
            ),
            (
                "fd00:1::/112",
                Some("has fd00:1::50, an address of this machine itself"),
            ),
            (
                "192.168.1.0/28",
                Some(
                    "overlaps with 192.168.1.0/24, the network of this machine's address 192.168.1.50",
                ),
            ),
            (
                "10.43.0.0/16",
                Some("overlaps with 10.0.0.0/8, the network of this machine's address 10.0.0.7"),
            ),
            ("172.16.1.0/24", None),
            ("fd00:43::/112", None),
        ] {
            let clash = Clash::of(&range.parse().unwrap(), &own);
            let said = clash.map(|clash| clash.to_string());
            assert_eq!(said.as_deref(), expected, "{range}");
            let fatal = clash.is_some_and(|clash| clash.is_fatal());
            assert_eq!(fatal, said.is_some_and(|said| said.starts_with("has")));
        }
    }
}
