//! Some kinds of another server as a feed: one reflector a kind, merged.

use kedge_machinery::Status;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Remote;
use super::reflector::{Reflector, Told};
use crate::{BoxFuture, Change, Feed, Resource, last_of_each};

/// Batches on their way from a reflector: a reader that is busy lets the server wait, not memory grow.
const AHEAD: usize = 64;

/// See [`Feed`]. A server that is away is waited for: the feed never fails.
pub(super) struct RemoteFeed {
    remote: Remote,
    resources: Vec<Resource>,
    running: Option<Running>,
}

struct Running {
    told: mpsc::Receiver<Told>,
    /// Ends its tasks with the feed.
    _reflectors: JoinSet<()>,
    /// Kinds that have not told all yet, and what the others told until they have.
    missing: usize,
    changes: Vec<Change>,
}

impl RemoteFeed {
    pub(super) fn new(remote: Remote, resources: &[Resource]) -> Self {
        Self {
            remote,
            resources: resources.to_vec(),
            running: None,
        }
    }
}

impl Feed for RemoteFeed {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Vec<Change>, Status>> {
        let running = self
            .running
            .get_or_insert_with(|| Running::start(&self.remote, &self.resources));
        Box::pin(running.next())
    }
}

impl Running {
    fn start(remote: &Remote, resources: &[Resource]) -> Self {
        let (sender, told) = mpsc::channel(AHEAD);
        let mut reflectors = JoinSet::new();
        for resource in resources {
            let reflector = Reflector::new(remote.clone(), *resource, sender.clone());
            reflectors.spawn(reflector.run());
        }
        Self {
            told,
            _reflectors: reflectors,
            missing: resources.len(),
            changes: Vec::new(),
        }
    }

    /// What is here, waited for; the first time, until every kind has told all. May be dropped and called again.
    async fn next(&mut self) -> Result<Vec<Change>, Status> {
        loop {
            let mut told = Vec::new();
            if self.told.recv_many(&mut told, AHEAD).await == 0 {
                return Err(Status::internal("nobody follows the API server any more"));
            }
            for told in told {
                self.changes.extend(match told {
                    Told::All(changes) => {
                        self.missing -= 1;
                        changes
                    }
                    Told::Some(changes) => changes,
                });
            }
            if self.missing == 0 {
                return Ok(last_of_each(std::mem::take(&mut self.changes)));
            }
        }
    }
}
