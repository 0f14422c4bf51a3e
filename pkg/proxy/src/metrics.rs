//! What the proxy measures, under kube-proxy's names (kubernetes `pkg/proxy/metrics`), so that its dashboards show
//! kedge too.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use kedge_client::{Change, Resource};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family as Labelled;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::family::Family;
use crate::round::Round;

/// Seconds since 1970, or of a duration.
type Seconds = Gauge<f64, AtomicU64>;

/// Clones are the same.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Measured>);

#[derive(Debug)]
struct Measured {
    sync: Labelled<OfFamily, Histogram, fn() -> Histogram>,
    full_sync: Labelled<OfFamily, Histogram, fn() -> Histogram>,
    partial_sync: Labelled<OfFamily, Histogram, fn() -> Histogram>,
    programming: Labelled<OfFamily, Histogram, fn() -> Histogram>,
    last_sync: Labelled<OfFamily, Seconds>,
    last_queued: Labelled<OfFamily, Seconds>,
    service_changes: Counter,
    service_changes_pending: Gauge,
    endpoint_changes: Counter,
    endpoint_changes_pending: Gauge,
    failures: Labelled<OfFamily, Counter>,
    no_local_endpoints: Labelled<OfPolicy, Gauge>,
    forgetting: Labelled<OfFamily, Histogram, fn() -> Histogram>,
    forgotten_flows: Labelled<OfFamily, Counter>,
    healthz: Labelled<OfCode, Counter>,
    livez: Labelled<OfCode, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFamily {
    ip_family: IpFamily,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelValue)]
enum IpFamily {
    IPv4,
    IPv6,
}

impl From<Family> for OfFamily {
    fn from(family: Family) -> Self {
        Self {
            ip_family: match family {
                Family::V4 => IpFamily::IPv4,
                Family::V6 => IpFamily::IPv6,
            },
        }
    }
}

/// One transaction carries both families: what kube-proxy counts for each of its two proxiers is one here.
const FAMILIES: [OfFamily; 2] = [
    OfFamily {
        ip_family: IpFamily::IPv4,
    },
    OfFamily {
        ip_family: IpFamily::IPv6,
    },
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPolicy {
    ip_family: IpFamily,
    traffic_policy: TrafficPolicy,
}

/// Whose `Local` it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "the label's values are these")]
enum TrafficPolicy {
    internal,
    external,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCode {
    code: u16,
}

/// 1 ms and up, as kube-proxy's, and four steps below: a sync here takes less than its first.
fn sync_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_062_5, 2.0, 19))
}

/// A quarter of a second, a half, then seconds: the buckets of the service level objective that this measures, and
/// below it what a dataplane of milliseconds can tell apart.
fn programming_buckets() -> Histogram {
    let fine = exponential_buckets(0.001, 2.0, 8);
    let coarse = [0.25, 0.5].into_iter();
    let seconds = (1..60).map(f64::from);
    let minutes = (60..120).step_by(5).chain((120..=300).step_by(30));
    let minutes = minutes.map(f64::from);
    Histogram::new(fine.chain(coarse).chain(seconds).chain(minutes))
}

impl Default for Metrics {
    fn default() -> Self {
        let histograms = || Labelled::new_with_constructor(sync_buckets as fn() -> Histogram);
        Self(Arc::new(Measured {
            sync: histograms(),
            full_sync: histograms(),
            partial_sync: histograms(),
            programming: Labelled::new_with_constructor(programming_buckets),
            last_sync: Labelled::default(),
            last_queued: Labelled::default(),
            service_changes: Counter::default(),
            service_changes_pending: Gauge::default(),
            endpoint_changes: Counter::default(),
            endpoint_changes_pending: Gauge::default(),
            failures: Labelled::default(),
            no_local_endpoints: Labelled::default(),
            forgetting: histograms(),
            forgotten_flows: Labelled::default(),
            healthz: Labelled::default(),
            livez: Labelled::default(),
        }))
    }
}

