//! What is measured of pools, under MetalLB's names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::outcome::Name;
use crate::view::PoolStatus;

/// Addresses of pools. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct LoadBalancerMetrics {
    all: Counts,
    ipv4: Counts,
    ipv6: Counts,
    announced: Family<AnnouncedLabel, Gauge>,
    /// Pools that have a value.
    shown: Arc<Mutex<BTreeSet<String>>>,
}

/// Addresses of pools, of both families or of one.
#[derive(Debug, Clone, Default)]
struct Counts {
    in_use: Family<PoolLabel, Gauge>,
    total: Family<PoolLabel, Gauge>,
}

impl Counts {
    fn set(&self, pool: &PoolLabel, (in_use, total): (i64, i64)) {
        self.in_use.get_or_create(pool).set(in_use);
        self.total.get_or_create(pool).set(total);
    }

    fn remove(&self, pool: &PoolLabel) {
        self.in_use.remove(pool);
        self.total.remove(pool);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabel {
    pool: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnnouncedLabel {
    service: String,
    protocol: &'static str,
    node: String,
    ip: String,
}

impl LoadBalancerMetrics {
    /// Names what is measured.
    pub fn register(&self, registry: &mut Registry) {
        for (family, which, counts) in [
            ("", "Addresses", &self.all),
            ("ipv4_", "IPv4 addresses", &self.ipv4),
            ("ipv6_", "IPv6 addresses", &self.ipv6),
        ] {
            registry.register(
                format!("metallb_allocator_{family}addresses_in_use_total"),
                format!("{which} that Services have, by pool"),
                counts.in_use.clone(),
            );
            registry.register(
                format!("metallb_allocator_{family}addresses_total"),
                format!("{which} that there are, by pool"),
                counts.total.clone(),
            );
        }
        registry.register(
            "metallb_speaker_announced",
            "Addresses that are announced from this node, by Service",
            self.announced.clone(),
        );
    }

    /// These addresses of these Services are announced, and no others.
    pub(super) fn set_announced<'a>(
        &self,
        node: &str,
        all: impl Iterator<Item = &'a (Name, IpAddr)>,
    ) {
        self.announced.clear();
        for ((namespace, name), ip) in all {
            let label = AnnouncedLabel {
                service: format!("{namespace}/{name}"),
                protocol: "layer2",
                node: node.into(),
                ip: ip.to_string(),
            };
            self.announced.get_or_create(&label).set(1);
        }
    }

    /// Pools of one name are counted together.
    pub(super) fn set(&self, used: &BTreeMap<Name, PoolStatus>) {
        let mut sums: BTreeMap<&str, [(i64, i64); 2]> = BTreeMap::new();
        for ((_, name), status) in used {
            let sum = sums.entry(name).or_default();
            for (sum, (assigned, available)) in sum.iter_mut().zip([
                (status.assigned_ipv4, status.available_ipv4),
                (status.assigned_ipv6, status.available_ipv6),
            ]) {
                *sum = add(*sum, (assigned, assigned.saturating_add(available)));
            }
        }
        let label = |pool: &str| PoolLabel { pool: pool.into() };
        let now: BTreeSet<String> = sums.keys().map(ToString::to_string).collect();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in shown.difference(&now) {
            for counts in [&self.all, &self.ipv4, &self.ipv6] {
                counts.remove(&label(gone));
            }
        }
        for (name, [ipv4, ipv6]) in sums {
            let label = label(name);
            self.all.set(&label, add(ipv4, ipv6));
            self.ipv4.set(&label, ipv4);
            self.ipv6.set(&label, ipv6);
        }
        *shown = now;
    }
}

/// A pool may have more IPv6 addresses than can be counted.
fn add(one: (i64, i64), other: (i64, i64)) -> (i64, i64) {
    (one.0.saturating_add(other.0), one.1.saturating_add(other.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_that_is_gone_has_no_value() {
        let (metrics, mut registry) = (LoadBalancerMetrics::default(), Registry::default());
        metrics.register(&mut registry);
        let status = PoolStatus {
            assigned_ipv4: 2,
            available_ipv4: 8,
            assigned_ipv6: 1,
            available_ipv6: i64::MAX,
        };
        let used = |name: &str| [((String::new(), name.to_string()), status)].into();
        let text = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        metrics.set(&used("lan"));
        let first = text();
        for (which, count) in [
            ("addresses_in_use_total", 3),
            ("addresses_total", i64::MAX),
            ("ipv4_addresses_in_use_total", 2),
            ("ipv4_addresses_total", 10),
            ("ipv6_addresses_in_use_total", 1),
            ("ipv6_addresses_total", i64::MAX),
        ] {
            let line = format!("metallb_allocator_{which}{{pool=\"lan\"}} {count}\n");
            assert!(first.contains(&line), "{line} in {first}");
        }
        metrics.set(&used("dmz"));
        assert!(!text().contains("lan") && text().contains("dmz"));
    }
}
