//! Whether a connection has requests at work, and things that last as long as an answer does.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::answer::Answer;

/// Counts the requests at work on one connection. A request wakes nobody by coming or going: only when
/// [`Activity::idle`] found one at work is it told of the end of the last.
pub(crate) struct Activity(Arc<Count>);

struct Count {
    at_work: AtomicUsize,
    /// When the last one ended.
    quiet_since: Mutex<Instant>,
    /// True while somebody waits for the last one to end.
    awaited: AtomicBool,
    ended: Notify,
}

/// One request at work, until it is dropped.
pub(crate) struct AtWork(Arc<Count>);

impl Activity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Count {
            at_work: AtomicUsize::new(0),
            quiet_since: Mutex::new(Instant::now()),
            awaited: AtomicBool::new(false),
            ended: Notify::new(),
        }))
    }

    pub(crate) fn enter(&self) -> AtWork {
        self.0.at_work.fetch_add(1, Ordering::SeqCst);
        AtWork(Arc::clone(&self.0))
    }

    /// Returns once nothing has been at work for this long.
    pub(crate) async fn idle(&self, time: Duration) {
        let count = &self.0;
        loop {
            count.awaited.store(true, Ordering::SeqCst);
            if count.at_work.load(Ordering::SeqCst) > 0 {
                count.ended.notified().await;
                continue;
            }
            count.awaited.store(false, Ordering::SeqCst);
            let over = count.quiet_since() + time;
            if over <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(over).await;
        }
    }
}

impl Count {
    fn quiet_since(&self) -> Instant {
        *self
            .quiet_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let count = &self.0;
        *count
            .quiet_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if count.at_work.fetch_sub(1, Ordering::SeqCst) == 1 && count.awaited.load(Ordering::SeqCst)
        {
            count.ended.notify_one();
        }
    }
}

/// The answer, with something that is dropped when its body was sent or given up.
pub(crate) fn hold<T: Send + Unpin + 'static>(answer: Answer, held: T) -> Answer {
    answer.map(|body| Body::new(Held { body, _held: held }))
}

struct Held<T> {
    body: Body,
    _held: T,
}

impl<T: Unpin> HttpBody for Held<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_is_counted_from_the_end_of_the_last_answer() {
        let activity = Activity::new();
        let time = Duration::from_secs(90);
        let answer = hold(Answer::default(), activity.enter());
        assert!(
            tokio::time::timeout(time * 10, activity.idle(time))
                .await
                .is_err()
        );
        let begun = tokio::time::Instant::now();
        tokio::join!(activity.idle(time), async {
            tokio::time::sleep(time / 2).await;
            drop(answer);
        });
        assert_eq!(begun.elapsed(), time + time / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_between_begins_the_time_anew() {
        let activity = Activity::new();
        let time = Duration::from_secs(90);
        let begun = tokio::time::Instant::now();
        tokio::join!(activity.idle(time), async {
            tokio::time::sleep(time / 2).await;
            drop(activity.enter());
        });
        assert_eq!(begun.elapsed(), time + time / 2);
    }
}
