//! Other resolvers, for names that are not the cluster's.
//!
//! Which ones: those of the configuration, each for a domain or for all names, else those of `resolv.conf`. Their health is
//! what questions find out; nothing is asked for its own sake, but for one question to each that shows whether it
//! leads back here ([`loops`]). What they said is kept ([`cache`]), also beyond its time when nobody answers any more.

mod cache;
mod exchange;
mod health;
mod loops;
mod race;
mod resolv_conf;
mod resolver;
mod server;
mod tls;
mod wish;

pub use resolver::{Cached, Options, Resolvers};
pub use wish::{Upstream, UpstreamError};
