//! What the process says of itself: log lines and its state to the service manager.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod log;
pub mod unit;
