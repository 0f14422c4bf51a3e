//! Journal and snapshot file, kept while the store runs.
//!
//! How much they write: every change once to the journal. A snapshot, of all objects, follows when the journal
//! has outgrown both 4 MiB and the objects themselves, so snapshots write at most as many bytes as
//! changes did. On close one is written when it is at most four times the journal. Without a change nothing is written.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::folder::Folder;
use crate::hub::State;
use crate::journal::{self, Journal};
use crate::record::encoded_len;
use crate::{Event, EventKind, snapshot_file};

/// A journal smaller than this is no reason to write a snapshot.
const MIN_JOURNAL: u64 = 4 << 20;
/// The first change that only the kernel has of the journal waits this long at most for the disk.
const SYNC_AFTER: Duration = Duration::from_secs(2);
/// Revisions that one batch may take.
const HEADROOM: u64 = 1 << 16;

#[derive(Debug)]
pub(crate) struct Backup {
    folder: Arc<Folder>,
    /// `None` when it could not be written; tried again at the next change.
    journal: Option<Journal>,
    sync_at: Option<Instant>,
    /// Bytes that a snapshot of the objects would have.
    live: u64,
    snapshot: Option<JoinHandle<()>>,
}

impl Backup {
    /// Goes on with the files that are there if they hold everything up to `state`, or begins anew.
    pub fn open(folder: &Arc<Folder>, state: &Arc<State>) -> Self {
        let live = state
            .entries
            .iter()
            .map(|entry| encoded_len(&entry.key, entry.size()) as u64)
            .sum();
        let mut backup = Self {
            folder: Arc::clone(folder),
            journal: None,
            sync_at: None,
            live,
            snapshot: None,
        };
        if let Err(why) = backup.resume(state.revision) {
            tracing::info!(path = %folder.path().display(), why, "writing a new snapshot of the store");
            backup.rotate(state);
        }
        backup
    }

    /// Goes on with the last journal if snapshot and journals make an unbroken chain up to `revision`; else, why not.
    fn resume(&mut self, revision: u64) -> Result<(), String> {
        let told = |error: std::io::Error| error.to_string();
        let snapshot = snapshot_file::latest(&self.folder)
            .map_err(told)?
            .ok_or("there is no sound snapshot")?;
        let mut reached = snapshot.revision;
        let mut journals = self.folder.numbered(journal::PREFIX).map_err(told)?;
        journals.retain(|(base, _)| *base >= snapshot.revision);
        for (base, path) in &journals {
            let tail = journal::tail(path)
                .map_err(told)?
                .filter(|_| *base == reached);
            let name = path.display();
            reached = tail
                .ok_or_else(|| {
                    format!("{name} is cut short or does not go on at revision {reached}")
                })?
                .revision;
        }
        if reached != revision {
            return Err(format!(
                "the journal ends at revision {reached}, the store at {revision}"
            ));
        }
        let journal = match journals.is_empty() {
            true => Journal::create(&self.folder, revision).map(Some),
            false => Journal::resume(&self.folder, revision),
        };
        self.journal = journal.map_err(told)?;
        if self.journal.is_some() {
            Ok(())
        } else {
            Err("the journal changed meanwhile".into())
        }
    }

    /// Trusts no longer what was written so far: the next change begins a new journal and a snapshot.
    pub fn renew(&mut self) {
        self.journal = None;
    }

    /// Takes note of a batch that the engine holds. `records` are its records; `state` is as it is after it.
    pub fn append(&mut self, records: &[u8], events: &[Arc<Event>], state: &Arc<State>) {
        self.live = events.iter().fold(self.live, |live, event| {
            (live + gained(event)).saturating_sub(lost(event))
        });
        let appended = self.journal.as_mut().map(|journal| journal.append(records));
        if let Some(Err(error)) = appended {
            let path = self.folder.path().display();
            tracing::warn!(%path, %error, "writing the store's journal; beginning a new one");
            self.journal = None;
        }
        let due = self.journal.as_ref().is_none_or(|journal| {
            snapshot_due(journal.bytes(), self.live)
                || state.revision + HEADROOM > journal.ceiling()
        });
        if due && self.snapshot.as_ref().is_none_or(JoinHandle::is_finished) {
            self.rotate(state);
        } else if self.sync_at.is_none() && self.journal.as_ref().is_some_and(Journal::dirty) {
            self.sync_at = Some(Instant::now() + SYNC_AFTER);
        }
    }

    /// When [`Backup::sync`] is due; `None` while there is nothing to make durable.
    pub fn sync_at(&self) -> Option<Instant> {
        self.sync_at
    }

    pub fn sync(&mut self) {
        self.sync_at = None;
        if let Some(Err(error)) = self.journal.as_mut().map(Journal::sync) {
            tracing::warn!(path = %self.folder.path().display(), %error, "syncing the store's journal");
            self.journal = None;
        }
    }

    /// Begins a new journal and writes a snapshot of what came before it, while the store goes on.
    fn rotate(&mut self, state: &Arc<State>) {
        self.sync();
        self.wait();
        let begun = Journal::create(&self.folder, state.revision).and_then(|journal| {
            let (folder, state) = (Arc::clone(&self.folder), Arc::clone(state));
            let thread = std::thread::Builder::new().name("kedge-snapshot".into());
            let snapshot = thread.spawn(move || {
                write_snapshot(&folder, &state);
            })?;
            Ok((journal, snapshot))
        });
        match begun {
            Ok((journal, snapshot)) => {
                (self.journal, self.snapshot) = (Some(journal), Some(snapshot))
            }
            Err(error) => {
                let path = self.folder.path().display();
                tracing::warn!(%path, %error, "beginning a journal; the store goes on with its engine alone");
            }
        }
    }

    /// Makes the journal durable and writes a last snapshot where that is little work.
    pub fn close(mut self, state: &Arc<State>) {
        self.wait();
        let changes = self.journal.as_ref().map_or(0, Journal::bytes);
        self.sync();
        let little = changes > 0 && self.live <= changes.saturating_mul(4);
        if self.journal.is_some() && !little {
            return;
        }
        write_snapshot(&self.folder, state);
    }

    fn wait(&mut self) {
        if let Some(snapshot) = self.snapshot.take() {
            // It reports its own errors.
            let _ = snapshot.join();
        }
    }
}

fn write_snapshot(folder: &Folder, state: &State) {
    if let Err(error) = snapshot_file::write(folder, state) {
        let path = folder.path().display();
        tracing::warn!(%path, %error, "writing the store's snapshot; the older one and the journals stay");
    }
}

/// Whether it is time to write all objects again.
fn snapshot_due(journal: u64, live: u64) -> bool {
    journal >= live.max(MIN_JOURNAL)
}

fn gained(event: &Event) -> u64 {
    match &event.kind {
        EventKind::Put(entry) => encoded_len(&entry.key, entry.size()) as u64,
        EventKind::Delete(_) => 0,
    }
}

fn lost(event: &Event) -> u64 {
    event
        .previous
        .as_ref()
        .map_or(0, |entry| encoded_len(&entry.key, entry.size()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_write_no_more_than_changes_do() {
        assert!(!snapshot_due(MIN_JOURNAL - 1, 0));
        assert!(snapshot_due(MIN_JOURNAL, 100));
        assert!(!snapshot_due(MIN_JOURNAL * 9, MIN_JOURNAL * 10));
        assert!(snapshot_due(MIN_JOURNAL * 10, MIN_JOURNAL * 10));
    }
}
