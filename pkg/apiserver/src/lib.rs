//! The API over HTTPS: who asks, what they may, what they mean, and how it is answered.
//!
//! A request goes one way, each stop a module: `connection`, `front` ([`request_info`], [`authn`], `in_flight`,
//! [`authz`]), `routes`, `route`, `verbs`, then `kedge_registry`. What a verb does is the registry's; here are only HTTP's words for it.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod activity;
mod answer;
mod app;
pub mod authn;
pub mod authz;
pub mod body;
mod config;
mod connection;
mod deadline;
mod discovery;
mod front;
mod health;
mod in_flight;
mod listener;
mod members;
mod metrics;
mod negotiate;
mod openapi;
mod openid;
pub mod options;
mod query;
mod refusal;
pub mod request_info;
mod route;
mod routes;
mod server;
mod tls;
mod tokens;
mod verbs;
pub mod version;

pub use config::{HealthCheck, Limits, ServerConfig};
pub use listener::BindError;
pub use server::Server;
pub use tokens::Tokens;
