//! Events of a collection, seen through selectors.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use kedge_api::Kind;
use kedge_machinery::Status;
use kedge_store::{Encoded, Entry, Event, EventKind, Lagged, Snapshot, Watch};
use serde_json::Value;

use super::{Selection, Selectors, revision};
use crate::registry::Registry;
use crate::request::{WatchEvent, WatchOptions};
use crate::stored;

/// So many events that the selectors hid make a bookmark due, so that a resumed watch need not read them again.
const HIDDEN: usize = 256;

/// A running watch.
pub struct Watcher {
    /// What is said before the store's events: the initial state, its end, or why there is no watch.
    first: VecDeque<WatchEvent>,
    /// The initial state, encoded as it is asked for.
    initial: VecDeque<Arc<Entry>>,
    watch: Option<Watch>,
    selection: Selection,
    bookmarks: bool,
    hidden: usize,
    /// Events up to here are not told.
    after: u64,
}

impl Registry {
    /// A watch of a collection (of one object with a field selector on `metadata.name`); an empty
    /// `namespace` means all. A revision that is no longer known is told as the first event, a 410.
    pub fn watch(
        &self,
        kind: &Arc<Kind>,
        namespace: &str,
        options: &WatchOptions,
    ) -> Result<Watcher, Status> {
        let selectors = Selectors::parse(&options.label_selector, &options.field_selector)?;
        revision::check_watch(options)?;
        let selection = Selection::of(kind, selectors)?;
        let asked = revision::parse(&options.resource_version)?;
        let current = self.revision();
        if options.send_initial_events == Some(true) && asked > current {
            return Err(revision::too_large(asked, current));
        }
        let prefix = selection.prefix(namespace);
        let mut watcher = Watcher {
            first: VecDeque::new(),
            initial: VecDeque::new(),
            watch: None,
            selection,
            bookmarks: options.allow_bookmarks,
            hidden: 0,
            after: asked,
        };
        match (options.send_initial_events, asked) {
            // Without a version the state is sent as if it had been asked for (upstream: `SetListOptionsDefaults`).
            (Some(true), _) | (None, 0) => {
                let snapshot = watcher.begin(self, &prefix, true);
                if options.allow_bookmarks {
                    let revision = snapshot.revision();
                    watcher.first.push_back(WatchEvent::Bookmark {
                        revision,
                        initial_end: true,
                    });
                }
            }
            (Some(false), 0) => {
                watcher.begin(self, &prefix, false);
            }
            (_, asked) => match self.store().watch(&prefix, asked) {
                Ok(watch) => watcher.watch = Some(watch),
                Err(gone) => {
                    let message = format!("too old resource version: {asked} ({})", gone.oldest);
                    watcher
                        .first
                        .push_back(WatchEvent::Error(Status::expired(message)));
                }
            },
        }
        Ok(watcher)
    }
}

impl Watcher {
    fn begin(&mut self, registry: &Registry, prefix: &str, state: bool) -> Snapshot {
        let (snapshot, watch) = registry.store().snapshot_and_watch(prefix);
        if state {
            self.initial = snapshot
                .range(prefix, None)
                .filter(|entry| self.selection.matches(entry))
                .collect();
        }
        self.watch = Some(watch);
        self.after = snapshot.revision();
        snapshot
    }

    /// The next event; waits. `None` after an error, and when the store closed. Cancel safe.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        loop {
            if let Some(event) = self.before_watch() {
                return Some(event);
            }
            let told = match self.watch.as_mut()?.next().await {
                Ok(Some(event)) => self.tell(&event),
                Ok(None) => {
                    self.watch = None;
                    None
                }
                Err(lagged) => Some(self.cut_off(&lagged)),
            };
            if told.is_some() {
                return told;
            }
        }
    }

    /// An event that is here already.
    pub fn try_next(&mut self) -> Option<WatchEvent> {
        loop {
            if let Some(event) = self.before_watch() {
                return Some(event);
            }
            let told = match self.watch.as_mut()?.try_next() {
                Ok(Some(event)) => self.tell(&event),
                Ok(None) => return None,
                Err(lagged) => Some(self.cut_off(&lagged)),
            };
            if told.is_some() {
                return told;
            }
        }
    }

    /// A bookmark of what has been told so far, to end a watch with; `None` where none are wanted or events wait.
    #[must_use]
    pub fn bookmark(&self) -> Option<WatchEvent> {
        let waits = !self.first.is_empty() || !self.initial.is_empty();
        let revision = self.watch.as_ref()?.revision().max(self.after);
        (self.bookmarks && !waits).then_some(WatchEvent::Bookmark {
            revision,
            initial_end: false,
        })
    }

    fn before_watch(&mut self) -> Option<WatchEvent> {
        match self.initial.pop_front() {
            Some(entry) => Some(WatchEvent::Added(self.value(&entry))),
            None => self.first.pop_front(),
        }
    }

    fn cut_off(&mut self, lagged: &Lagged) -> WatchEvent {
        self.watch = None;
        WatchEvent::Error(Status::expired(format!("{lagged}")))
    }

    /// What an event is to this watch: a change into what the selectors want is an addition, one out of
    /// it a deletion.
    fn tell(&mut self, event: &Event) -> Option<WatchEvent> {
        if event.revision <= self.after {
            return None;
        }
        let before = event
            .previous
            .as_ref()
            .filter(|entry| self.selection.matches(entry));
        let told = match (&event.kind, before) {
            (EventKind::Put(entry), before) => match (self.selection.matches(entry), before) {
                (true, None) => Some(WatchEvent::Added(self.value(entry))),
                (true, Some(_)) => Some(WatchEvent::Modified(self.value(entry))),
                (false, Some(before)) => Some(WatchEvent::Deleted(
                    self.at_revision(before, event.revision),
                )),
                (false, None) => None,
            },
            (EventKind::Delete(last), Some(_)) => Some(WatchEvent::Deleted(self.value(last))),
            (EventKind::Delete(_), None) => None,
        };
        if told.is_some() {
            self.hidden = 0;
            return told;
        }
        self.hidden += 1;
        if self.bookmarks && self.hidden >= HIDDEN {
            self.hidden = 0;
            return Some(WatchEvent::Bookmark {
                revision: event.revision,
                initial_end: false,
            });
        }
        None
    }

    fn value(&self, entry: &Arc<Entry>) -> Bytes {
        stored::value(self.selection.kind(), entry)
    }

    /// An older state, told at a newer revision.
    fn at_revision(&self, entry: &Arc<Entry>, revision: u64) -> Bytes {
        let value = self.value(entry);
        match serde_json::from_slice::<Value>(&value) {
            Ok(tree) => Bytes::from(Encoded::object(&tree).at(revision)),
            Err(_) => value,
        }
    }
}
