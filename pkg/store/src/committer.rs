//! The one thread that writes.
//!
//! It takes all transactions that wait, works them out one after the other, writes them, makes all of them
//! durable at once, publishes them, and then answers everybody. While it waits for the disk, the next batch gathers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::backup::Backup;
use crate::engine::Engine;
use crate::folder::Folder;
use crate::hub::Hub;
use crate::load::{Loaded, caught, load};
use crate::prepare::{Answer, Prepared, prepare};
use crate::record::Totals;
use crate::{CommitError, EngineKind, Event, EventKind, Transaction};

/// Transactions that share one flush at most.
const MAX_TRANSACTIONS: usize = 1024;
/// Bytes of values that share one flush at most, one transaction excepted.
const MAX_BYTES: usize = 4 << 20;
/// Bytes of the file system that puts leave free, so that deletes still can be written. Neither engine takes an
/// `ENOSPC` in the middle of a write well, so it must not come to that.
const KEEP_FREE: u64 = 16 << 20;
/// After the engine failed, it is opened anew at most this often.
const RETRY_AFTER: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 5 });

pub(crate) enum Message {
    Commit {
        transaction: Transaction,
        answer: oneshot::Sender<Answer>,
    },
    Close {
        done: oneshot::Sender<()>,
    },
}

pub(crate) struct Committer {
    pub receiver: Receiver<Message>,
    pub hub: Arc<Hub>,
    pub folder: Arc<Folder>,
    pub kind: EngineKind,
    pub engine: Health,
    /// Of what the engine holds.
    pub totals: Totals,
    pub backup: Backup,
}

/// The engine, or what became of it.
pub(crate) enum Health {
    Works(Box<dyn Engine>),
    /// A write failed, so that nobody knows whether `pending` is in it.
    Failed {
        why: String,
        since: Instant,
        pending: Box<Prepared>,
    },
}

/// What made the committer wake up.
enum Wake {
    Commit(Transaction, oneshot::Sender<Answer>),
    Sync,
    Close(Option<oneshot::Sender<()>>),
}

