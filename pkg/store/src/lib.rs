//! Revisions, transactions and watches over an embedded engine.
//!
//! Durable before visible before acknowledged: one committer thread takes all transactions that wait,
//! writes them in order, makes all of them durable at once, then publishes and answers.
//!
//! Every change is one record, kept in the engine under its revision: the record of a live object is the object, and the
//! records of the last changes are the event window, so nothing is written twice. All of it is read once, at the start,
//! into a persistent map in memory; from then on the engine is only written. Of an object's JSON, `managedFields`
//! but for its times is shared there with neighbours of the same shape.
//!
//! Every record has a checksum, and the last record of each transaction says how many records there are and what they
//! sum up to, so a loss is seen. Beside the engine lie a snapshot file and a journal of every change after it: an
//! engine that is damaged is set aside and made anew from them and from what it still gives.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod encoded;
pub mod entry;
pub mod txn;

mod apply;
mod backup;
mod backup_files;
mod backup_header;
mod committer;
mod engine;
mod entries;
#[cfg(test)]
mod faults;
mod fill;
mod folder;
mod hub;

mod journal;
mod labels;
mod load;
mod merge;
mod open;
mod places;
mod prepare;
mod queue;
mod record;
mod replay;
mod snapshot_file;
mod store;
mod value;
mod watch;
mod window;

use std::path::PathBuf;

pub use encoded::Encoded;
pub use entry::{Entry, Event, EventKind};
pub use labels::Labels;
pub use store::{Snapshot, Store};
pub use txn::{CommitError, Committed, Condition, Transaction, Write};
pub use watch::{Told, Watch};

/// Which engine holds the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    #[default]
    Sled,
    Redb,
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder, made 0700 when absent.
    pub path: PathBuf,
    pub engine: EngineKind,
    /// Events kept for watches that resume, in number; fewer when they hold more than 8 MiB.
    pub window: usize,
}

/// What opening found and did, for the log and for an Event.
#[derive(Debug, Default, Clone)]
pub struct Recovery {
    /// Where a damaged store was set aside to, with what was wrong; `None` when all was well.
    pub damaged: Option<(PathBuf, String)>,
    /// Keys, if any, that are known to be lost or older than they were.
    pub lost: Vec<String>,
}

/// The revision asked for is older than the event window (HTTP 410).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("revision {asked} is older than the oldest kept, {oldest}")]
pub struct Compacted {
    pub asked: u64,
    pub oldest: u64,
}

/// The watch fell too far behind and was cut off.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("watch is too slow: {0} events waiting")]
pub struct Lagged(pub usize);

/// The store cannot be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path}: {source}", path = .path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: another process has this store open", path = .path.display())]
    Locked { path: PathBuf },
    #[error("{path}: {detail}", path = .path.display())]
    Engine { path: PathBuf, detail: String },
}
