//! A stream of events under a prefix.

use std::sync::Arc;

use crate::hub::Hub;
use crate::queue::{Next, Queue};
use crate::{Event, Lagged};

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
    pub async fn next(&mut self) -> Result<Option<Arc<Event>>, Lagged> {
        loop {
            match self.queue.pop()? {
                Next::Event(event) => return Ok(Some(event)),
                Next::Closed => return Ok(None),
                Next::Nothing => self.queue.arrived().await,
            }
        }
    }

    /// An event that is here already, without waiting.
    pub fn try_next(&mut self) -> Result<Option<Arc<Event>>, Lagged> {
        Ok(match self.queue.pop()? {
            Next::Event(event) => Some(event),
            Next::Nothing | Next::Closed => None,
        })
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
