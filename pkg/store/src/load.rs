//! Opening an engine that may be damaged: in a thread of its own, so that neither a panic nor a hang of the engine
//! reaches the caller.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::engine::{self, Direction, Engine, EngineError};
use crate::record::{Records, Totals};
use crate::replay::{Incomplete, Replay};
use crate::{EngineKind, OpenError};

/// An engine that gives no sign of life for this long hangs. Slow flash needs seconds, never this.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sled keeps in memory whatever it was read, whatever its cache may have; beyond this many bytes it is opened a
/// second time, which takes some milliseconds, to be rid of them.
const SLED_KEEPS: usize = 4 << 20;

/// Bytes of records that are held together while they are read.
const CHUNK: usize = 1 << 20;

pub(crate) enum Loaded {
    Sound {
        engine: Box<dyn Engine>,
        replay: Replay,
        totals: Totals,
    },
    Damaged(Salvage),
}

/// What a damaged engine still gives.
#[derive(Debug, Default, Clone)]
pub(crate) struct Salvage {
    /// What is wrong with it.
    pub why: String,
    /// Records whose checksum holds, encoded, by their place: in order of revision.
    pub records: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Revisions of records that are there and unreadable.
    pub unreadable: Vec<u64>,
}

/// Opens the engine in `folder` and reads all of it.
pub(crate) fn load(kind: EngineKind, folder: &Path, window: usize) -> Result<Loaded, OpenError> {
    accessible(kind, folder)?;
    let (progress, salvage) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(Mutex::new(Salvage::default())),
    );
    let job = {
        let (progress, salvage, folder) = (
            Arc::clone(&progress),
            Arc::clone(&salvage),
            folder.to_owned(),
        );
        move || attempt(kind, &folder, window, &progress, &salvage)
    };
    let why = match supervise(kind.name(), PATIENCE, &progress, job) {
        Ok(Ok((engine, replay, totals))) => {
            return Ok(Loaded::Sound {
                engine,
                replay,
                totals,
            });
        }
        Ok(Err(why)) | Err(why) => why,
    };
    let mut salvage = std::mem::take(&mut *salvage.lock().unwrap_or_else(PoisonError::into_inner));
    salvage.why = why;
    Ok(Loaded::Damaged(salvage))
}

/// Tells what is no damage: files that may not be used, and a lock that somebody else holds.
fn accessible(kind: EngineKind, folder: &Path) -> Result<(), OpenError> {
    let path = engine::data_file(kind, folder);
    let file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        // That is damage.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(OpenError::Io { path, source }),
    };
    // The folder's own lock is ours, so at most a process that is just ending holds this one: wait for it.
    // Given back by name: closing the file is not enough where another thread starts a process just then, which
    // has it open too for a moment.
    let lock = move || {
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        rustix::fs::flock(&file, FlockOperation::Unlock)
    };
    match supervise("lock", PATIENCE, &AtomicU64::new(0), lock) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(OpenError::Io {
            path,
            source: error.into(),
        }),
        Err(_) => Err(OpenError::Locked { path }),
    }
}

/// Runs a job in a thread of its own and waits for it as long as it makes progress. A job that hangs is left behind.
fn supervise<T: Send + 'static>(
    name: &str,
    patience: Duration,
    progress: &AtomicU64,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (result, results) = mpsc::channel();
    let run = move || {
        // Nobody listens when patience came to its end.
        let _ = result.send(job());
    };
    std::thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(|error| format!("{name}: {error}"))?;
    let mut seen = progress.load(Ordering::Relaxed);
    loop {
        match results.recv_timeout(patience) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Disconnected) => return Err(format!("{name} panicked")),
            Err(RecvTimeoutError::Timeout) => {
                let now = progress.load(Ordering::Relaxed);
                if now == seen {
                    return Err(format!("{name} hung for {} s", patience.as_secs()));
                }
                seen = now;
            }
        }
    }
}

fn attempt(
    kind: EngineKind,
    folder: &Path,
    window: usize,
    progress: &AtomicU64,
    salvage: &Mutex<Salvage>,
) -> Result<(Box<dyn Engine>, Replay, Totals), String> {
    let engine = caught(|| engine::open(kind, folder))?;
    let (engine, why) = match caught(|| gather(&*engine, progress)) {
        Err(why) => (engine, why),
        Ok(gathered) => {
            let kept = kind == EngineKind::Sled && gathered.len() > SLED_KEEPS / CHUNK;
            let engine = if kept {
                reopen(engine, kind, folder)?
            } else {
                engine
            };
            match replay(gathered, window) {
                Ok((replay, totals)) => return Ok((engine, replay, totals)),
                Err(incomplete) => (engine, incomplete.to_string()),
            }
        }
    };
    rescue_both_ways(&*engine, progress, salvage);
    // Neither closed nor dropped: either may panic or hang, and nobody needs it any more.
    std::mem::forget(engine);
    Err(why)
}

