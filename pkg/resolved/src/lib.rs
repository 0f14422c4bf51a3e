//! Has systemd-resolved send the cluster's names to the cluster's DNS, where it runs.
//!
//! What it is told ([`domains`]) belongs to a link, and it forgets that with the link and when it restarts.
//! [`Teller`] tells it again then: the message bus says when resolved comes and goes, so nothing polls.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod bus;
mod domains;
mod teller;

pub use bus::Link;
pub use domains::domains;
pub use teller::{Settings, Teller};
