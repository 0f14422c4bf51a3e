//! What the server measures, under kube-apiserver's names, and the page `/metrics`.

use std::fmt;
use std::time::Instant;

use axum::response::IntoResponse;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use kedge_api::Catalog;
use kedge_telemetry::metrics::{Metrics, OPEN_METRICS, Registry};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;
use smol_str::{SmolStr, StrExt};

use crate::answer::Answer;
use crate::request_info::RequestInfo;

/// Seconds: the buckets of kube-apiserver that a server of this size can fill, and two below them.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 1.0, 2.0, 5.0, 15.0, 60.0,
];

/// Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    total: Family<Answered, Counter>,
    duration: Family<Asked, Histogram, fn() -> Histogram>,
}

/// What is asked for: words of the catalog only, so that strangers cannot make up any number of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    verb: Word,
    group: Word,
    version: Word,
    resource: Word,
    subresource: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    verb: Word,
    group: Word,
    version: Word,
    resource: Word,
    subresource: Word,
    code: u16,
}

/// Nearly all of them are short enough to need no place of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Word(SmolStr);

impl Word {
    fn of(text: &str) -> Self {
        Self(text.into())
    }
}

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.0.as_str().encode(encoder)
    }
}

/// A request at work.
pub(crate) struct Begun {
    asked: Asked,
    is_watch: bool,
    at: Instant,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            total: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }
}

impl Requests {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("apiserver");
        registry.register("request", "Requests answered", self.total.clone());
        registry.register_with_unit(
            "request_duration",
            "Time until the answer began, of all but watches",
            Unit::Seconds,
            self.duration.clone(),
        );
    }

    /// Begins to measure a request for a kind that is served; nothing for others.
    pub(crate) fn begin(info: &RequestInfo, catalog: &Catalog) -> Option<Begun> {
        let kind = catalog.find(&info.group, &info.version, &info.resource)?;
        let served = |sub: &&str| kind.subresources.iter().any(|s| s.name == **sub);
        let subresource = Some(info.subresource.as_str()).filter(served);
        Some(Begun {
            asked: Asked {
                verb: Word(info.verb.to_uppercase_smolstr()),
                group: Word::of(&info.group),
                version: Word::of(&info.version),
                resource: Word::of(&info.resource),
                subresource: Word::of(subresource.unwrap_or_default()),
            },
            is_watch: info.is_long_running(),
            at: Instant::now(),
        })
    }

    pub(crate) fn end(&self, begun: Begun, code: StatusCode) {
        let Begun {
            asked,
            is_watch,
            at,
        } = begun;
        if !is_watch {
            self.duration
                .get_or_create(&asked)
                .observe(at.elapsed().as_secs_f64());
        }
        let answered = Answered {
            verb: asked.verb,
            group: asked.group,
            version: asked.version,
            resource: asked.resource,
            subresource: asked.subresource,
            code: code.as_u16(),
        };
        self.total.get_or_create(&answered).inc();
    }
}

/// `/metrics`: everything that this process measures.
pub(crate) async fn page(metrics: &Metrics) -> Answer {
    let text = metrics.text().await;
    ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}
