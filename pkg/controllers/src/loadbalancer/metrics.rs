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
    in_use: Family<PoolLabel, Gauge>,
    total: Family<PoolLabel, Gauge>,
    announced: Family<AnnouncedLabel, Gauge>,
    /// Pools that have a value.
    shown: Arc<Mutex<BTreeSet<String>>>,
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
        registry.register(
            "metallb_allocator_addresses_in_use_total",
            "Addresses that Services have, by pool",
            self.in_use.clone(),
        );
        registry.register(
            "metallb_allocator_addresses_total",
            "Addresses that there are, by pool",
            self.total.clone(),
        );
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
        let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for ((_, name), status) in used {
            let (in_use, total) = sums.entry(name).or_default();
            let assigned = status.assigned_ipv4.saturating_add(status.assigned_ipv6);
            let available = status.available_ipv4.saturating_add(status.available_ipv6);
            *in_use = in_use.saturating_add(assigned);
            *total = total.saturating_add(assigned).saturating_add(available);
        }
        let label = |pool: &str| PoolLabel { pool: pool.into() };
        let now: BTreeSet<String> = sums.keys().map(ToString::to_string).collect();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in shown.difference(&now) {
            self.in_use.remove(&label(gone));
            self.total.remove(&label(gone));
        }
        for (name, (in_use, total)) in sums {
            self.in_use.get_or_create(&label(name)).set(in_use);
            self.total.get_or_create(&label(name)).set(total);
        }
        *shown = now;
    }
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
            ..PoolStatus::default()
        };
        let used = |name: &str| [((String::new(), name.to_string()), status)].into();
        let text = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        metrics.set(&used("lan"));
        let first = text();
        assert!(
            first.contains("metallb_allocator_addresses_in_use_total{pool=\"lan\"} 2\n"),
            "{first}"
        );
        assert!(
            first.contains("metallb_allocator_addresses_total{pool=\"lan\"} 10\n"),
            "{first}"
        );
        metrics.set(&used("dmz"));
        assert!(!text().contains("lan") && text().contains("dmz"));
    }
}
