//! Events about objects, written sparingly: each is a write to flash, and nobody may be there to read it.

mod aggregate;
mod prune;

use std::sync::Arc;

use jiff::Timestamp;
use kedge_client::{ObjectKey, Resource, SharedClient};
use kedge_machinery::{Object, Status, time};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::debug;

use crate::engine::key;
use aggregate::{Aggregate, Verdict};

/// Events that wait to be written; more are dropped, and counted by nobody.
const BACKLOG: usize = 256;

/// What an Event is about: `involvedObject`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct About {
    pub api_version: String,
    pub kind: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// `type` of an Event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    Normal,
    Warning,
}

impl EventType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Occurrence {
    about: About,
    kind: EventType,
    reason: &'static str,
    message: String,
}

/// Takes note of what happened and writes Events of it, in a task of its own.
#[derive(Debug, Clone)]
pub struct Recorder {
    sender: mpsc::Sender<Occurrence>,
}

impl Recorder {
    /// Starts the task, which ends with the last clone. `component` is who reports (`source.component`).
    #[must_use]
    pub fn start(client: SharedClient, component: impl Into<Arc<str>>) -> Self {
        let (sender, occurrences) = mpsc::channel(BACKLOG);
        let component = component.into();
        tokio::spawn(
            Writer {
                client,
                component,
                aggregate: Aggregate::default(),
            }
            .run(occurrences),
        );
        Self { sender }
    }

    /// Notes an occurrence. Never waits.
    pub fn record(
        &self,
        about: &About,
        kind: EventType,
        reason: &'static str,
        message: impl Into<String>,
    ) {
        let occurrence = Occurrence {
            about: about.clone(),
            kind,
            reason,
            message: message.into(),
        };
        if let Err(error) = self.sender.try_send(occurrence) {
            debug!("an Event is not written: {error}");
        }
    }
}

struct Writer {
    client: SharedClient,
    component: Arc<str>,
    aggregate: Aggregate,
}

impl Writer {
    async fn run(mut self, mut occurrences: mpsc::Receiver<Occurrence>) {
        while let Some(occurrence) = occurrences.recv().await {
            let Verdict::Write { name, count, first } =
                self.aggregate.note(&occurrence, std::time::Instant::now())
            else {
                continue;
            };
            if let Err(status) = self.write(&occurrence, &name, count, first).await {
                debug!(
                    "cannot write an Event about {} {}: {status}",
                    occurrence.about.kind, occurrence.about.name
                );
            }
        }
    }

    /// Makes the Event, or counts up the one that is there, be it from before a restart.
    async fn write(
        &self,
        occurrence: &Occurrence,
        name: &str,
        count: u64,
        first: bool,
    ) -> Result<(), Status> {
        let now = Timestamp::now();
        let key = key(Resource::EVENTS, namespace(&occurrence.about), name);
        if first {
            let created = self
                .client
                .create(
                    Resource::EVENTS,
                    event(occurrence, &key, &self.component, now),
                )
                .await;
            match created {
                Ok(_) => return self.prune(&key.namespace, now).await,
                Err(status) if status.is_already_exists() => {}
                Err(status) => return Err(status),
            }
        }
        match self.client.get(&key).await {
            Ok(event) => self
                .client
                .update(Resource::EVENTS, "", counted(event, count, now))
                .await
                .map(|_| ()),
            Err(status) if status.is_not_found() => {
                let event = counted(
                    event(occurrence, &key, &self.component, now),
                    count - 1,
                    now,
                );
                self.client
                    .create(Resource::EVENTS, event)
                    .await
                    .map(|_| ())
            }
            Err(status) => Err(status),
        }
    }

    /// Takes old Events away whenever a new one came: nothing has to wake up for that, and they stay bounded.
    async fn prune(&self, namespace: &str, now: Timestamp) -> Result<(), Status> {
        let events = self.client.list(Resource::EVENTS, namespace).await?;
        for (name, uid) in prune::surplus(&events, now) {
            match self
                .client
                .delete(&key(Resource::EVENTS, namespace, &name), Some(&uid))
                .await
            {
                Err(status) if !status.is_not_found() && !status.is_conflict() => {
                    return Err(status);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where the Event lives: with its object, or in `default`.
fn namespace(about: &About) -> &str {
    if about.namespace.is_empty() {
        "default"
    } else {
        &about.namespace
    }
}

fn event(occurrence: &Occurrence, key: &ObjectKey, component: &str, now: Timestamp) -> Object {
    let About {
        api_version,
        kind,
        namespace,
        name,
        uid,
    } = &occurrence.about;
    let mut involved = json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": uid});
    if !namespace.is_empty() {
        involved["namespace"] = json!(namespace);
    }
    let now = time::rfc3339(now);
    Object::from_value(json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": key.name, "namespace": key.namespace},
        "involvedObject": involved,
        "type": occurrence.kind.as_str(),
        "reason": occurrence.reason,
        "message": occurrence.message,
        "source": {"component": component},
        "reportingComponent": component,
        "firstTimestamp": now, "lastTimestamp": now,
        "count": 1,
    }))
    .unwrap_or_default()
}

/// The Event after it happened `more` times since it was written last.
fn counted(mut event: Object, more: u64, now: Timestamp) -> Object {
    let count = event.0.get("count").and_then(Value::as_u64).unwrap_or(1);
    event
        .0
        .insert("count".into(), count.saturating_add(more).into());
    event
        .0
        .insert("lastTimestamp".into(), time::rfc3339(now).into());
    event
}

#[cfg(test)]
mod tests;
