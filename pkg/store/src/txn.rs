//! A transaction: what must hold, what is written.

use std::sync::Arc;

use crate::{Encoded, Entry};

/// Conditions that must all hold, then writes that all happen, at one revision.
///
/// Keys have 1 to 65,535 bytes, values at most 32 MiB. Several writes of one key are one change, as a watch sees it.
#[derive(Debug, Default, Clone)]
pub struct Transaction {
    pub conditions: Vec<Condition>,
    pub writes: Vec<Write>,
}

impl Transaction {
    /// Bytes of values that it writes.
    pub(crate) fn weight(&self) -> usize {
        self.writes
            .iter()
            .map(|write| match write {
                Write::Put { value, .. } => value.len(),
                Write::Delete { last, .. } => last.len(),
            })
            .sum()
    }
}

#[derive(Debug, Clone)]
pub enum Condition {
    /// Nothing stands at the key.
    Absent { key: String },
    /// The entry at the key was written by this revision.
    Revision { key: String, revision: u64 },
}

#[derive(Debug, Clone)]
pub enum Write {
    Put {
        key: String,
        value: Encoded,
    },
    /// `last` is what watchers are told: the last state, with the deletion's revision filled in.
    /// A delete of an absent key is no change.
    Delete {
        key: String,
        last: Encoded,
    },
}

/// A transaction that is durable and visible.
#[derive(Debug, Clone)]
pub struct Committed {
    pub revision: u64,
    /// The entries put (for a delete: the last state), in the order of the writes. A delete of an absent key has none.
    pub entries: Vec<Arc<Entry>>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// Condition number `index` does not hold; `found` is what stands at its key.
    #[error("condition {index} does not hold")]
    Condition {
        index: usize,
        found: Option<Arc<Entry>>,
    },
    /// The engine refused or the disk failed: nothing of the transaction is visible.
    #[error("store: {0}")]
    Engine(String),
    #[error("the store is closed")]
    Closed,
}
