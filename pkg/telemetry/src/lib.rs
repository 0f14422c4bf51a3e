//! What the process says of itself: log lines, metrics, its state to the service manager.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod http;
pub mod log;
pub mod metrics;
mod process;
pub mod unit;
