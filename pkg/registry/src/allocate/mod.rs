//! Addresses and ports that Services take from a range, each claimed by a key of its own.
//!
//! What a Service claims follows from what it says ([`claims`]), so a write knows which claims to add and which to
//! release, and does it in the transaction that writes the Service: nothing leaks, nothing is taken twice, and
//! nothing needs repair.

pub(crate) mod choose;
pub(crate) mod claims;
pub(crate) mod pool;
pub(crate) mod ranges;

pub(crate) use claims::Claim;
pub(crate) use pool::{Environment, Family, Pools};
