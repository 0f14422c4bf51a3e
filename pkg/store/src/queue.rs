//! The events that wait for one watch.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::{Event, Lagged, Told};

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
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// How many waited when the watch was cut off, and the revision of the first of them.
    lagged: Option<(usize, u64)>,
    closed: bool,
    /// Who found nothing, to be told of the next thing to look at.
    waker: Option<Waker>,
}

impl Waiting {
    /// Pending while there is nothing to look at.
    fn pop(&mut self) -> Poll<Told> {
        if let Some((events, _)) = self.lagged {
            return Poll::Ready(Err(Lagged(events)));
        }
        match self.events.pop_front() {
            Some(event) => {
                self.bytes -= event.entry().size();
                if self.events.is_empty() {
                    // A burst is over: give its memory back.
                    self.events.shrink_to(16);
                }
                Poll::Ready(Ok(Some(event)))
            }
            None if self.closed => Poll::Ready(Ok(None)),
            None => Poll::Pending,
        }
    }
}

/// Lets go of the queue, then wakes who waits for it.
fn wake(mut waiting: MutexGuard<'_, Waiting>) {
    let waker = waiting.waker.take();
    drop(waiting);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Queue {
    /// A queue that holds `missed` and room for as many again, or for [`MIN_WAITING`].
    pub fn new(after: u64, missed: Vec<Arc<Event>>, window: usize) -> Self {
        let limit = missed.len() + window.max(MIN_WAITING);
        let bytes = missed.iter().map(|event| event.entry().size()).sum();
        let waiting = Waiting {
            events: missed.into(),
            bytes,
            ..Waiting::default()
        };
        Self {
            after,
            limit,
            waiting: Mutex::new(waiting),
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
            waiting.bytes += event.entry().size();
            waiting.events.push_back(Arc::clone(event));
        }
        let kept = waiting.lagged.is_none();
        wake(waiting);
        kept
    }

    /// No more events will come.
    pub fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        wake(waiting);
    }

    /// The next thing to look at, if there is one.
    pub fn pop(&self) -> Poll<Told> {
        self.waiting().pop()
    }

    /// The same; where there is none, who asks is woken once there is. One asks at a time.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<Told> {
        let mut waiting = self.waiting();
        let next = waiting.pop();
        if next.is_pending() {
            match &mut waiting.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
        }
        next
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
