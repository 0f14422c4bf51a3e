//! Where LoadBalancer addresses come from, and for whom they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use kedge_machinery::AddressRange;
use kedge_machinery::address_range::is_buggy;
use kedge_machinery::selector::LabelSelector;

/// Labels of an object.
pub(super) type Labels = BTreeMap<String, String>;

/// The name of the pool that settings make (`--lb-pool`); it lives in no namespace.
pub(super) const SETTINGS: &str = "lb-pool";

/// Addresses with the rules by which they are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pool {
    /// Of the IPAddressPool; empty for the pool of the settings.
    pub namespace: String,
    pub name: String,
    pub ranges: Vec<AddressRange>,
    /// Not only for those who ask for it by name, or for one of its addresses.
    pub auto_assign: bool,
    /// Addresses that end in .0 and .255 are left out.
    pub avoid_buggy_ips: bool,
    /// For whom it is; `None`: for everybody.
    pub allocation: Option<ServiceAllocation>,
}

/// `spec.serviceAllocation`: the Services that a pool is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServiceAllocation {
    /// 1 comes first, 0 after all others.
    pub priority: u32,
    pub namespaces: BTreeSet<String>,
    pub namespace_selectors: Vec<LabelSelector>,
    pub service_selectors: Vec<LabelSelector>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Consumer<'a> {
    pub namespace: &'a str,
    pub namespace_labels: &'a Labels,
    pub labels: &'a Labels,
}

impl Pool {
    /// The pool of the settings.
    pub(super) fn of_settings(ranges: &[AddressRange]) -> Self {
        Self {
            name: SETTINGS.into(),
            ranges: ranges.to_vec(),
            auto_assign: true,
            ..Self::default()
        }
    }

    /// The address is one that the pool gives.
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        !(self.avoid_buggy_ips && is_buggy(ip)) && self.ranges.iter().any(|r| r.contains(ip))
    }

    pub(super) fn has_family(&self, ipv6: bool) -> bool {
        self.ranges.iter().any(|range| range.is_ipv6() == ipv6)
    }

    /// The addresses of a family, in the order of the ranges.
    pub(super) fn addresses(&self, ipv6: bool) -> impl Iterator<Item = IpAddr> + use<> {
        let ranges: Vec<AddressRange> = self.ranges.clone();
        let avoid = self.avoid_buggy_ips;
        let of_family = ranges.into_iter().filter(move |r| r.is_ipv6() == ipv6);
        of_family
            .flat_map(|range| range.addresses())
            .filter(move |ip| !(avoid && is_buggy(*ip)))
    }

    /// How many addresses of a family it gives.
    pub(super) fn capacity(&self, ipv6: bool) -> u128 {
        let of_family = self.ranges.iter().filter(|r| r.is_ipv6() == ipv6);
        of_family
            .map(|range| {
                range.size()
                    - if self.avoid_buggy_ips {
                        range.buggy()
                    } else {
                        0
                    }
            })
            .fold(0, u128::saturating_add)
    }

    /// The pool is for this Service.
    pub(super) fn serves(&self, consumer: &Consumer<'_>) -> bool {
        self.allocation
            .as_ref()
            .is_none_or(|allocation| allocation.admits(consumer))
    }

    /// Where it stands among the pools that a Service may have: those made for it first, by priority.
    pub(super) fn rank(&self) -> Rank {
        match self
            .allocation
            .as_ref()
            .map(|allocation| allocation.priority)
        {
            None => Rank::Open,
            Some(0) => Rank::Pinned(u32::MAX),
            Some(priority) => Rank::Pinned(priority),
        }
    }
}

/// Smaller is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Pinned(u32),
    Open,
}

impl ServiceAllocation {
    /// Of namespaces (by name or label) and labels of Services, each condition that is set must hold.
    fn admits(&self, consumer: &Consumer<'_>) -> bool {
        let any = |selectors: &[LabelSelector], labels: &Labels| {
            selectors
                .iter()
                .any(|selector| selector.matches(|key| labels.get(key).map(String::as_str)))
        };
        let everywhere = self.namespaces.is_empty() && self.namespace_selectors.is_empty();
        let here = everywhere
            || self.namespaces.contains(consumer.namespace)
            || any(&self.namespace_selectors, consumer.namespace_labels);
        here && (self.service_selectors.is_empty() || any(&self.service_selectors, consumer.labels))
    }
}

/// Name and ranges, for Events.
impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> = self.ranges.iter().map(ToString::to_string).collect();
        write!(f, "{} ({})", self.name, ranges.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(key: &str, value: &str) -> LabelSelector {
        LabelSelector::from_pairs([(key, value)])
    }

    #[test]
    fn every_condition_must_hold() {
        let (none, edge) = (
            Labels::new(),
            Labels::from([("zone".to_string(), "edge".to_string())]),
        );
        let who = |namespace, namespace_labels, labels| Consumer {
            namespace,
            namespace_labels,
            labels,
        };
        let pool = |allocation| Pool {
            allocation: Some(allocation),
            ..Pool::default()
        };
        assert!(Pool::default().serves(&who("a", &none, &none)));
        assert!(pool(ServiceAllocation::default()).serves(&who("a", &none, &none)));
        let by_namespace = pool(ServiceAllocation {
            namespaces: ["a".to_string()].into(),
            namespace_selectors: vec![selector("zone", "edge")],
            ..ServiceAllocation::default()
        });
        assert!(by_namespace.serves(&who("a", &none, &none)));
        assert!(by_namespace.serves(&who("b", &edge, &none)));
        assert!(!by_namespace.serves(&who("b", &none, &edge)));
        let by_both = pool(ServiceAllocation {
            namespaces: ["a".to_string()].into(),
            service_selectors: vec![selector("zone", "edge")],
            ..ServiceAllocation::default()
        });
        assert!(by_both.serves(&who("a", &none, &edge)));
        assert!(!by_both.serves(&who("a", &none, &none)));
        assert!(!by_both.serves(&who("b", &none, &edge)));
    }

    #[test]
    fn buggy_addresses_are_left_out() {
        let pool = Pool {
            ranges: vec![
                "10.0.0.254-10.0.1.1".parse().unwrap(),
                "fd00::/64".parse().unwrap(),
            ],
            avoid_buggy_ips: true,
            ..Pool::default()
        };
        let all: Vec<String> = pool.addresses(false).map(|ip| ip.to_string()).collect();
        assert_eq!(all, ["10.0.0.254", "10.0.1.1"]);
        assert_eq!((pool.capacity(false), pool.capacity(true)), (2, 1 << 64));
        assert!(!pool.contains("10.0.1.0".parse().unwrap()));
        assert!(pool.contains("fd00::".parse().unwrap()));
    }

    #[test]
    fn priority_zero_is_the_last_of_the_pinned() {
        let of = |priority| Pool {
            allocation: Some(ServiceAllocation {
                priority,
                ..ServiceAllocation::default()
            }),
            ..Pool::default()
        };
        assert!(of(1).rank() < of(2).rank() && of(2).rank() < of(0).rank());
        assert!(of(0).rank() < Pool::default().rank());
    }
}
