//! `/healthz` and `/livez` as kube-proxy answers them: what load balancers ask a node (kubernetes
//! `pkg/proxy/healthcheck/proxy_health.go`, KEP-3836).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use kedge_telemetry::http::json_headers;

use crate::metrics::Metrics;

/// How long changes may wait for the kernel before this node is called unhealthy: two of kube-proxy's sync periods.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the rules are in step, and the Node is to stay. Clones are the same.
#[derive(Debug, Clone)]
pub struct Health {
    state: Arc<Mutex<State>>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct State {
    /// When the rules were last brought in step; none while starting, which counts as healthy.
    updated: Option<Timestamp>,
    /// Since when the oldest change waits that is not in the kernel.
    pending: Option<Instant>,
    /// The Node is on its way out.
    leaves: bool,
}

impl State {
    /// Whether nothing has waited too long.
    fn is_healthy(&self, now: Instant) -> bool {
        let late = |since: Instant| now.saturating_duration_since(since) >= PATIENCE;
        self.updated.is_none() || !self.pending.is_some_and(late)
    }
}

impl Health {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            state: Arc::default(),
            metrics,
        }
    }

    /// Something is to be written.
    pub(crate) fn queued(&self) {
        self.state().pending.get_or_insert_with(Instant::now);
    }

    /// The kernel holds everything.
    pub(crate) fn updated(&self) {
        let mut state = self.state();
        state.pending = None;
        state.updated = Some(Timestamp::now());
    }

    /// A proxy that was in step once, and whose oldest change has waited too long since.
    #[cfg(test)]
    pub(crate) fn late() -> Self {
        let health = Self::new(Metrics::default());
        health.updated();
        health.state().pending = Instant::now().checked_sub(PATIENCE);
        health
    }

    /// What is known of the Node.
    pub(crate) fn node(&self, eligible: bool) {
        self.state().leaves = !eligible;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing has waited too long.
    pub(crate) fn is_healthy(&self) -> bool {
        self.state().is_healthy(Instant::now())
    }

    /// The pages, to be served on kube-proxy's `--healthz-bind-address`.
    pub fn pages(&self) -> Router {
        Router::new()
            .route("/healthz", get(healthz))
            .route("/livez", get(livez))
            .with_state(self.clone())
    }
}

/// Whether load balancers may send traffic here.
async fn healthz(extract::State(health): extract::State<Health>) -> Response {
    let (healthy, eligible, updated) = {
        let state = health.state();
        let healthy = state.is_healthy(Instant::now());
        (healthy, !state.leaves, state.updated)
    };
    let node = format!(", \"nodeEligible\": {eligible}");
    let (code, answer) = answer(healthy && eligible, updated, &node);
    health.metrics.answered_healthz(code);
    answer
}

/// Whether the proxy does its work, wherever its Node is going.
async fn livez(extract::State(health): extract::State<Health>) -> Response {
    let (healthy, updated) = {
        let state = health.state();
        (state.is_healthy(Instant::now()), state.updated)
    };
    let (code, answer) = answer(healthy, updated, "");
    health.metrics.answered_livez(code);
    answer
}

fn answer(well: bool, updated: Option<Timestamp>, rest: &str) -> (u16, Response) {
    let now = Timestamp::now();
    // Who is well says now, whenever the last change was.
    let updated = if well { Some(now) } else { updated };
    let code = if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let text = |time: Option<Timestamp>| match time {
        Some(time) => time.strftime("%F %T%.f +0000 UTC").to_string(),
        None => "0001-01-01 00:00:00 +0000 UTC".to_string(),
    };
    let body = format!(
        "{{\"lastUpdated\": \"{}\",\"currentTime\": \"{}\"{rest}}}",
        text(updated),
        text(Some(now))
    );
    (code.as_u16(), (code, json_headers(), body).into_response())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    async fn ask(health: &Health, path: &str) -> (u16, Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = health.pages().oneshot(request).await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, "application/json");
        let code = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1000).await.unwrap();
        (code, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn what_waits_too_long_is_unhealthy_but_not_at_the_start() {
        let now = Instant::now();
        let later = now + PATIENCE;
        let mut state = State {
            pending: Some(now),
            ..State::default()
        };
        assert!(state.is_healthy(later), "starting");
        state.updated = Some(Timestamp::now());
        assert!(!state.is_healthy(later));
        assert!(state.is_healthy(later - Duration::from_millis(1)));
        state.pending = None;
        assert!(state.is_healthy(later));
    }

    #[tokio::test]
    async fn a_node_that_leaves_is_alive_and_not_healthy() {
        let health = Health::new(Metrics::default());
        health.queued();
        health.updated();
        let (code, body) = ask(&health, "/healthz").await;
        assert_eq!(code, 200);
        assert_eq!(body["nodeEligible"], true);
        assert_eq!(body["lastUpdated"], body["currentTime"]);
        health.node(false);
        let (code, body) = ask(&health, "/healthz").await;
        assert_eq!((code, &body["nodeEligible"]), (503, &false.into()));
        let (code, body) = ask(&health, "/livez").await;
        assert_eq!(code, 200);
        assert!(body.get("nodeEligible").is_none());
    }

    #[tokio::test]
    async fn who_is_late_is_neither_healthy_nor_alive_until_in_step() {
        let health = Health::late();
        // Another change does not make the oldest one younger.
        health.queued();
        for path in ["/healthz", "/livez"] {
            assert_eq!(ask(&health, path).await.0, 503, "{path}");
        }
        health.updated();
        for path in ["/healthz", "/livez"] {
            assert_eq!(ask(&health, path).await.0, 200, "{path}");
        }
    }
}
