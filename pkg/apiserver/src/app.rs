//! What every request shares.

use std::sync::Arc;

use kedge_registry::Registry;
use kedge_telemetry::metrics::Metrics;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::authn::{Authenticator, BearerTokens};
use crate::authz::Authorizer;
use crate::in_flight::InFlight;
use crate::metrics::Requests;
use crate::{HealthCheck, Limits, Tokens};

pub(crate) struct App {
    pub registry: Registry,
    pub tokens: Arc<Tokens>,
    /// The authenticators of tokens, which TokenReview asks too.
    pub bearers: Arc<BearerTokens>,
    pub authenticators: Vec<Box<dyn Authenticator>>,
    pub authorizers: Vec<Box<dyn Authorizer>>,
    pub ready: Vec<HealthCheck>,
    pub limits: Limits,
    pub metrics: Metrics,
    pub served: Arc<Notify>,
    pub requests: Requests,
    pub in_flight: InFlight,
    /// Cancelled when the server stops: watches end.
    pub stopping: CancellationToken,
    /// `host:port` of the first address listened on, for `/api`.
    pub address: String,
}

pub(crate) type SharedApp = Arc<App>;
