//! Services and EndpointSlices into kernel rules.
//!
//! The way of a change: [`model`] keeps Services and EndpointSlices as small structs; [`compile`]
//! turns one Service into a plan of its ports; [`state`] gives each port its group ids and each
//! endpoint its slot, and says which elements of the kernel's sets change; [`kernel`] sends them as
//! one nf_tables transaction. All but the last are functions of values.
//!
//! The ruleset itself is described in [`layout`] and built in [`ruleset`]. No chain and no rule
//! belongs to a Service: a change is a handful of set elements, at any number of Services.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod compile;
mod config;
mod error;
mod family;
mod kernel;
mod layout;
mod metrics;
mod model;
mod probe;
mod proxy;
mod round;
mod rules;
mod ruleset;
mod sources;
mod state;
pub mod trace;
pub mod traffic;

pub use config::{Masquerade, NodePorts, ProxyConfig};
pub use error::Error;
pub use family::Protocol;
pub use kernel::cleanup;
pub use metrics::Metrics;
pub use probe::{Finding, Severity, probe};
pub use proxy::{Health, Proxy};
