//! Whether a connection has requests at work, and things that last as long as an answer does.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::watch;

use crate::answer::Answer;

/// Counts the requests at work on one connection.
pub(crate) struct Activity {
    at_work: watch::Sender<usize>,
}

/// One request at work, until it is dropped.
pub(crate) struct AtWork(watch::Sender<usize>);

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            at_work: watch::Sender::new(0),
        }
    }

    pub(crate) fn enter(&self) -> AtWork {
        self.at_work.send_modify(|count| *count += 1);
        AtWork(self.at_work.clone())
    }

    /// Returns once nothing has been at work for this long.
    pub(crate) async fn idle(&self, time: Duration) {
        let mut count = self.at_work.subscribe();
        // Its sender is in `self`: it cannot be closed here.
        while count.wait_for(|count| *count == 0).await.is_ok() {
            if tokio::time::timeout(time, count.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
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
