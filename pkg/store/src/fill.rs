//! Making an engine's files anew, from records that are known.

use crate::engine::{self, Batch, Engine, EngineError, Put};
use crate::folder::Folder;
use crate::load::caught;
use crate::record::{Kind, Record, Totals};
use crate::{EngineKind, OpenError};

/// Bytes of records in one batch.
const BATCH_BYTES: usize = 4 << 20;

/// An engine being filled, beside the one that it will replace.
pub(crate) struct Filler {
    engine: Box<dyn Engine>,
    batch: Batch,
    bytes: usize,
    totals: Totals,
}

impl Filler {
    /// Begins in the folder `KIND.new`.
    pub fn begin(folder: &Folder, kind: EngineKind) -> Result<Self, OpenError> {
        let path = folder.new_engine(kind).map_err(|source| OpenError::Io {
            path: folder.path().to_owned(),
            source,
        })?;
        let engine = caught(|| engine::open(kind, &path))
            .map_err(|detail| OpenError::Engine { path, detail })?;
        Ok(Self {
            engine,
            batch: Batch::default(),
            bytes: 0,
            totals: Totals::default(),
        })
    }

    /// Adds an object as it was written at `revision`.
    pub fn object(&mut self, key: &str, revision: u64, value: &[u8]) -> Result<(), EngineError> {
        self.totals.add(revision, key);
        self.encode(&Record {
            revision,
            kind: Kind::Put,
            last: false,
            totals: None,
            key,
            value,
        })
    }

    /// Ends with totals of all objects added, at `revision`. Nothing up to and with `compacted` is
    /// a change that could be watched.
    pub fn finish_at(mut self, revision: u64, compacted: u64) -> Result<(), EngineError> {
        self.totals.add(revision, "");
        let totals = Totals {
            revision,
            compacted,
            ..self.totals
        };
        self.encode(&Record {
            revision,
            kind: Kind::Marker,
            last: true,
            totals: Some(totals),
            key: "",
            value: &[],
        })?;
        self.finish()
    }

    /// Adds a record as another engine has it, its totals included.
    pub fn copy(&mut self, put: Put) -> Result<(), EngineError> {
        self.bytes += put.bytes.len();
        self.batch.puts.push(put);
        if self.bytes >= BATCH_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Ends when the records copied brought their totals with them.
    pub fn finish(mut self) -> Result<(), EngineError> {
        self.flush()?;
        caught(|| self.engine.close()).map_err(EngineError)
    }

    fn encode(&mut self, record: &Record<'_>) -> Result<(), EngineError> {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        self.copy(Put {
            revision: record.revision,
            key: record.key.into(),
            bytes,
        })
    }

    fn flush(&mut self) -> Result<(), EngineError> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        caught(|| self.engine.write(&[batch])).map_err(EngineError)
    }
}
