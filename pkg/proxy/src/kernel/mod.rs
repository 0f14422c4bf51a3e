//! The kernel, as the proxy sees it: contents to read, transactions to carry out.

#[cfg(test)]
pub mod fake;
mod flows;
mod netlink;
mod transaction;

use std::collections::{BTreeSet, HashMap, HashSet};

use ipnet::IpNet;

use crate::family::Endpoint;
use crate::layout::{Group, Key, Value};
use crate::state::Stale;

pub use netlink::{Netlink, cleanup};
pub use transaction::{Repair, Transaction};

/// What one family's table holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// What its chains and rules need, if anything.
    pub repair: Repair,
    /// Its elements; of a table that is to be made anew, those that could be read.
    pub elements: HashMap<Key, Value>,
    /// Timeouts that there is a chain for.
    pub learn: BTreeSet<u32>,
}

/// Both tables at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// In the order of [`crate::family::Family::ALL`].
    pub tables: [Contents; 2],
    /// The ruleset's generation.
    pub generation: u32,
}

/// What the proxy asks of a kernel.
pub trait Kernel: Send {
    /// Reads both tables.
    fn read(&mut self) -> Result<Snapshot, kedge_nftables::Error>;

    /// The present generation of the ruleset: one more with each transaction of anybody.
    fn generation(&mut self) -> Result<u32, kedge_nftables::Error>;

    /// Carries out a transaction: all of it, or nothing. Returns the generation after it, which is
    /// that of the transaction unless somebody else was quick.
    fn commit(&mut self, transaction: &Transaction) -> Result<u32, kedge_nftables::Error>;

    /// Cluster IPs come from these ranges from now on: what is read is compared with the rules for them.
    fn set_service_cidrs(&mut self, cidrs: &[IpNet]);

    /// Has the UDP flows deleted that have become stale, soon.
    fn forget_flows(&mut self, stale: &Stale);

    /// Brings what is still to be deleted up to what is right, before rules make it so.
    fn amend_flows(&mut self, amend: &mut dyn FnMut(&mut Stale));

    /// Forgets clients of these groups that were remembered for other endpoints than these; how
    /// many.
    fn forget_clients(
        &mut self,
        learnt: &HashMap<Group, HashSet<Endpoint>>,
    ) -> Result<usize, kedge_nftables::Error>;
}