impl Committer {
    /// Serves until the store is closed or nobody holds it any more.
    pub fn run(mut self) {
        let done = loop {
            match self.wait() {
                Wake::Sync => self.backup.sync(),
                Wake::Close(done) => break done,
                Wake::Commit(transaction, answer) => {
                    if let Some(done) = self.serve(transaction, answer) {
                        break Some(done);
                    }
                }
            }
        };
        let Self {
            hub,
            folder,
            engine,
            receiver,
            backup,
            ..
        } = self;
        backup.close(&hub.state());
        if let Health::Works(engine) = engine
            && let Err(error) = caught(|| engine.close())
        {
            tracing::error!(path = %folder.path().display(), error, "closing the store");
        }
        hub.close();
        // Gives the lock back before anybody is told that it is free.
        drop(folder);
        // Whoever waits is told by the loss of the channel that the store is closed.
        drop(receiver);
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    /// Sleeps until there is something to do; without a deadline unless the journal has changes that
    /// only the kernel has.
    fn wait(&self) -> Wake {
        let received = match self.backup.sync_at() {
            None => self.receiver.recv().map_err(RecvTimeoutError::from),
            Some(at) => self
                .receiver
                .recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match received {
            Ok(Message::Commit {
                transaction,
                answer,
            }) => Wake::Commit(transaction, answer),
            Ok(Message::Close { done }) => Wake::Close(Some(done)),
            Err(RecvTimeoutError::Timeout) => Wake::Sync,
            Err(RecvTimeoutError::Disconnected) => Wake::Close(None),
        }
    }

    /// Commits this transaction and all others that wait. The sender of a `Close` that came behind them.
    fn serve(
        &mut self,
        first: Transaction,
        answer: oneshot::Sender<Answer>,
    ) -> Option<oneshot::Sender<()>> {
        let mut bytes = first.weight();
        let (mut transactions, mut answers) = (vec![first], vec![answer]);
        let mut close = None;
        while transactions.len() < MAX_TRANSACTIONS && bytes < MAX_BYTES {
            match self.receiver.try_recv() {
                Ok(Message::Commit {
                    transaction,
                    answer,
                }) => {
                    bytes += transaction.weight();
                    transactions.push(transaction);
                    answers.push(answer);
                }
                Ok(Message::Close { done }) => {
                    close = Some(done);
                    break;
                }
                Err(_) => break,
            }
        }
        let results = self.commit(&transactions);
        for (answer, result) in answers.into_iter().zip(results) {
            // Whoever no longer waits for the answer does not want it.
            let _ = answer.send(result);
        }
        // Under a steady stream of commits the deadline would else never be looked at.
        if self.backup.sync_at().is_some_and(|at| at <= Instant::now()) {
            self.backup.sync();
        }
        close
    }

    fn commit(&mut self, transactions: &[Transaction]) -> Vec<Answer> {
        let refuse = |why: String| {
            transactions
                .iter()
                .map(|_| Err(CommitError::Engine(why.clone())))
                .collect()
        };
        if let Err(why) = self.heal() {
            return refuse(why);
        }
        let excess = self.hub.excess();
        let (answers, prepared) = prepare(&self.hub.state(), self.totals, &excess, transactions);
        drop(excess);
        let Some(prepared) = prepared else {
            return answers;
        };
        if let Err(why) = self.write(prepared) {
            // Nothing of it may be seen, not even in a condition that failed because of a neighbour in the batch.
            return refuse(why);
        }
        answers
    }

    fn write(&mut self, prepared: Prepared) -> Result<(), String> {
        self.room(&prepared)?;
        let Health::Works(engine) = &mut self.engine else {
            return Err("the engine failed".into());
        };
        if let Err(why) = caught(|| engine.write(&prepared.batches)) {
            let path = self.folder.path().display();
            tracing::error!(%path, error = why, "writing the store; it will be opened anew");
            let failed = Health::Failed {
                why: why.clone(),
                since: Instant::now(),
                pending: Box::new(prepared),
            };
            let engine = std::mem::replace(&mut self.engine, failed);
            // It may hang in letting go of its files. Opening it anew waits for that, and not for ever.
            let _ = std::thread::Builder::new()
                .name("failed".into())
                .spawn(move || drop(engine));
            return Err(why);
        }
        self.publish(prepared);
        Ok(())
    }

    fn publish(&mut self, prepared: Prepared) {
        let records = prepared.records().collect::<Vec<_>>().concat();
        let Prepared {
            state,
            totals,
            events,
            ..
        } = prepared;
        self.backup.append(&records, &events, &state);
        self.totals = totals;
        self.hub.publish(state, events, totals.compacted);
    }

    /// Refuses what the file system has no room for, while the engine is still well.
    fn room(&self, prepared: &Prepared) -> Result<(), String> {
        let path = self.folder.path().display();
        let free = self
            .folder
            .free()
            .map_err(|error| format!("{path}: {error}"))?;
        let bytes: usize = prepared.records().map(<[u8]>::len).sum();
        let deletes = |event: &Arc<Event>| matches!(event.kind, EventKind::Delete(_));
        let keep = if prepared.events.iter().all(deletes) {
            KEEP_FREE / 2
        } else {
            KEEP_FREE
        };
        if free >= keep + 4 * bytes as u64 {
            return Ok(());
        }
        let free = free >> 20;
        Err(format!(
            "{path}: only {free} MiB free on this file system: free some, then try again"
        ))
    }

    /// Opens a failed engine anew and finds out what became of its last batch.
    fn heal(&mut self) -> Result<(), String> {
        let Health::Failed {
            why,
            since,
            pending,
        } = &mut self.engine
        else {
            return Ok(());
        };
        if since.elapsed() < RETRY_AFTER {
            return Err(why.clone());
        }
        *since = Instant::now();
        match load(self.kind, &self.folder.engine(self.kind), 1) {
            Ok(Loaded::Sound { engine, totals, .. }) if totals == self.totals => {
                self.engine = Health::Works(engine);
            }
            Ok(Loaded::Sound {
                mut engine, totals, ..
            }) => {
                let Some(rest) = pending.rest(totals) else {
                    *why = format!(
                        "the engine came back at revision {}; restart to recover",
                        totals.revision
                    );
                    return Err(why.clone());
                };
                // Some of it was durable after all, so all of it shall be. Who waited was told of an error; a watch tells what is.
                if !rest.is_empty()
                    && let Err(again) = caught(|| engine.write(rest))
                {
                    *why = again;
                    return Err(why.clone());
                }
                if let Health::Failed { pending, .. } =
                    std::mem::replace(&mut self.engine, Health::Works(engine))
                {
                    self.publish(*pending);
                }
            }
            Ok(Loaded::Damaged(salvage)) => {
                *why = format!("{}; restart to recover", salvage.why);
                return Err(why.clone());
            }
            Err(error) => {
                *why = error.to_string();
                return Err(why.clone());
            }
        }
        // What the kernel could not write once it may believe to have written: have all of it once more.
        self.backup.renew();
        tracing::info!(path = %self.folder.path().display(), "the store can be written again");
        Ok(())
    }
}
