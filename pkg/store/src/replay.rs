//! From records, in order, to what the store has in memory.

use std::sync::Arc;

use crate::entries::Entries;
use crate::places::Places;
use crate::record::{Kind, Record, Totals};
use crate::window::Window;
use crate::{Entry, Event, EventKind};

/// Takes records in order of revision and knows at the end whether any was missing.
#[derive(Debug)]
pub(crate) struct Replay {
    pub entries: Entries,
    pub window: Window,
    /// What the latest totals say should be here.
    stated: Option<Totals>,
    /// What was here.
    found: Totals,
}

/// What the records did not add up to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Incomplete {
    #[error("no record tells how many there should be ({found} found)")]
    NoTotals { found: u64 },
    #[error("{found} records instead of {stated} at revision {revision}")]
    Count {
        found: u64,
        stated: u64,
        revision: u64,
    },
    #[error("other records than those written, or later ones, at revision {revision}")]
    Content { revision: u64 },
}

impl Replay {
    pub fn new(window: usize) -> Self {
        Self {
            entries: Entries::default(),
            window: Window::new(window, 0),
            stated: None,
            found: Totals::default(),
        }
    }

    pub fn push(&mut self, record: &Record<'_>) {
        self.found.add(record.revision, record.key);
        self.found.revision = self.found.revision.max(record.revision);
        if let Some(totals) = record
            .totals
            .filter(|new| self.stated.is_none_or(|old| old.revision <= new.revision))
        {
            self.stated = Some(totals);
            self.window.compact(totals.compacted);
        }
        let previous = self.entries.get(record.key).cloned();
        let kind = match record.kind {
            Kind::Marker => return,
            Kind::Put => {
                let entry = self.entry_of(record, previous.as_deref());
                self.entries.put(Arc::clone(&entry));
                EventKind::Put(entry)
            }
            Kind::Delete => {
                self.entries.remove(record.key);
                EventKind::Delete(self.entry_of(record, previous.as_deref()))
            }
        };
        if record.revision > self.window.compacted() {
            self.window.push(Arc::new(Event {
                revision: record.revision,
                kind,
                previous,
            }));
        }
    }

    /// The totals, when they are those of what was pushed.
    pub fn verify(&self) -> Result<Totals, Incomplete> {
        let Totals {
            count,
            sum,
            revision,
            ..
        } = self.found;
        let Some(stated) = self.stated else {
            return Err(Incomplete::NoTotals { found: count });
        };
        if stated.count != count {
            return Err(Incomplete::Count {
                found: count,
                stated: stated.count,
                revision: stated.revision,
            });
        }
        if stated.sum != sum || stated.revision < revision {
            return Err(Incomplete::Content {
                revision: stated.revision,
            });
        }
        Ok(stated)
    }

    /// The entry that a record holds; the key's text is shared with what it replaces.
    fn entry_of(&self, record: &Record<'_>, previous: Option<&Entry>) -> Arc<Entry> {
        let key = previous.map_or_else(|| record.key.into(), |entry| Arc::clone(&entry.key));
        let neighbours = self.entries.near(record.key);
        let places = Places::find(record.value);
        Arc::new(Entry::among(
            neighbours,
            key,
            record.revision,
            record.value,
            &places,
        ))
    }
}
