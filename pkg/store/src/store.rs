//! The store as its users hold it.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::committer::Message;
use crate::hub::{Hub, State};
use crate::{
    CommitError, Committed, Compacted, Entry, OpenError, Options, Recovery, Transaction, Watch,
};

/// A store; cheap to clone, every clone is the same store. It closes when the last clone goes.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Arc<Hub>,
    /// `None` once the last clone is being dropped.
    sender: Option<Sender<Message>>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

/// Every entry as it stood at one revision.
#[derive(Clone)]
pub struct Snapshot {
    state: Arc<State>,
}

impl Store {
    /// Opens or makes the store. Blocking: for start-up, outside the runtime or in `spawn_blocking`.
    pub fn open(options: &Options) -> Result<(Self, Recovery), OpenError> {
        crate::open::open(options)
    }

    pub(crate) fn new(hub: Arc<Hub>, sender: Sender<Message>, committer: JoinHandle<()>) -> Self {
        Self {
            inner: Arc::new(Inner {
                hub,
                sender: Some(sender),
                committer: Mutex::new(Some(committer)),
            }),
        }
    }

    /// The latest visible revision. The first object is written at revision 2 or later; never 0.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.inner.hub.state().revision
    }

    /// The entry at `key` now.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Arc<Entry>> {
        self.inner.hub.state().entries.get(key).cloned()
    }

    /// Everything as it is now; constant time.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.inner.hub.state(),
        }
    }

    /// Applies a transaction wholly or not at all; answers once it is durable and visible.
    ///
    /// A transaction that changes nothing gets no revision of its own: it is answered with the latest. When
    /// the returned future is dropped, the transaction happens all the same. After
    /// [`CommitError::Engine`] nothing of it is visible, but where the disk failed in the middle it may yet
    /// turn out to be durable, and is then visible with a later commit.
    pub async fn commit(&self, transaction: Transaction) -> Result<Committed, CommitError> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Commit {
            transaction,
            answer,
        })?;
        answered.await.map_err(|_| CommitError::Closed)?
    }

    /// Events under `prefix` with a revision above `after`.
    pub fn watch(&self, prefix: &str, after: u64) -> Result<Watch, Compacted> {
        let (id, queue) = self.inner.hub.watch(prefix, after)?;
        Ok(Watch::new(
            Arc::clone(&self.inner.hub),
            prefix,
            after,
            id,
            queue,
        ))
    }

    /// A snapshot and a watch that begins exactly where the snapshot ends.
    #[must_use]
    pub fn snapshot_and_watch(&self, prefix: &str) -> (Snapshot, Watch) {
        let (state, id, queue) = self.inner.hub.snapshot_and_watch(prefix);
        let after = state.revision;
        (
            Snapshot { state },
            Watch::new(Arc::clone(&self.inner.hub), prefix, after, id, queue),
        )
    }

    /// Writes what waits, the snapshot file too, and closes the engine. Later commits fail.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.send(Message::Close { done }).is_ok() {
            // An error says that the committer ended already.
            let _ = closed.await;
        }
    }

    fn send(&self, message: Message) -> Result<(), CommitError> {
        let sender = self.inner.sender.as_ref().ok_or(CommitError::Closed)?;
        sender.send(message).map_err(|_| CommitError::Closed)
    }
}

impl Drop for Inner {
    /// Waits for the committer, so that the store can be opened again at once.
    fn drop(&mut self) {
        self.sender = None;
        let committer = self
            .committer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(committer) = committer {
            // A panic of the committer has been reported where it happened.
            let _ = committer.join();
        }
    }
}

impl Snapshot {
    /// The revision that it shows.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.state.revision
    }

    /// The entry at `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Arc<Entry>> {
        self.state.entries.get(key).cloned()
    }

    /// Entries whose key begins with `prefix`, in key order, beginning after `after` when given.
    pub fn range<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = Arc<Entry>> + 'a {
        self.state.entries.range(prefix, after).cloned()
    }
}
