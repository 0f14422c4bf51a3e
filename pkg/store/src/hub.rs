//! What is visible: the entries as of the latest revision, the window, and who watches.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::entries::Entries;
use crate::queue::Queue;
use crate::window::Window;
use crate::{Compacted, Event};

/// Every entry as it stood at one revision.
#[derive(Debug)]
pub(crate) struct State {
    pub revision: u64,
    pub entries: Entries,
}

/// What the committer publishes and everybody else reads.
#[derive(Debug)]
pub(crate) struct Hub {
    state: RwLock<Arc<State>>,
    /// The revision up to which every watch has been given its events.
    delivered: AtomicU64,
    watches: Mutex<Watches>,
}

#[derive(Debug)]
struct Watches {
    window: Window,
    /// Those who watch, by prefix: an event looks at each prefix once, however many watch it.
    by_prefix: BTreeMap<Arc<str>, BTreeMap<u64, Arc<Queue>>>,
    next_id: u64,
    closed: bool,
}

impl Hub {
    pub fn new(state: Arc<State>, window: Window) -> Self {
        let delivered = AtomicU64::new(state.revision);
        let watches = Watches {
            window,
            by_prefix: BTreeMap::new(),
            next_id: 0,
            closed: false,
        };
        Self {
            state: RwLock::new(state),
            delivered,
            watches: Mutex::new(watches),
        }
    }

    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// See [`crate::Watch::revision`].
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    /// What leaves the window with the next publication, for the committer to take out of the engine.
    pub fn excess(&self) -> Vec<Arc<Event>> {
        self.watches().window.excess().cloned().collect()
    }

    /// Makes a batch visible, in one step for who asks for a snapshot and a watch together.
    pub fn publish(&self, state: Arc<State>, events: Vec<Arc<Event>>, compacted: u64) {
        let revision = state.revision;
        let mut watches = self.watches();
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        watches.window.compact(compacted);
        for event in events {
            let key = &*event.entry().key;
            for (prefix, queues) in &mut watches.by_prefix {
                if key.starts_with(&**prefix) {
                    queues.retain(|_, queue| queue.push(&event));
                }
            }
            watches.window.push(event);
        }
        watches.by_prefix.retain(|_, queues| !queues.is_empty());
        self.delivered.store(revision, Ordering::Release);
    }

    /// Registers a watch of the events above `after`, past ones included.
    pub fn watch(&self, prefix: &str, after: u64) -> Result<(u64, Arc<Queue>), Compacted> {
        let mut watches = self.watches();
        let missed: Vec<_> = watches
            .window
            .after(after)?
            .filter(|event| event.entry().key.starts_with(prefix))
            .cloned()
            .collect();
        Ok(watches.register(prefix, after, missed))
    }

    /// The state, and a watch of every event after it.
    pub fn snapshot_and_watch(&self, prefix: &str) -> (Arc<State>, u64, Arc<Queue>) {
        let mut watches = self.watches();
        let state = self.state();
        let (id, queue) = watches.register(prefix, state.revision, Vec::new());
        (state, id, queue)
    }

    pub fn unwatch(&self, prefix: &str, id: u64) {
        let mut watches = self.watches();
        if let Some(queues) = watches.by_prefix.get_mut(prefix) {
            queues.remove(&id);
            if queues.is_empty() {
                watches.by_prefix.remove(prefix);
            }
        }
    }

    /// Ends every watch, once it has handed out what it holds.
    pub fn close(&self) {
        let mut watches = self.watches();
        watches.closed = true;
        for queue in std::mem::take(&mut watches.by_prefix)
            .into_values()
            .flat_map(BTreeMap::into_values)
        {
            queue.close();
        }
    }

    fn watches(&self) -> MutexGuard<'_, Watches> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watches {
    fn register(&mut self, prefix: &str, after: u64, missed: Vec<Arc<Event>>) -> (u64, Arc<Queue>) {
        let queue = Arc::new(Queue::new(after, missed, self.window.limit()));
        let id = self.next_id;
        self.next_id += 1;
        if self.closed {
            queue.close();
        } else if let Some(queues) = self.by_prefix.get_mut(prefix) {
            queues.insert(id, Arc::clone(&queue));
        } else {
            self.by_prefix
                .insert(prefix.into(), BTreeMap::from([(id, Arc::clone(&queue))]));
        }
        (id, queue)
    }
}
