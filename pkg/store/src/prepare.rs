//! What a batch of transactions becomes: a function of the state before it.

use std::sync::Arc;

use crate::apply::{Applied, apply};
use crate::engine::{Batch, Put, Remove};
use crate::hub::State;
use crate::record::{Kind, Record, Totals, encoded_len};
use crate::window::records_of;
use crate::{CommitError, Committed, Event, EventKind, Transaction};

/// What a transaction is answered once its batch is visible.
pub(crate) type Answer = Result<Committed, CommitError>;

/// What is neither durable nor visible.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// One for each transaction that changes something.
    pub batches: Vec<Batch>,
    /// The totals with each of them.
    pub reached: Vec<Totals>,
    /// As they are once all of it is durable.
    pub state: Arc<State>,
    pub totals: Totals,
    pub events: Vec<Arc<Event>>,
}

impl Prepared {
    /// What is to be put into the engine, encoded.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let puts = self.batches.iter().flat_map(|batch| &batch.puts);
        puts.map(|put| put.bytes.as_slice())
    }

    /// What is left to write to an engine that holds these totals; `None` when they are not of this.
    pub fn rest(&self, totals: Totals) -> Option<&[Batch]> {
        let held = self.reached.iter().position(|reached| *reached == totals)?;
        self.batches.get(held + 1..)
    }
}

/// Works the transactions out in order, each seeing the ones before it. `excess` is what leaves the event window.
/// The second part is `None` when nothing changes.
pub(crate) fn prepare(
    state: &State,
    totals: Totals,
    excess: &[Arc<Event>],
    transactions: &[Transaction],
) -> (Vec<Answer>, Option<Prepared>) {
    let mut entries = state.entries.clone();
    let mut revision = state.revision;
    let mut events = Vec::new();
    let answers = transactions
        .iter()
        .map(|transaction| {
            let applied: Applied = apply(&mut entries, transaction, revision + 1)?;
            if applied.events.is_empty() {
                return Ok(Committed {
                    revision,
                    entries: Vec::new(),
                });
            }
            revision += 1;
            events.extend(applied.events);
            Ok(Committed {
                revision,
                entries: applied.entries,
            })
        })
        .collect();
    if events.is_empty() {
        return (answers, None);
    }

    let mut totals = totals;
    let (mut batches, mut reached) = (Vec::new(), Vec::new());
    for changes in events.chunk_by(|one, next| one.revision == next.revision) {
        let mut batch = Batch::default();
        for event in changes {
            totals.revision = event.revision;
            totals.add(event.revision, &event.entry().key);
        }
        // What leaves the window leaves the engine with the last of them.
        if totals.revision == revision
            && let Some(newest) = excess.last()
        {
            totals.compacted = newest.revision;
            for entry in excess.iter().flat_map(|event| records_of(event)) {
                totals.remove(entry.revision, &entry.key);
                let len = encoded_len(&entry.key, entry.size());
                batch.removes.push(Remove {
                    revision: entry.revision,
                    key: Arc::clone(&entry.key),
                    len,
                });
            }
        }
        batch.puts = puts(changes, totals);
        batches.push(batch);
        reached.push(totals);
    }
    let state = Arc::new(State { revision, entries });
    (
        answers,
        Some(Prepared {
            batches,
            reached,
            state,
            totals,
            events,
        }),
    )
}

/// The records of one transaction's changes, the last of them with the totals.
fn puts(changes: &[Arc<Event>], totals: Totals) -> Vec<Put> {
    let record = |(index, event): (usize, &Arc<Event>)| {
        let entry = event.entry();
        let last = index + 1 == changes.len();
        let record = Record {
            revision: event.revision,
            kind: if matches!(event.kind, EventKind::Put(_)) {
                Kind::Put
            } else {
                Kind::Delete
            },
            last,
            totals: last.then_some(totals),
            key: &entry.key,
            value: &entry.value(),
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        Put {
            revision: event.revision,
            key: Arc::clone(&entry.key),
            bytes,
        }
    };
    changes.iter().enumerate().map(record).collect()
}
