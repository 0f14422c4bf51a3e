//! What a server is made of, and what bounds it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kedge_registry::Registry;
use kedge_telemetry::metrics::Metrics;
use rustls::server::ResolvesServerCert;
use rustls_pki_types::CertificateDer;
use tokio::sync::Notify;

use crate::Tokens;

/// Everything that a server needs.
#[derive(Clone)]
pub struct ServerConfig {
    /// Addresses to listen on; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    pub registry: Registry,
    /// Asked at each handshake, so that it may change while the server runs.
    pub certificate: Arc<dyn ResolvesServerCert>,
    /// The authorities whose client certificates are users.
    pub client_authorities: Vec<CertificateDer<'static>>,
    /// How service account tokens are made and verified.
    pub tokens: Arc<Tokens>,
    /// Beyond the server's own: what must hold before `/readyz` says so.
    pub ready: Vec<HealthCheck>,
    pub limits: Limits,
    /// What `/metrics` shows; the server adds its own.
    pub metrics: Metrics,
    /// Told of each request that was answered.
    pub served: Arc<Notify>,
}

/// A named condition of `/readyz`.
#[derive(Clone)]
pub struct HealthCheck {
    pub name: &'static str,
    /// `Err` says what is missing. Called in the request: it must not block.
    pub check: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// What one server bears. Each is a bound on memory or on what one client can hold up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request body; more is 413. As kube-apiserver: 3 MiB.
    pub body: usize,
    /// Bytes of a request's headers; more is 431.
    pub headers: usize,
    /// Requests at work at once that only read; more are 429, and so are those of one client beyond half of them. As
    /// kube-apiserver's `--max-requests-inflight`.
    pub reads: usize,
    /// Likewise requests that write; as `--max-mutating-requests-inflight`.
    pub writes: usize,
    /// Likewise watches open at once.
    pub watches: usize,
    /// Connections open at once; more wait to be accepted.
    pub connections: u32,
    /// For the TLS handshake, and for the headers of a request once the connection stands.
    pub headers_time: Duration,
    /// That a connection may stay open with no request at work; as kube-apiserver: 90 s.
    pub idle_time: Duration,
    /// For a request's body to arrive.
    pub body_time: Duration,
    /// For requests at work to end when the server stops.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 3 << 20,
            headers: 64 << 10,
            reads: 400,
            writes: 200,
            watches: 4096,
            connections: 2048,
            headers_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(90),
            body_time: Duration::from_secs(30),
            stop_time: Duration::from_secs(10),
        }
    }
}