impl Metrics {
    /// Names everything.
    pub fn register(&self, registry: &mut Registry) {
        let m = &*self.0;
        let kube = registry.sub_registry_with_prefix("kubeproxy");
        for (name, help, metric) in [
            (
                "sync_proxy_rules_duration",
                "Time of one round of writing rules",
                &m.sync,
            ),
            (
                "sync_full_proxy_rules_duration",
                "Time of a round that compared everything",
                &m.full_sync,
            ),
            (
                "sync_partial_proxy_rules_duration",
                "Time of a round of changes alone",
                &m.partial_sync,
            ),
        ] {
            kube.register_with_unit(name, help, Unit::Seconds, metric.clone());
        }
        kube.register_with_unit(
            "network_programming_duration",
            "Time from a change of endpoints to its rules",
            Unit::Seconds,
            m.programming.clone(),
        );
        for (name, help, metric) in [
            (
                "sync_proxy_rules_last_timestamp",
                "When rules were last in step",
                &m.last_sync,
            ),
            (
                "sync_proxy_rules_last_queued_timestamp",
                "When a change last came",
                &m.last_queued,
            ),
        ] {
            kube.register_with_unit(name, help, Unit::Seconds, metric.clone());
        }
        for (name, help, metric) in [
            (
                "sync_proxy_rules_service_changes",
                "Changes of Services",
                &m.service_changes,
            ),
            (
                "sync_proxy_rules_endpoint_changes",
                "Changes of EndpointSlices",
                &m.endpoint_changes,
            ),
        ] {
            kube.register(name, help, metric.clone());
        }
        kube.register(
            "sync_proxy_rules_nftables_sync_failures",
            "Transactions that the kernel refused",
            m.failures.clone(),
        );
        for (name, help, metric) in [
            (
                "sync_proxy_rules_service_changes_pending",
                "Changes of Services that are not in the rules yet",
                &m.service_changes_pending,
            ),
            (
                "sync_proxy_rules_endpoint_changes_pending",
                "Changes of EndpointSlices that are not in the rules yet",
                &m.endpoint_changes_pending,
            ),
        ] {
            kube.register(name, help, metric.clone());
        }
        kube.register_with_unit(
            "conntrack_reconciler_sync_duration",
            "Time of one walk for flows that are to be forgotten",
            Unit::Seconds,
            m.forgetting.clone(),
        );
        kube.register(
            "conntrack_reconciler_deleted_entries",
            "Flows forgotten because their endpoint went",
            m.forgotten_flows.clone(),
        );
        // A gauge in spite of its name, as kube-proxy has it.
        kube.register(
            "sync_proxy_rules_no_local_endpoints_total",
            "Services with a Local traffic policy and no endpoint here",
            m.no_local_endpoints.clone(),
        );
        kube.register("proxy_healthz", "Answers of /healthz", m.healthz.clone());
        kube.register("proxy_livez", "Answers of /livez", m.livez.clone());
    }
    /// Changes came; they are pending until [`Self::synced`].
    pub(crate) fn queued(&self, changes: &[Change]) {
        let of = |resource: Resource| changes.iter().filter(move |c| c.key.resource == resource);
        let services = of(Resource::SERVICES).count();
        let slices = of(Resource::ENDPOINTSLICES).count();
        let m = &self.0;
        for family in &FAMILIES {
            m.last_queued.get_or_create(family).set(now());
        }
        for (all, pending, count) in [
            (&m.service_changes, &m.service_changes_pending, services),
            (&m.endpoint_changes, &m.endpoint_changes_pending, slices),
        ] {
            all.inc_by(count as u64);
            pending.inc_by(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// A round of writing rules is over, after `took`.
    pub(crate) fn synced(&self, round: &Round, took: Duration) {
        let m = &self.0;
        let part = if round.full {
            &m.full_sync
        } else {
            &m.partial_sync
        };
        for family in &FAMILIES {
            for histogram in [&m.sync, part] {
                histogram.get_or_create(family).observe(took.as_secs_f64());
            }
            m.failures.get_or_create(family).inc_by(round.failures);
            if round.in_step {
                m.last_sync.get_or_create(family).set(now());
            }
        }
        if round.in_step {
            m.service_changes_pending.set(0);
            m.endpoint_changes_pending.set(0);
        }
        for (family, counts) in FAMILIES.iter().zip(round.no_local_endpoints) {
            let policies = [TrafficPolicy::internal, TrafficPolicy::external];
            for (traffic_policy, count) in policies.into_iter().zip(counts) {
                let ip_family = family.ip_family.clone();
                m.no_local_endpoints
                    .get_or_create(&OfPolicy {
                        ip_family,
                        traffic_policy,
                    })
                    .set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
    }

    /// A walk for flows that are to be forgotten is over, after `took`.
    pub(crate) fn forgot(&self, family: Family, flows: usize, took: Duration) {
        let (m, family) = (&self.0, family.into());
        m.forgetting
            .get_or_create(&family)
            .observe(took.as_secs_f64());
        m.forgotten_flows
            .get_or_create(&family)
            .inc_by(flows as u64);
    }

    /// Rules of a change of endpoints at `trigger` are in the kernel.
    pub(crate) fn programmed(&self, family: Family, trigger: Timestamp) {
        let since = Timestamp::now().duration_since(trigger).as_secs_f64();
        let programming = self.0.programming.get_or_create(&family.into());
        programming.observe(since.max(0.0));
    }

    pub(crate) fn answered_healthz(&self, code: u16) {
        self.0.healthz.get_or_create(&OfCode { code }).inc();
    }

    pub(crate) fn answered_livez(&self, code: u16) {
        self.0.livez.get_or_create(&OfCode { code }).inc();
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    Timestamp::now().as_microsecond() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_dashboards_ask_for() {
        let metrics = Metrics::default();
        metrics.queued(&[]);
        let round = Round {
            in_step: true,
            full: true,
            ..Round::default()
        };
        metrics.synced(&round, Duration::from_millis(1));
        metrics.programmed(Family::V6, Timestamp::now());
        metrics.forgot(Family::V4, 3, Duration::from_millis(1));
        metrics.answered_healthz(200);
        metrics.answered_livez(503);
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family=\"IPv4\"} 1",
            "kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family=\"IPv6\"} 1",
            "kubeproxy_network_programming_duration_seconds_count{ip_family=\"IPv6\"} 1",
            "kubeproxy_sync_proxy_rules_service_changes_total 0",
            "kubeproxy_sync_proxy_rules_endpoint_changes_pending 0",
            "kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family=\"IPv4\"} 0",
            "kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family=\"IPv6\",traffic_policy=\"external\"} 0",
            "kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family=\"IPv4\"} 3",
            "kubeproxy_conntrack_reconciler_sync_duration_seconds_count{ip_family=\"IPv4\"} 1",
            "kubeproxy_proxy_healthz_total{code=\"200\"} 1",
            "kubeproxy_proxy_livez_total{code=\"503\"} 1",
        ] {
            assert!(text.lines().any(|had| had == line), "{line} in\n{text}");
        }
        let last = "kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family=\"IPv4\"}";
        assert!(text.contains(last), "{text}");
    }
}
