//! Which node announces which address: chosen by a function of values that every node computes alike, and made safe by a lease, so
//! that nodes that do not see each other never announce one address at once.

mod lease;
mod owner;

pub use lease::{Contender, Record, Records, Timing};
pub use owner::owner;

#[cfg(test)]
mod simulation;
