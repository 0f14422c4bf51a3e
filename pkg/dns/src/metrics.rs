//! What the server measures, under CoreDNS's names (coredns `plugin/metrics`, `plugin/cache`, `plugin/proxy`), so that its
//! dashboards show kedge too.
//!
//! Every answer counts, so what each touches is looked up once, when this is made.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::base::Rtype;
use domain::base::iana::Rcode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::message::Transport;

/// Clones are the same.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Measured>);

#[derive(Debug)]
struct Measured {
    requests: Family<Request, Counter>,
    /// Those of the common types, by transport, family and type.
    usual: Box<[Counter]>,
    responses: Family<Response, Counter>,
    /// By code, up to REFUSED.
    codes: [Counter; 6],
    duration: Histogram,
    refused: Counter,
    limited: Counter,
    hits: Counter,
    misses: Counter,
    entries: Gauge,
    upstream: Family<Asked, Histogram, fn() -> Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    proto: &'static str,
    family: &'static str,
    r#type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Response {
    rcode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    to: String,
    rcode: &'static str,
}

/// The types that CoreDNS counts apart, and all others.
const TYPES: [(Rtype, &str); 10] = [
    (Rtype::A, "A"),
    (Rtype::AAAA, "AAAA"),
    (Rtype::SRV, "SRV"),
    (Rtype::PTR, "PTR"),
    (Rtype::CNAME, "CNAME"),
    (Rtype::TXT, "TXT"),
    (Rtype::SOA, "SOA"),
    (Rtype::NS, "NS"),
    (Rtype::MX, "MX"),
    (Rtype::ANY, "ANY"),
];
const OTHER: &str = "other";
/// By their numbers.
const CODES: [&str; 6] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
];

/// A quarter of a millisecond to eight seconds, as CoreDNS has them.
fn buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::<Request, Counter>::default();
        let names = || TYPES.iter().map(|(_, name)| *name).chain([OTHER]);
        let usual = ["udp", "tcp"].into_iter().flat_map(|proto| {
            ["1", "2"].into_iter().flat_map(move |family| {
                names().map(move |r#type| Request {
                    proto,
                    family,
                    r#type,
                })
            })
        });
        let usual = usual.map(|labels| requests.get_or_create_owned(&labels));
        let responses = Family::<Response, Counter>::default();
        let codes = CODES.map(|rcode| responses.get_or_create_owned(&Response { rcode }));
        Self(Arc::new(Measured {
            usual: usual.collect(),
            requests,
            codes,
            responses,
            duration: buckets(),
            refused: Counter::default(),
            limited: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            entries: Gauge::default(),
            upstream: Family::new_with_constructor(buckets),
        }))
    }
}

impl Metrics {
    /// Names everything.
    pub fn register(&self, registry: &mut Registry) {
        let m = &*self.0;
        let core = registry.sub_registry_with_prefix("coredns");
        core.register("dns_requests", "Questions", m.requests.clone());
        core.register(
            "dns_responses",
            "Answers, by their code",
            m.responses.clone(),
        );
        core.register_with_unit(
            "dns_request_duration",
            "Time from a question to its answer",
            Unit::Seconds,
            m.duration.clone(),
        );
        core.register("cache_hits", "Answers from memory", m.hits.clone());
        core.register(
            "cache_misses",
            "Questions that others were asked",
            m.misses.clone(),
        );
        core.register("cache_entries", "Answers in memory", m.entries.clone());
        core.register_with_unit(
            "proxy_request_duration",
            "Time that other resolvers took",
            Unit::Seconds,
            m.upstream.clone(),
        );
        let own = registry.sub_registry_with_prefix("kedge_dns");
        own.register("refused", "Questions of strangers", m.refused.clone());
        own.register(
            "rate_limited",
            "Answers over the limit of a prefix",
            m.limited.clone(),
        );
    }

    pub(crate) fn request(&self, transport: Transport, peer: IpAddr, rtype: Rtype) {
        let known = TYPES.iter().position(|(known, _)| *known == rtype);
        let rows = TYPES.len() + 1;
        let at = match transport {
            Transport::Udp => 0,
            Transport::Tcp => 2 * rows,
        } + if peer.is_ipv4() { 0 } else { rows }
            + known.unwrap_or(TYPES.len());
        if let Some(counter) = self.0.usual.get(at) {
            counter.inc();
        }
    }

    /// Counts the answer in these bytes.
    pub(crate) fn response(&self, answer: &[u8], took: Duration) {
        let code = answer.get(3).map_or(0, |flags| usize::from(flags & 0x0f));
        if let Some(counter) = self.0.codes.get(code) {
            counter.inc();
        }
        self.0.duration.observe(took.as_secs_f64());
    }

    pub(crate) fn refused(&self) {
        self.0.refused.inc();
    }

    pub(crate) fn limited(&self) {
        self.0.limited.inc();
    }

    pub(crate) fn remembered(&self, hit: bool, entries: usize) {
        if hit { &self.0.hits } else { &self.0.misses }.inc();
        self.0
            .entries
            .set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    pub(crate) fn asked(&self, to: SocketAddr, rcode: Option<Rcode>, took: Duration) {
        let code = rcode.map(|rcode| usize::from(rcode.to_int()));
        let rcode = match code {
            None => "none",
            Some(code) => CODES.get(code).copied().unwrap_or(OTHER),
        };
        let labels = Asked {
            to: to.to_string(),
            rcode,
        };
        self.0
            .upstream
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_has_its_labels() {
        let metrics = Metrics::default();
        let v6: IpAddr = "::1".parse().unwrap();
        metrics.request(Transport::Tcp, v6, Rtype::SRV);
        metrics.request(Transport::Udp, v6, Rtype::HTTPS);
        metrics.response(&[0, 0, 0x84, 0x83], Duration::from_micros(10));
        metrics.asked(
            "192.0.2.1:53".parse().unwrap(),
            None,
            Duration::from_secs(3),
        );
        metrics.remembered(true, 3);
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "coredns_dns_requests_total{proto=\"tcp\",family=\"2\",type=\"SRV\"} 1",
            "coredns_dns_requests_total{proto=\"udp\",family=\"2\",type=\"other\"} 1",
            "coredns_dns_requests_total{proto=\"udp\",family=\"1\",type=\"A\"} 0",
            "coredns_dns_responses_total{rcode=\"NXDOMAIN\"} 1",
            "coredns_dns_request_duration_seconds_count 1",
            "coredns_proxy_request_duration_seconds_count{to=\"192.0.2.1:53\",rcode=\"none\"} 1",
            "coredns_cache_entries 3",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
