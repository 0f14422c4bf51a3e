//! What this machine's network looks like, and what kedge adds to it: virtual addresses on links with
//! their announcement by ARP and NDP, the cluster DNS address with a link for it, routes for the Service ranges, forwarding.
//!
//! [`Follower`] publishes the machine's links, addresses and routes as they change. [`Keeper`] compares
//! them with what is wanted ([`plan`], a function of values) and makes the difference true. Neither
//! polls: the kernel tells of every change, ours and others'.
//!
//! What kedge made is marked in the kernel itself ([`mark`]), so that a process that comes after a crash
//! adopts it, and [`cleanup`] removes it and nothing else. The end of the process leaves it in place.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod announce;
mod burst;
mod claim;
mod cleanup;
mod dns_link;
mod error;
mod filter;
mod follow;
pub mod forwarding;
mod frame;
mod host;
mod keeper;
mod lan;
mod listen;
pub mod mark;
mod metrics;
#[allow(unsafe_code)]
mod packet;
mod place;
pub mod plan;
mod probe;
mod route_plan;
mod rtnl;
mod sighting;

pub use cleanup::{Removed, cleanup};
pub use error::Error;
pub use follow::Follower;
pub use host::{Address, Host, Link, Mac, Route, RouteKind, Rule, address_flags, scope};
pub use keeper::{Keeper, KeeperConfig, Wished};
pub use lan::{Claim, Claims};
pub use metrics::AnnounceMetrics;
pub use place::{Links, Reason};
pub use probe::{Finding, Severity, probe};
