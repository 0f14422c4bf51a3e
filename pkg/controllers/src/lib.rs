//! Reconciles objects with objects: EndpointSlices with Pods, addresses with Services, this machine with its
//! Node, dependents with their owners.
//!
//! Each controller is a state machine ([`engine::Reconcile`]) that takes changes in and gives writes out, and knows no
//! socket, clock or task; [`engine`] runs it over a [`kedge_client::Client`]. Nothing polls, and nothing
//! is written that is there already.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod aggregation;
mod certificates;
mod config;
mod each_namespace;
mod endpoints;
mod engine;
mod events;
mod expiry;
#[cfg(test)]
mod fake;
mod garbage;
mod kind;
mod loadbalancer;
mod mirroring;
mod namespace;
mod node;
pub mod ownership;
mod run;
mod service_cidrs;
mod token_secret;
mod view;

pub use config::{Config, Credentials};
pub use events::{About, EventType, Recorder};
pub use kind::Kind;
pub use loadbalancer::{
    Lan, LoadBalancerConfig, LoadBalancerMetrics, OnLan, Transport, TransportError,
    VirtualAddresses,
};
pub use node::{NodeConfig, NodeInfo};
pub use run::run;
