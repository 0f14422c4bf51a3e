//! A range of addresses, as pools of a load balancer are written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

/// Addresses of one family, from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

/// A text that is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    #[error(
        "{0:?} is not an address pool: give a range (192.168.1.240-192.168.1.250), a CIDR (192.168.1.240/28) or one address"
    )]
    Syntax(String),
    #[error("the address pool {0:?} begins with one address family and ends with the other")]
    Families(String),
    #[error("the address pool {0:?} ends before it begins")]
    Backwards(String),
    #[error("the address pool {range:?} holds {address}, which no host can have as its own")]
    Unusable { range: String, address: IpAddr },
}

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let syntax = || RangeError::Syntax(text.into());
        let address = |part: &str| part.trim().parse::<IpAddr>().map_err(|_| syntax());
        let range = if let Some((first, last)) = text.split_once('-') {
            Self {
                first: address(first)?,
                last: address(last)?,
            }
        } else if text.contains('/') {
            let net: IpNet = text.trim().parse().map_err(|_| syntax())?;
            Self {
                first: net.network(),
                last: net.broadcast(),
            }
        } else {
            let only = address(text)?;
            Self {
                first: only,
                last: only,
            }
        };
        if range.first.is_ipv6() != range.last.is_ipv6() {
            return Err(RangeError::Families(text.into()));
        }
        if range.first > range.last {
            return Err(RangeError::Backwards(text.into()));
        }
        let unusable = [range.first, range.last].into_iter().find(|ip| {
            ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_loopback()
                || *ip == IpAddr::V4(Ipv4Addr::BROADCAST)
        });
        match unusable {
            Some(address) => Err(RangeError::Unusable {
                range: text.into(),
                address,
            }),
            None => Ok(range),
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl AddressRange {
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        self.first.is_ipv6()
    }

    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.is_ipv6() == ip.is_ipv6() && self.first <= ip && ip <= self.last
    }

    /// True when an address is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.is_ipv6() == other.is_ipv6() && self.first <= other.last && other.first <= self.last
    }

    /// True when an address is in both.
    #[must_use]
    pub fn overlaps_net(&self, net: &IpNet) -> bool {
        let family = matches!(net, IpNet::V6(_)) == self.is_ipv6();
        family && self.first <= net.broadcast() && net.network() <= self.last
    }

    /// How many addresses there are; `u128::MAX` also where it is one more.
    #[must_use]
    pub fn size(&self) -> u128 {
        (number(self.last) - number(self.first)).saturating_add(1)
    }

    /// How many of them end in .0 or .255 (never any in IPv6).
    #[must_use]
    pub fn buggy(&self) -> u128 {
        let up_to = |n: u128| n / 256 * 2 + u128::from(n % 256 == 255) + 1;
        match (self.is_ipv6(), number(self.first), number(self.last)) {
            (true, ..) => 0,
            (false, 0, last) => up_to(last),
            (false, first, last) => up_to(last) - up_to(first - 1),
        }
    }

    /// The addresses in their order.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let ipv6 = self.is_ipv6();
        let (first, last) = (number(self.first), number(self.last));
        (first..=last).map(move |n| {
            if ipv6 {
                Ipv6Addr::from(n).into()
            } else {
                Ipv4Addr::from(n as u32).into()
            }
        })
    }
}

/// True for an IPv4 address that ends in .0 or .255, which some old devices take for a network's own.
#[must_use]
pub fn is_buggy(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if matches!(ip.octets()[3], 0 | 255))
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u32::from(ip).into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn the_three_forms() {
        assert_eq!(range("192.168.1.240-192.168.1.250").addresses().count(), 11);
        assert_eq!(
            range(" 192.168.1.240 - 192.168.1.250 ").to_string(),
            "192.168.1.240-192.168.1.250"
        );
        assert_eq!(
            range("192.168.1.244/30").to_string(),
            "192.168.1.244-192.168.1.247"
        );
        assert_eq!(range("192.168.1.245/30"), range("192.168.1.244/30"));
        assert_eq!(range("192.168.1.9").to_string(), "192.168.1.9");
        let v6: Vec<_> = range("fd00::fe-fd00::101")
            .addresses()
            .map(|ip| ip.to_string())
            .collect();
        assert_eq!(v6, ["fd00::fe", "fd00::ff", "fd00::100", "fd00::101"]);
        assert!(range("2001:db8::/64").contains("2001:db8::1:2:3".parse().unwrap()));
        assert_eq!(
            range("0.0.0.1-255.255.255.254")
                .addresses()
                .nth(1)
                .unwrap()
                .to_string(),
            "0.0.0.2"
        );
    }

    #[test]
    fn what_is_no_range_says_why() {
        let error = |text: &str| text.parse::<AddressRange>().unwrap_err();
        assert!(matches!(error(""), RangeError::Syntax(_)));
        assert!(matches!(error("192.168.1.0/33"), RangeError::Syntax(_)));
        assert!(matches!(error("192.168.1.240-250"), RangeError::Syntax(_)));
        assert!(matches!(
            error("192.168.1.1-fd00::1"),
            RangeError::Families(_)
        ));
        assert!(matches!(
            error("192.168.1.9-192.168.1.8"),
            RangeError::Backwards(_)
        ));
        assert!(matches!(error("224.0.0.0/24"), RangeError::Unusable { .. }));
        assert!(matches!(error("0.0.0.0/0"), RangeError::Unusable { .. }));
    }

    #[test]
    fn overlaps_are_found() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        assert!(range("10.43.255.250-10.44.0.5").overlaps_net(&net("10.43.0.0/16")));
        assert!(!range("10.44.0.0-10.44.0.5").overlaps_net(&net("10.43.0.0/16")));
        assert!(!range("fd00::1").overlaps_net(&net("0.0.0.0/0")));
        assert!(range("10.0.0.1-10.0.0.9").overlaps(&range("10.0.0.9")));
        assert!(!range("10.0.0.1-10.0.0.9").overlaps(&range("10.0.0.10/31")));
    }

    #[test]
    fn sizes() {
        assert_eq!(range("10.0.0.0/23").size(), 512);
        assert_eq!(range("10.0.0.0/23").buggy(), 4);
        assert_eq!(range("fd00::/64").size(), 1 << 64);
        assert_eq!(range("fd00::/64").buggy(), 0);
    }

    proptest! {
        #[test]
        fn counting_is_what_walking_finds(first in 1u32..2000, length in 0u32..2000) {
            let address = |n: u32| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n));
            let range = range(&format!("{}-{}", address(first), address(first + length)));
            prop_assert_eq!(range.size(), range.addresses().count() as u128);
            prop_assert_eq!(range.buggy(), range.addresses().filter(|ip| is_buggy(*ip)).count() as u128);
        }
    }
}
