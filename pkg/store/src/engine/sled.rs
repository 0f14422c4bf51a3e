//! sled 0.34: a log-structured tree, stood on with care.
//!
//! What it does and what is done about it:
//! - `flush` ends in `sync_file_range`, which no power cut respects: the `db` file is `fdatasync`ed after it.
//! - `flush_async` can deadlock: never called.
//! - What is larger than a quarter of a segment goes to files in `blobs/` that are never synced. That holds for
//!   a whole tree node too, of up to 16 records. So records are cut into rows small enough that a full
//!   node stays far below, and nothing ever goes there.
//! - Its cache evicts so late that reading everything once keeps everything: the store reopens it after a long read.

use std::fs::{File, Permissions};
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::{Batch, Direction, Engine, EngineError, ROW_KEY, Row, Visit, row_key};

pub(super) const FILE: &str = "db";
/// Sled allocates one to fill, keeps some around, and writes up to one at every start: small is good. A quarter,
/// 128 KiB, is the most that a node may have to stay in the log.
const SEGMENT_BYTES: usize = 512 << 10;
/// Bytes of a record in one row. A node has at most 16 rows, one more before it splits and 3 more while it takes in
/// a neighbour: 20 of them are 80 KiB.
const ROW_BYTES: usize = 4 << 10;
/// Nanoseconds, as many as a 32-bit machine takes or an hour.
const POOL_TIMER_SLACK: u64 = if usize::BITS < 64 {
    4_000_000_000
} else {
    3_600_000_000_000
};
/// Nothing is read after the start.
const CACHE_BYTES: u64 = 1 << 20;

pub(crate) struct Sled {
    database: sled::Db,
    /// A handle of our own on sled's only data file.
    file: File,
    folder: PathBuf,
}

impl Sled {
    pub fn open(folder: &Path) -> Result<Self, EngineError> {
        let database = with_lazy_timers(|| {
            let database = sled::Config::new()
                .path(folder)
                .segment_size(SEGMENT_BYTES)
                .cache_capacity(CACHE_BYTES)
                // No thread of sled's own that writes now and then.
                .flush_every_ms(None)
                .open()?;
            // Where opening had no need of the pool yet, this has.
            database.flush()?;
            Ok(database)
        })
        .map_err(failed)?;
        let path = folder.join(FILE);
        let file = File::open(&path).map_err(failed)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        // Opening wrote a file of its own beside it.
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)?;
        Ok(Self {
            database,
            file,
            folder: folder.to_owned(),
        })
    }
}

impl Sled {
    /// Puts a batch into the tree, and so into the log, whose order what survives a power cut keeps to.
    fn apply(&self, batch: &Batch) -> Result<(), sled::Error> {
        let mut rows = Vec::with_capacity(batch.puts.len() + batch.removes.len());
        for put in &batch.puts {
            let place = row_key(put.revision, &put.key);
            let parts = put.bytes.chunks(ROW_BYTES).enumerate();
            rows.extend(parts.map(|(number, part)| (part_key(place, number), Some(part))));
        }
        for remove in &batch.removes {
            let place = row_key(remove.revision, &remove.key);
            let parts = 0..remove.len.div_ceil(ROW_BYTES);
            rows.extend(parts.map(|number| (part_key(place, number), None)));
        }
        match &rows[..] {
            // One row is whole or absent by itself; a batch costs sled one more write to the disk.
            [(row, Some(part))] => self.database.insert(row, *part).map(drop),
            rows => {
                let mut changes = sled::Batch::default();
                for (row, part) in rows {
                    match part {
                        Some(part) => changes.insert(row, *part),
                        None => changes.remove(row),
                    }
                }
                self.database.apply_batch(changes)
            }
        }
    }
}

impl Engine for Sled {
    fn write(&mut self, batches: &[Batch]) -> Result<(), EngineError> {
        for batch in batches {
            self.apply(batch).map_err(failed)?;
        }
        self.database.flush().map_err(failed)?;
        self.file.sync_data().map_err(failed)
    }

    fn scan(&self, direction: Direction, visit: &mut Visit<'_>) -> Result<(), EngineError> {
        let mut rows = self.database.iter();
        let mut whole = Assembly::default();
        loop {
            let row = match direction {
                Direction::Forward => rows.next(),
                Direction::Backward => rows.next_back(),
            };
            let (row, part) = match row {
                None => {
                    let _ = whole.finish(visit);
                    return Ok(());
                }
                Some(Ok(row)) => row,
                Some(Err(error)) => {
                    let _ = whole.finish(visit);
                    return Err(failed(error));
                }
            };
            let Some((head, _)) = row.split_last_chunk::<2>() else {
                continue;
            };
            if *head != *whole.place {
                if whole.finish(visit).is_break() {
                    return Ok(());
                }
                whole.place.extend_from_slice(head);
            }
            whole.add(&part, direction);
        }
    }

    fn close(self: Box<Self>) -> Result<(), EngineError> {
        let Self {
            database,
            file,
            folder,
        } = *self;
        database.flush().map_err(failed)?;
        file.sync_data().map_err(failed)?;
        drop(database);
        drop(file);
        // A thread of sled's pool may hold the file a moment longer, and with it the lock that a next
        // opening would find taken: wait for the lock, then let it go.
        let file = File::open(folder.join(FILE)).map_err(failed)?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(failed)
    }
}

/// Runs what starts sled's pool of threads.
///
/// Each of its seven threads waits for work with a timeout of a second, for ever, only to wait again. New threads
/// inherit the timer slack of the one that starts them: with a large one the kernel lets those
/// timeouts pass late, while work still wakes them at once.
fn with_lazy_timers<T>(start: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, sled::Error> {
    use rustix::thread::{current_timer_slack, set_current_timer_slack};
    let before = current_timer_slack().ok().and_then(NonZeroU64::new);
    // Where the kernel refuses, the threads just wake more often.
    let _ = set_current_timer_slack(NonZeroU64::new(POOL_TIMER_SLACK));
    let started = start();
    let _ = set_current_timer_slack(before);
    started
}

/// The rows of one record, put together again. Whether all are there shows in the record's checksum.
#[derive(Default)]
struct Assembly {
    place: Vec<u8>,
    bytes: Vec<u8>,
}

impl Assembly {
    fn add(&mut self, part: &[u8], direction: Direction) {
        match direction {
            Direction::Forward => self.bytes.extend_from_slice(part),
            Direction::Backward => {
                self.bytes.splice(..0, part.iter().copied());
            }
        }
    }

    fn finish(&mut self, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let visited = match self.place.is_empty() {
            true => ControlFlow::Continue(()),
            false => visit(Row {
                place: &self.place,
                bytes: &self.bytes,
            }),
        };
        self.place.clear();
        self.bytes.clear();
        visited
    }
}

/// The place of a record and the number of a part of it. Values have a limit far below 65,536 parts.
fn part_key(place: [u8; ROW_KEY], number: usize) -> [u8; ROW_KEY + 2] {
    let mut row = [0; ROW_KEY + 2];
    row[..ROW_KEY].copy_from_slice(&place);
    row[ROW_KEY..].copy_from_slice(&(number as u16).to_be_bytes());
    row
}

fn failed(error: impl std::fmt::Display) -> EngineError {
    EngineError(format!("sled: {error}"))
}
