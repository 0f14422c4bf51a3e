//! The events that wait for one watch.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::{Event, Lagged};

/// Events that may wait at least, however small the window.
const MIN_WAITING: usize = 1024;
/// Bytes of values that one slow watch may keep from being freed.
const MAX_BYTES: usize = 16 << 20;

#[derive(Debug)]
pub(crate) struct Queue {
    /// Events up to and with this revision are not wanted.
    after: u64,
    limit: usize,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// How many waited when the watch was cut off, and the revision of the first of them.
    lagged: Option<(usize, u64)>,
    closed: bool,
}

/// What a look into the queue finds.
#[derive(Debug)]
pub(crate) enum Next {
    Event(Arc<Event>),
    Nothing,
    Closed,
}

impl Queue {
    /// A queue that holds `missed` and room for as many again, or for [`MIN_WAITING`].
    pub fn new(after: u64, missed: Vec<Arc<Event>>, window: usize) -> Self {
        let limit = missed.len() + window.max(MIN_WAITING);
        let bytes = missed.iter().map(|event| event.entry().value.len()).sum();
        let waiting = Waiting {
            events: missed.into(),
            bytes,
            ..Waiting::default()
        };
        Self {
            after,
            limit,
            waiting: Mutex::new(waiting),
            arrived: Notify::new(),
        }
    }

    /// Adds an event; `false` when the watch is cut off and wants no more.
    pub fn push(&self, event: &Arc<Event>) -> bool {
        if event.revision <= self.after {
            return true;
        }
        let mut waiting = self.waiting();
        let too_many = waiting.events.len() >= self.limit;
        let too_large = waiting.bytes > MAX_BYTES;
        if too_many || too_large {
            let events = std::mem::take(&mut waiting.events);
            let first = events
                .front()
                .map_or(event.revision, |first| first.revision);
            waiting.lagged = Some((events.len() + 1, first));
        } else {
            waiting.bytes += event.entry().value.len();
            waiting.events.push_back(Arc::clone(event));
        }
        let kept = waiting.lagged.is_none();
        drop(waiting);
        self.arrived.notify_one();
        kept
    }

    /// No more events will come.
    pub fn close(&self) {
        self.waiting().closed = true;
        self.arrived.notify_one();
    }

    pub fn pop(&self) -> Result<Next, Lagged> {
        let mut waiting = self.waiting();
        if let Some((events, _)) = waiting.lagged {
            return Err(Lagged(events));
        }
        match waiting.events.pop_front() {
            Some(event) => {
                waiting.bytes -= event.entry().value.len();
                if waiting.events.is_empty() {
                    // A burst is over: give its memory back.
                    waiting.events.shrink_to(16);
                }
                Ok(Next::Event(event))
            }
            None if waiting.closed => Ok(Next::Closed),
            None => Ok(Next::Nothing),
        }
    }

    /// Waits for the next thing to look at.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// The revision of the first event that was not handed out.
    pub fn first(&self) -> Option<u64> {
        let waiting = self.waiting();
        waiting
            .lagged
            .map(|(_, first)| first)
            .or_else(|| waiting.events.front().map(|event| event.revision))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
