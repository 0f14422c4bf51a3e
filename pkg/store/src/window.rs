//! The last changes, kept so that a watch can begin a little in the past.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::{Compacted, Entry, Event, EventKind};

/// Bytes of values that the window may keep from being freed; large objects would else make a window of
/// a thousand events cost gigabytes.
const MAX_BYTES: usize = 8 << 20;

/// Events in order of revision; those of one revision are kept or dropped together.
#[derive(Debug)]
pub(crate) struct Window {
    events: VecDeque<Arc<Event>>,
    /// Events up to and with this revision are gone.
    compacted: u64,
    bytes: usize,
    limit: usize,
}

impl Window {
    pub fn new(limit: usize, compacted: u64) -> Self {
        Self {
            events: VecDeque::new(),
            compacted,
            bytes: 0,
            limit: limit.max(1),
        }
    }

    pub fn compacted(&self) -> u64 {
        self.compacted
    }

    /// Number of events that a watch may have to wait for at most when it begins.
    pub fn limit(&self) -> usize {
        self.limit
    }

    pub fn push(&mut self, event: Arc<Event>) {
        self.bytes += weight(&event);
        self.events.push_back(event);
    }

    /// The events beyond the limits, oldest first, by whole revisions: what [`Window::compact`] up to the last of them
    /// would drop. Nothing changes yet, since what is dropped must leave the engine first. That is work for the engine,
    /// so it is done for many at once: the window outgrows its limit by an eighth before there is any excess.
    pub fn excess(&self) -> impl Iterator<Item = &Arc<Event>> {
        let (mut events, mut bytes) = (self.events.len(), self.bytes);
        let due = events > self.limit + self.limit / 8 || bytes > MAX_BYTES + MAX_BYTES / 8;
        let mut of = None;
        self.events.iter().take_while(move |event| {
            let too_much = due && (events > self.limit || bytes > MAX_BYTES);
            let drop = too_much || of == Some(event.revision);
            events -= 1;
            bytes -= weight(event);
            of = Some(event.revision);
            drop
        })
    }

    /// Drops everything up to and with `revision`.
    pub fn compact(&mut self, revision: u64) {
        while let Some(event) = self.events.pop_front_if(|front| front.revision <= revision) {
            self.bytes -= weight(&event);
        }
        self.compacted = self.compacted.max(revision);
    }

    /// Events above `revision`.
    pub fn after(&self, revision: u64) -> Result<impl Iterator<Item = &Arc<Event>>, Compacted> {
        if revision < self.compacted {
            return Err(Compacted {
                asked: revision,
                oldest: self.compacted,
            });
        }
        let first = self
            .events
            .partition_point(|event| event.revision <= revision);
        Ok(self.events.range(first..))
    }
}

fn weight(event: &Event) -> usize {
    event.entry().size()
        + event
            .previous
            .as_ref()
            .map_or(0, |previous| previous.size())
}

/// The records that only this event kept in the engine: what it replaced, and itself when it deleted.
pub(crate) fn records_of(event: &Event) -> impl Iterator<Item = &Arc<Entry>> {
    let deleted = match &event.kind {
        EventKind::Delete(last) => Some(last),
        EventKind::Put(_) => None,
    };
    event.previous.iter().chain(deleted)
}

#[cfg(test)]
mod tests {

    use super::*;

    fn event(revision: u64, size: usize) -> Arc<Event> {
        let value = vec![0; size];
        let entry = Arc::new(Entry::new("/a".into(), revision, value));
        Arc::new(Event {
            revision,
            kind: EventKind::Put(entry),
            previous: None,
        })
    }

    fn excess(window: &Window) -> Vec<u64> {
        window.excess().map(|event| event.revision).collect()
    }

    #[test]
    fn drops_the_oldest_many_at_once() {
        let mut window = Window::new(8, 0);
        (1..=9).for_each(|revision| window.push(event(revision, 10)));
        assert_eq!(
            excess(&window),
            Vec::<u64>::new(),
            "an eighth more than the limit is no excess yet"
        );
        window.push(event(10, 10));
        assert_eq!(excess(&window), [1, 2]);
        window.compact(2);
        assert_eq!(window.after(2).unwrap().next().unwrap().revision, 3);
        assert_eq!(
            window.after(1).err(),
            Some(Compacted {
                asked: 1,
                oldest: 2
            })
        );
    }

    #[test]
    fn drops_whole_revisions() {
        let mut window = Window::new(2, 0);
        for revision in [1, 1, 1, 2] {
            window.push(event(revision, 10));
        }
        assert_eq!(excess(&window), [1, 1, 1]);
    }

    #[test]
    fn large_objects_count_by_their_bytes() {
        let mut window = Window::new(1000, 0);
        (1..=20).for_each(|revision| window.push(event(revision, MAX_BYTES / 10)));
        assert_eq!(excess(&window).len(), 10);
    }

    #[test]
    fn gives_what_came_after() {
        let mut window = Window::new(10, 3);
        for revision in [4, 5, 5, 7] {
            window.push(event(revision, 1));
        }
        let after = |revision| {
            window
                .after(revision)
                .unwrap()
                .map(|e| e.revision)
                .collect::<Vec<_>>()
        };
        assert_eq!(after(3), [4, 5, 5, 7]);
        assert_eq!(after(4), [5, 5, 7]);
        assert_eq!(after(7), Vec::<u64>::new());
        assert_eq!(after(9), Vec::<u64>::new());
    }
}
