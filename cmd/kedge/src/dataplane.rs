//! The proxy as a part of a process: wired, and watched over HTTP. The same for a server's own API and for another's.

use std::net::SocketAddr;

use kedge_proxy::Proxy;
use kedge_telemetry::http;
use kedge_telemetry::metrics::Metrics;

use crate::tasks::Tasks;

/// Where the dataplane tells how it is; kube-proxy's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// `/healthz` and `/livez`, for load balancers.
    pub healthz: Option<SocketAddr>,
    /// `/metrics` and `/proxyMode`, for who watches the node.
    pub metrics: Option<SocketAddr>,
}

/// Starts the proxy, and returns once the rules are in the kernel.
///
/// # Errors
/// The part that ended instead, and why.
pub async fn start(
    proxy: Proxy,
    pages: Pages,
    metrics: &Metrics,
    tasks: &mut Tasks,
) -> Result<(), (&'static str, String)> {
    metrics.add(|registry| proxy.measure(registry));
    serve(pages.healthz, "health", proxy.health().pages(), tasks).await;
    let mode = axum::Router::new().route("/proxyMode", axum::routing::get(|| async { "nftables" }));
    let watched = http::metrics(metrics.clone()).merge(mode);
    serve(pages.metrics, "metrics", watched, tasks).await;
    let mut ready = proxy.ready();
    tasks.spawn("the proxy", |shutdown| async move {
        proxy.run(shutdown).await.map_err(|e| e.to_string())
    });
    let rules = async {
        let _ = ready.wait_for(|ready| *ready).await;
    };
    match tasks.until_ended(rules).await {
        None => Ok(()),
        Some(ended) => Err(ended),
    }
}

/// Serves pages for who watches. Traffic does not depend on them: where they cannot be served, the log says so.
async fn serve(
    address: Option<SocketAddr>,
    what: &'static str,
    pages: axum::Router,
    tasks: &mut Tasks,
) {
    let Some(address) = address else { return };
    match http::bind(address, what).await {
        Ok(listener) => tasks.spawn(what, |shutdown| async move {
            http::serve(listener, pages, shutdown).await;
            Ok(())
        }),
        Err(error) => tracing::warn!(
            "{error}; --healthz-bind-address and --metrics-bind-address name others, or none"
        ),
    }
}
