//! What is told of some work.

use jiff::Timestamp;

use crate::family::Family;

/// What came of the calls since the last round was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Whether the kernel holds what is in force.
    pub in_step: bool,
    /// Whether everything was compared.
    pub full: bool,
    /// Transactions that the kernel refused, and reads.
    pub failures: u64,
    /// How many Services have a policy Local, internal and external, and no endpoint on this node; in the order of [`Family::ALL`].
    pub no_local_endpoints: [[usize; 2]; 2],
    /// When that happened which has changed endpoints, as far as EndpointSlices say.
    pub triggers: Vec<(Family, Timestamp)>,
}
