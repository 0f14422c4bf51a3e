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

/// A batch that is neither durable nor visible.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub batch: Batch,
    /// As it is once the batch is durable.
    pub state: Arc<State>,
    pub totals: Totals,
    pub events: Vec<Arc<Event>>,
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

    let mut totals = Totals { revision, ..totals };
    if let Some(newest) = excess.last() {
        totals.compacted = newest.revision;
    }
    for event in &events {
        totals.add(event.revision, &event.entry().key);
    }
    let mut batch = Batch::default();
    for entry in excess.iter().flat_map(|event| records_of(event)) {
        totals.remove(entry.revision, &entry.key);
        let len = encoded_len(&entry.key, entry.value.len());
        batch.removes.push(Remove {
            revision: entry.revision,
            key: Arc::clone(&entry.key),
            len,
        });
    }
    for (index, event) in events.iter().enumerate() {
        let next = events.get(index + 1);
        let entry = event.entry();
        let record = Record {
            revision: event.revision,
            kind: if matches!(event.kind, EventKind::Put(_)) {
                Kind::Put
            } else {
                Kind::Delete
            },
            last: next.is_none_or(|next| next.revision != event.revision),
            totals: next.is_none().then_some(totals),
            key: &entry.key,
            value: &entry.value,
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        batch.puts.push(Put {
            revision: event.revision,
            key: Arc::clone(&entry.key),
            bytes,
        });
    }
    let state = Arc::new(State { revision, entries });
    (
        answers,
        Some(Prepared {
            batch,
            state,
            totals,
            events,
        }),
    )
}
