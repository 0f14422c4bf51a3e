//! The lab: hosts as network namespaces, made and removed by whoever uses them, with real backends, the real
//! binary and real clients. Nothing here touches the machine's own addresses, routes or rules.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod addresses;
pub mod ask;
pub mod backend;
pub mod connection;
pub mod kubectl;
pub mod lab;
mod log_watch;
pub mod netns;
pub mod process;
pub mod readiness;
pub mod server;
pub mod site;
pub mod skip;
pub mod tool;
pub mod wait;
