//! A stream of events under a prefix.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::hub::Hub;
use crate::queue::Queue;
use crate::{Event, Lagged};

/// What a watch gives: an event, or `None` once the store is closed.
pub type Told = Result<Option<Arc<Event>>, Lagged>;

/// A stream of events under a prefix, in order of revision, none left out.
pub struct Watch {
    hub: Arc<Hub>,
    prefix: Box<str>,
    id: u64,
    queue: Arc<Queue>,
    after: u64,
}

impl Watch {
    pub(crate) fn new(hub: Arc<Hub>, prefix: &str, after: u64, id: u64, queue: Arc<Queue>) -> Self {
        Self {
            hub,
            prefix: prefix.into(),
            id,
            queue,
            after,
        }
    }

    /// The next event; waits. `Ok(None)` when the store closed.
    ///
    /// Cancel safe: an event is lost to nobody when the returned future is dropped.
    pub async fn next(&mut self) -> Told {
        poll_fn(|context| self.queue.poll(context)).await
    }

    /// The same for who waits for several at once: the next event of the first that has one, and its place among them. Where
    /// there is none, the context's task is woken once there is.
    pub fn poll_first<'a>(
        watches: impl IntoIterator<Item = &'a mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<(usize, Told)> {
        for (place, watch) in watches.into_iter().enumerate() {
            if let Poll::Ready(event) = watch.queue.poll(context) {
                return Poll::Ready((place, event));
            }
        }
        Poll::Pending
    }

    /// An event that is here already, without waiting.
    pub fn try_next(&mut self) -> Told {
        match self.queue.pop() {
            Poll::Ready(told) => told,
            Poll::Pending => Ok(None),
        }
    }

    /// The revision up to which every event was handed out: what a bookmark may say.
    #[must_use]
    pub fn revision(&self) -> u64 {
        // In this order: what is delivered later may be in the queue but is not counted.
        let delivered = self.hub.delivered();
        let handed_out = self.queue.first().map_or(delivered, |first| first - 1);
        handed_out.max(self.after)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.hub.unwatch(&self.prefix, self.id);
    }
}
