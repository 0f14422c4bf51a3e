//! The cluster's names: Services and their endpoints answered from memory, all else by the system's resolvers.
//!
//! The schema of names is Kubernetes' DNS specification 1.1 (kubernetes/dns `docs/specification.md`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod clients;
mod hosts;
mod kernel;
pub mod message;
mod metrics;
mod model;
pub mod name;
mod ports;
pub mod server;
pub mod upstream;
pub mod zone;

pub use clients::Clients;
pub use hosts::{Host, HostError, Hosts};
pub use metrics::Metrics;
pub use server::{BindError, Config, Server};
pub use upstream::{Options, Upstream, UpstreamError};
