//! A list as it stood at an earlier revision: the state now, with the events since then taken back.
//!
//! So nothing is kept for those who page through a list: as long as the event window reaches back to their
//! revision they go on, and then they are told 410. The bound is the window's, in events; there is no timer.

use std::collections::BTreeMap;
use std::sync::Arc;

use kedge_store::{Entry, EventKind, Snapshot, Store};

/// The entries under `prefix` after `start`, as of `revision`; `None` when the window does not reach back.
pub(super) fn range(
    store: &Store,
    revision: u64,
    prefix: &str,
    start: Option<&str>,
) -> Option<(Snapshot, Past)> {
    // In this order: every event between the two is in the watch.
    let mut watch = store.watch(prefix, revision).ok()?;
    let snapshot = store.snapshot();
    let mut past = Past::default();
    if snapshot.revision() > revision {
        while let Some(event) = watch.try_next().ok()? {
            if event.revision > snapshot.revision() {
                break;
            }
            let key = match &event.kind {
                EventKind::Put(entry) | EventKind::Delete(entry) => &entry.key,
            };
            if start.is_none_or(|start| **key > *start) {
                past.0
                    .entry(Arc::clone(key))
                    .or_insert_with(|| event.previous.clone());
            }
        }
    }
    Some((snapshot, past))
}

/// Keys that have changed since, with what stood there before.
#[derive(Default)]
pub(super) struct Past(BTreeMap<Arc<str>, Option<Arc<Entry>>>);

impl Past {
    /// `now`, in key order, as it was.
    pub(super) fn apply(
        self,
        now: impl Iterator<Item = Arc<Entry>>,
    ) -> impl Iterator<Item = Arc<Entry>> {
        let mut now = now.peekable();
        let mut before = self.0.into_iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let takes_back = match (now.peek(), before.peek()) {
                    (_, None) => false,
                    (None, Some(_)) => true,
                    (Some(entry), Some((key, _))) => **key <= *entry.key,
                };
                if !takes_back {
                    return now.next();
                }
                let (key, entry) = before.next()?;
                now.next_if(|entry| entry.key == key);
                if entry.is_some() {
                    return entry;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn entry(key: &str, revision: u64) -> Arc<Entry> {
        Arc::new(Entry::new(key.into(), revision, []))
    }

    #[test]
    fn events_are_taken_back() {
        let now = [entry("b", 5), entry("c", 2), entry("d", 6), entry("f", 3)];
        let past = Past(BTreeMap::from([
            ("a".into(), Some(entry("a", 1))),
            ("b".into(), Some(entry("b", 2))),
            ("d".into(), None),
            ("e".into(), Some(entry("e", 2))),
            ("g".into(), None),
        ]));
        let got: Vec<_> = past
            .apply(now.into_iter())
            .map(|e| (e.key.to_string(), e.revision))
            .collect();
        let want = [("a", 1), ("b", 2), ("c", 2), ("e", 2), ("f", 3)];
        assert_eq!(got, want.map(|(key, revision)| (key.to_string(), revision)));
    }
}