/// Reads every record, into few large pieces of memory: between them, what the engine takes and gives back meanwhile
/// leaves no holes.
fn gather(engine: &dyn Engine, progress: &AtomicU64) -> Result<Vec<Vec<u8>>, EngineError> {
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    let mut problem = None;
    engine.scan(Direction::Forward, &mut |row| {
        progress.fetch_add(1, Ordering::Relaxed);
        if let Err(why) = row.record() {
            problem = Some(why);
            return ControlFlow::Break(());
        }
        match chunks.last_mut() {
            Some(chunk) if chunk.len() + row.bytes.len() <= chunk.capacity() => {
                chunk.extend_from_slice(row.bytes);
            }
            _ => {
                let mut chunk = Vec::with_capacity(row.bytes.len().max(CHUNK));
                chunk.extend_from_slice(row.bytes);
                chunks.push(chunk);
            }
        }
        ControlFlow::Continue(())
    })?;
    problem.map_or(Ok(chunks), |problem| Err(EngineError(problem)))
}

fn reopen(
    engine: Box<dyn Engine>,
    kind: EngineKind,
    folder: &Path,
) -> Result<Box<dyn Engine>, String> {
    caught(|| engine.close())?;
    caught(|| engine::open(kind, folder))
}

/// Makes of the records what the store has in memory, and checks that none is missing.
fn replay(gathered: Vec<Vec<u8>>, window: usize) -> Result<(Replay, Totals), Incomplete> {
    let mut replay = Replay::new(window);
    for chunk in gathered {
        Records::new(&chunk, 0).for_each(|record| replay.push(&record));
    }
    let totals = replay.verify()?;
    Ok((replay, totals))
}

/// What an engine gives that opened well but must not be gone on with.
pub(crate) fn salvage(engine: &dyn Engine, why: String) -> Salvage {
    let salvage = Mutex::new(Salvage {
        why,
        ..Salvage::default()
    });
    rescue_both_ways(engine, &AtomicU64::new(0), &salvage);
    salvage.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// From the first record on and, if that comes to a bad end, from the last one back.
fn rescue_both_ways(engine: &dyn Engine, progress: &AtomicU64, salvage: &Mutex<Salvage>) {
    for direction in [Direction::Forward, Direction::Backward] {
        if caught(|| rescue(engine, direction, progress, salvage)).is_ok() {
            break;
        }
    }
}

/// Collects what can be read, beginning at one end.
fn rescue(
    engine: &dyn Engine,
    direction: Direction,
    progress: &AtomicU64,
    salvage: &Mutex<Salvage>,
) -> Result<(), EngineError> {
    let mut before: Option<Vec<u8>> = None;
    engine.scan(direction, &mut |row| {
        progress.fetch_add(1, Ordering::Relaxed);
        // A damaged index can lead round in circles.
        let onward = before.as_ref().is_none_or(|before| match direction {
            Direction::Forward => **before < *row.place,
            Direction::Backward => **before > *row.place,
        });
        if !onward {
            return ControlFlow::Break(());
        }
        before = Some(row.place.to_vec());
        let mut salvage = salvage.lock().unwrap_or_else(PoisonError::into_inner);
        match row.record() {
            Ok(_) => drop(
                salvage
                    .records
                    .insert(row.place.to_vec(), row.bytes.to_vec()),
            ),
            Err(_) => salvage.unreadable.push(row.revision()),
        }
        ControlFlow::Continue(())
    })
}

/// Runs what may panic.
pub(crate) fn caught<T>(run: impl FnOnce() -> Result<T, EngineError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| error.0),
        Err(panic) => Err(format!("panicked: {}", message(&*panic))),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    // Some panics print pages.
    text.and_then(|text| text.lines().next())
        .unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_and_told() {
        let told =
            caught(|| -> Result<(), EngineError> { panic!("segment {} is torn\nand more", 7) });
        assert_eq!(told, Err("panicked: segment 7 is torn".into()));
        let told = supervise("job", PATIENCE, &AtomicU64::new(0), || -> () {
            panic!("outside of caught")
        });
        assert_eq!(told, Err("job panicked".into()));
    }

    #[test]
    fn a_hang_is_not_waited_for() {
        let (_hold, never) = mpsc::channel::<()>();
        let told = supervise(
            "job",
            Duration::from_millis(20),
            &AtomicU64::new(0),
            move || never.recv(),
        );
        assert_eq!(told, Err("job hung for 0 s".into()));
    }

    #[test]
    fn slow_progress_is_waited_for() {
        let progress = Arc::new(AtomicU64::new(0));
        let (steps, mut step) = (Arc::clone(&progress), 0);
        let (_hold, never) = mpsc::channel::<()>();
        let job = move || {
            while step < 6 {
                step += 1;
                steps.fetch_add(1, Ordering::Relaxed);
                let _ = never.recv_timeout(Duration::from_millis(30));
            }
            step
        };
        assert_eq!(
            supervise("job", Duration::from_millis(90), &progress, job),
            Ok(6)
        );
    }
}
