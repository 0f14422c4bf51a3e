//! The tables `ip kedge` and `ip6 kedge`: their sets, chains and rules, and how elements are
//! written in them.
//!
//! Every new connection comes through the chain `services`, in prerouting or output. What follows
//! is said in [`crate::layout`]. A flow that was sent to an endpoint passes postrouting, or input
//! if the endpoint is this machine, where its endpoint is learnt and its source rewritten. No
//! filter hook is used: later packets of a connection see none of this, nor do packets of others.

mod chains;
mod codec;
mod name;
mod packet;
mod sets;

pub use chains::{ChainRules, chains, learn};
pub use codec::{Encoded, decode, decode_affinity};
pub use name::{AFFINITY, COMMENT, SetName, TABLE, learn_chain, learn_seconds};
pub use sets::sets;

use crate::family::Family;

/// The table of a family, as it is made.
pub fn table(family: Family) -> kedge_nftables::Table {
    kedge_nftables::Table::new(family.table(), TABLE).with_comment(COMMENT)
}
