//! When to try again what failed for a reason that no event will lift.

use std::collections::BTreeSet;
use std::time::Duration;

use kedge_client::ObjectKey;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(60);

/// What failed, and how long to wait: doubling up to [`LAST`], back to [`FIRST`] after a round without a failure.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    failed: BTreeSet<ObjectKey>,
    due: Option<Instant>,
    delay: Duration,
}

impl Retry {
    pub(crate) fn later(&mut self, about: ObjectKey, now: Instant) {
        self.failed.insert(about);
        if self.due.is_none() {
            self.delay = (self.delay * 2).clamp(FIRST, LAST);
            self.due = Some(now + self.delay);
        }
    }

    /// A round went without a failure.
    pub(crate) fn calm(&mut self) {
        if self.due.is_none() {
            self.delay = Duration::ZERO;
        }
    }

    /// What is to be tried again, now that [`Self::due`] has come.
    pub(crate) fn take(&mut self) -> BTreeSet<ObjectKey> {
        self.due = None;
        std::mem::take(&mut self.failed)
    }

    /// Waits until something is due; for ever where nothing failed.
    pub(crate) async fn due(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use kedge_client::Resource;

    use super::*;
    use crate::engine::key;

    #[test]
    fn the_delay_doubles_and_is_forgotten_after_a_calm_round() {
        let mut retry = Retry::default();
        let start = Instant::now();
        let mut delays = Vec::new();
        for _ in 0..8 {
            retry.later(key(Resource::PODS, "a", "b"), start);
            retry.later(key(Resource::PODS, "a", "c"), start);
            delays.push((retry.due.unwrap() - start).as_secs());
            retry.calm();
            assert_eq!(retry.take().len(), 2);
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
        retry.calm();
        retry.later(key(Resource::PODS, "a", "b"), start);
        assert_eq!((retry.due.unwrap() - start).as_secs(), 1);
    }
}
