//! What the store asks of an embedded engine: durable batches, and all records back at the start.

mod redb;
mod sled;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use self::redb::Redb;
pub(crate) use self::sled::Sled;
use crate::EngineKind;
use crate::record::Record;

/// A record to be written, encoded.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    pub revision: u64,
    pub key: Arc<str>,
    pub bytes: Vec<u8>,
}

/// A record to be removed.
#[derive(Debug, Clone)]
pub(crate) struct Remove {
    pub revision: u64,
    pub key: Arc<str>,
    /// Its length, encoded.
    pub len: usize,
}

/// Changes that happen together or not at all: first the puts, then the removes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub puts: Vec<Put>,
    pub removes: Vec<Remove>,
}

/// A record as the engine gives it back; whether its bytes are right is the reader's to check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// Where it lies among the others.
    pub place: &'a [u8],
    pub bytes: &'a [u8],
}

impl<'a> Row<'a> {
    /// The record, if it is whole and in its place.
    pub fn record(&self) -> Result<Record<'a>, String> {
        let (record, _) = Record::decode(self.bytes)
            .map_err(|error| format!("a record of revision {}: {error}", self.revision()))?;
        if row_key(record.revision, record.key) == *self.place {
            Ok(record)
        } else {
            Err(format!(
                "a record of revision {} in the place of another",
                record.revision
            ))
        }
    }

    /// The revision that its place tells.
    pub fn revision(&self) -> u64 {
        self.place
            .first_chunk()
            .map_or(0, |revision| u64::from_be_bytes(*revision))
    }
}

/// Bytes of a record's place.
const ROW_KEY: usize = 16;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct EngineError(pub String);

/// Which way to go through the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// What is done with each record.
pub(crate) type Visit<'a> = dyn FnMut(Row<'_>) -> ControlFlow<()> + 'a;

/// An engine, used by one thread at a time. Records are ordered by revision.
pub(crate) trait Engine: Send {
    /// Writes batches in their order; all survive a power cut once this returns, and one that survives an earlier one has all before it
    /// with it. After an error the engine is of no further use.
    fn write(&mut self, batches: &[Batch]) -> Result<(), EngineError>;

    /// Visits records until it is told to break; stops at the first that cannot be read.
    fn scan(&self, direction: Direction, visit: &mut Visit<'_>) -> Result<(), EngineError>;

    /// Closes it; its files may be opened again once this returns.
    fn close(self: Box<Self>) -> Result<(), EngineError>;
}

/// Opens the engine's folder, making it when it is not there.
pub(crate) fn open(kind: EngineKind, folder: &Path) -> Result<Box<dyn Engine>, EngineError> {
    Ok(match kind {
        EngineKind::Sled => Box::new(Sled::open(folder)?),
        EngineKind::Redb => Box::new(Redb::open(folder)?),
    })
}

/// The file that holds the data, and that the engine locks.
pub(crate) fn data_file(kind: EngineKind, folder: &Path) -> PathBuf {
    folder.join(match kind {
        EngineKind::Sled => sled::FILE,
        EngineKind::Redb => redb::FILE,
    })
}

/// `revision` and a hash of the key, both big-endian: rows lie in order of revision, and none is long
/// however long its key. The key itself stands in the record.
fn row_key(revision: u64, key: &str) -> [u8; ROW_KEY] {
    let mut row = [0; ROW_KEY];
    row[..8].copy_from_slice(&revision.to_be_bytes());
    row[8..].copy_from_slice(&key_hash(key).to_be_bytes());
    row
}

/// FNV-1a of 64 bits. Two keys of one transaction must not share it, which `prepare` sees to.
pub(crate) fn key_hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
