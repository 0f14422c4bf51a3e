//! A feed that may be waited for beside other things.

use kedge_client::{Change, Feed, Resource, SharedClient};
use kedge_machinery::Status;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// A feed, read by a task of its own: a feed does not promise to survive a wait that is broken off, and this does.
/// Ends when it is dropped.
pub(crate) struct Follow {
    batches: mpsc::Receiver<Result<Vec<Change>, Status>>,
    task: AbortHandle,
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follow {
    pub(crate) fn start(client: &SharedClient, resources: &[Resource]) -> Self {
        Self::of(client.feed(resources))
    }

    /// With every custom resource.
    pub(crate) fn start_with_custom(client: &SharedClient, resources: &[Resource]) -> Self {
        Self::of(client.feed_with_custom(resources))
    }

    fn of(feed: Box<dyn Feed>) -> Self {
        let (sender, batches) = mpsc::channel(1);
        let task = tokio::spawn(read(feed, sender)).abort_handle();
        Self { batches, task }
    }

    /// The next batch. An error is the last of what comes.
    pub(crate) async fn next(&mut self) -> Result<Vec<Change>, Status> {
        let ended = || Status::new(503, "ServiceUnavailable", "the feed ended");
        self.batches.recv().await.unwrap_or_else(|| Err(ended()))
    }
}

async fn read(mut feed: Box<dyn Feed>, sender: mpsc::Sender<Result<Vec<Change>, Status>>) {
    loop {
        let batch = feed.next_batch().await;
        let last = batch.is_err();
        if sender.send(batch).await.is_err() || last {
            return;
        }
    }
}
