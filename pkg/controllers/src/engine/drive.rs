//! The loop that every controller runs in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use kedge_client::Json;
use kedge_client::{Change, ObjectKey, SharedClient};
use kedge_machinery::{Object, Status};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::follow::Follow;
use super::own_writes::OwnWrites;
use super::retry::Retry;
use super::{Action, Reconcile, Write, key};

/// Writes under way at once: the store puts those that wait together into one flush.
const CONCURRENT: usize = 32;

/// How often a round serves one object. What wants to write again after that does not settle: the server makes something else
/// of what it is given, and must not be given it in a circle.
const STEPS: u32 = 3;

/// How long to leave a feed alone that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs a controller for ever. When its feed fails, what it knows is worthless, and it is made anew.
pub(crate) async fn supervise<R: Reconcile>(client: SharedClient, make: impl Fn() -> R + Send) {
    loop {
        let failure = drive(make(), &client).await;
        warn!(
            controller = R::NAME,
            "lost its view of the objects: {failure}; starting over"
        );
        tokio::time::sleep(PAUSE).await;
    }
}

/// Runs a controller until its feed fails.
async fn drive<R: Reconcile>(controller: R, client: &SharedClient) -> Status {
    let resources = controller.resources();
    let mut follow = match R::CUSTOM {
        true => Follow::start_with_custom(client, &resources),
        false => Follow::start(client, &resources),
    };
    let mut driver = Driver {
        controller,
        client,
        own: OwnWrites::default(),
        retry: Retry::default(),
    };
    match follow.next().await {
        Ok(state) => driver.observe(&state),
        Err(status) => return status,
    }
    loop {
        driver.round().await;
        tokio::select! {
            batch = follow.next() => match batch {
                Ok(batch) => driver.observe(&batch),
                Err(status) => return status,
            },
            () = driver.controller.changed() => {}
            () = driver.retry.due() => {
                for about in driver.retry.take() {
                    driver.controller.again(&about);
                }
            }
        }
    }
}

struct Driver<'a, R> {
    controller: R,
    client: &'a SharedClient,
    own: OwnWrites,
    retry: Retry,
}

impl<R: Reconcile> Driver<'_, R> {
    fn observe(&mut self, batch: &[Change]) {
        for change in batch {
            if !self.own.knows(change) {
                self.controller.observe(change);
            }
        }
    }

    /// Plans and writes until nothing is left to write.
    async fn round(&mut self) {
        let mut served: BTreeMap<ObjectKey, u32> = BTreeMap::new();
        loop {
            let writes = self.controller.plan(self.client, Timestamp::now()).await;
            let tired = |write: &Write| {
                served
                    .get(&write.about)
                    .is_some_and(|times| *times >= STEPS)
            };
            let (again, writes): (Vec<_>, Vec<_>) = writes.into_iter().partition(tired);
            for write in again {
                debug!(controller = R::NAME, about = ?write.about, "wants to write again");
                self.retry.later(write.about, Instant::now());
            }
            if writes.is_empty() {
                self.retry.calm();
                return;
            }
            for about in writes
                .iter()
                .map(|write| &write.about)
                .collect::<BTreeSet<_>>()
            {
                *served.entry(about.clone()).or_default() += 1;
            }
            let client = self.client;
            let mut answers = stream::iter(writes)
                .map(|write| async move {
                    let answer = perform(client, &write).await;
                    (write, answer)
                })
                .buffered(CONCURRENT);
            while let Some((write, answer)) = answers.next().await {
                self.take(write, answer);
            }
        }
    }

    fn take(&mut self, write: Write, answer: Result<Option<Object>, Status>) {
        match answer {
            Ok(Some(object)) => {
                let key = key(write.target.resource, object.namespace(), object.name());
                self.own.note(key.clone(), object.resource_version());
                let bytes = serde_json::to_vec(&object.into_value())
                    .ok()
                    .map(Json::from);
                self.controller.observe(&Change { key, object: bytes });
            }
            // The feed tells when it is gone: finalizers may hold it.
            Ok(None) => {}
            // What this was planned by is out of date; the feed brings what is newer.
            Err(status) if is_stale(&status, &write) => {
                debug!(controller = R::NAME, target = ?write.target, "{status}");
            }
            Err(status) => {
                warn!(
                    controller = R::NAME,
                    "cannot write {}: {status}; trying again",
                    name(&write.target)
                );
                self.retry.later(write.about, Instant::now());
            }
        }
    }
}

fn is_stale(status: &Status, write: &Write) -> bool {
    let ending = matches!(write.action, Action::Create(_)) && status.code == 403;
    status.is_conflict() || status.is_already_exists() || status.is_not_found() || ending
}

fn name(key: &ObjectKey) -> String {
    let separator = if key.namespace.is_empty() { "" } else { "/" };
    format!(
        "{} {}{separator}{}",
        key.resource.kind, key.namespace, key.name
    )
}

async fn perform(client: &SharedClient, write: &Write) -> Result<Option<Object>, Status> {
    let resource = write.target.resource;
    match &write.action {
        Action::Create(object) => client.create(resource, object.clone()).await.map(Some),
        Action::Update {
            subresource,
            object,
        } => client
            .update(resource, subresource, object.clone())
            .await
            .map(Some),
        Action::Apply { manager, object } => client
            .apply(resource, manager, object.clone())
            .await
            .map(Some),
        Action::Delete {
            uid,
            after_dependents,
        } => {
            let target = &write.target;
            let deleted = match after_dependents {
                true => client.delete_after_dependents(target, uid).await,
                false => client.delete(target, Some(uid)).await,
            };
            deleted.map(|()| None)
        }
    }
}
