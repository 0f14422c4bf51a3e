//! Where LoadBalancer addresses come from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

/// A range of addresses of one family, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LbPool {
    first: IpAddr,
    last: IpAddr,
}

/// A text that is no pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    #[error(
        "{0:?} is not an address pool: give a range (192.168.1.240-192.168.1.250), a CIDR (192.168.1.240/28) or one address"
    )]
    Syntax(String),
    #[error("the address pool {0:?} begins with one address family and ends with the other")]
    Families(String),
    #[error("the address pool {0:?} ends before it begins")]
    Backwards(String),
    #[error("the address pool {pool:?} holds {address}, which no host can have as its own")]
    Unusable { pool: String, address: IpAddr },
}

impl FromStr for LbPool {
    type Err = PoolError;

    fn from_str(text: &str) -> Result<Self, PoolError> {
        let syntax = || PoolError::Syntax(text.into());
        let address = |part: &str| part.trim().parse::<IpAddr>().map_err(|_| syntax());
        let pool = if let Some((first, last)) = text.split_once('-') {
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
        if pool.first.is_ipv6() != pool.last.is_ipv6() {
            return Err(PoolError::Families(text.into()));
        }
        if pool.first > pool.last {
            return Err(PoolError::Backwards(text.into()));
        }
        let unusable = [pool.first, pool.last].into_iter().find(|ip| {
            ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_loopback()
                || *ip == IpAddr::V4(Ipv4Addr::BROADCAST)
        });
        match unusable {
            Some(address) => Err(PoolError::Unusable {
                pool: text.into(),
                address,
            }),
            None => Ok(pool),
        }
    }
}

impl fmt::Display for LbPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl LbPool {
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        self.first.is_ipv6()
    }

    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.is_ipv6() == ip.is_ipv6() && self.first <= ip && ip <= self.last
    }

    /// True when an address is in both. Pools must share none with the ranges of Services and Pods.
    #[must_use]
    pub fn overlaps(&self, net: &IpNet) -> bool {
        let family = matches!(net, IpNet::V6(_)) == self.is_ipv6();
        family && self.first <= net.broadcast() && net.network() <= self.last
    }

    /// True when an address is in both pools.
    #[must_use]
    pub fn overlaps_pool(&self, other: &Self) -> bool {
        self.is_ipv6() == other.is_ipv6() && self.first <= other.last && other.first <= self.last
    }

    /// The addresses in their order.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
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

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u32::from(ip).into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(text: &str) -> LbPool {
        text.parse().unwrap()
    }

    #[test]
    fn the_three_forms() {
        assert_eq!(pool("192.168.1.240-192.168.1.250").addresses().count(), 11);
        assert_eq!(
            pool(" 192.168.1.240 - 192.168.1.250 ").to_string(),
            "192.168.1.240-192.168.1.250"
        );
        assert_eq!(
            pool("192.168.1.244/30").to_string(),
            "192.168.1.244-192.168.1.247"
        );
        assert_eq!(pool("192.168.1.245/30"), pool("192.168.1.244/30"));
        assert_eq!(pool("192.168.1.9").to_string(), "192.168.1.9");
        let v6: Vec<_> = pool("fd00::fe-fd00::101")
            .addresses()
            .map(|ip| ip.to_string())
            .collect();
        assert_eq!(v6, ["fd00::fe", "fd00::ff", "fd00::100", "fd00::101"]);
        assert!(pool("2001:db8::/64").contains("2001:db8::1:2:3".parse().unwrap()));
        assert_eq!(
            pool("0.0.0.1-255.255.255.254")
                .addresses()
                .nth(1)
                .unwrap()
                .to_string(),
            "0.0.0.2"
        );
    }

    #[test]
    fn what_is_no_pool_says_why() {
        let error = |text: &str| text.parse::<LbPool>().unwrap_err();
        assert!(matches!(error(""), PoolError::Syntax(_)));
        assert!(matches!(error("192.168.1.0/33"), PoolError::Syntax(_)));
        assert!(matches!(error("192.168.1.240-250"), PoolError::Syntax(_)));
        assert!(matches!(
            error("192.168.1.1-fd00::1"),
            PoolError::Families(_)
        ));
        assert!(matches!(
            error("192.168.1.9-192.168.1.8"),
            PoolError::Backwards(_)
        ));
        assert!(matches!(error("224.0.0.0/24"), PoolError::Unusable { .. }));
        assert!(matches!(error("0.0.0.0/0"), PoolError::Unusable { .. }));
    }

    #[test]
    fn overlaps_are_found() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        assert!(pool("10.43.255.250-10.44.0.5").overlaps(&net("10.43.0.0/16")));
        assert!(!pool("10.44.0.0-10.44.0.5").overlaps(&net("10.43.0.0/16")));
        assert!(!pool("fd00::1").overlaps(&net("0.0.0.0/0")));
        assert!(pool("10.0.0.1-10.0.0.9").overlaps_pool(&pool("10.0.0.9")));
        assert!(!pool("10.0.0.1-10.0.0.9").overlaps_pool(&pool("10.0.0.10/31")));
    }
}
