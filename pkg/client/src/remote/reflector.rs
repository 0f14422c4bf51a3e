//! One kind, listed and then watched, for ever: a gap is bridged by another list, a server that is away is asked
//! again (client-go `tools/cache/reflector.go`).

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use kedge_machinery::Status;
use tokio::sync::mpsc;

use super::wire::{self, Event, Item, Lines};
use super::{JSON, Remote, path};
use crate::{Change, Json, ObjectKey, Resource};

/// Objects of a page: large enough to be few, small enough for a small machine.
const PAGE: u32 = 500;
/// How long until a server that gave no answer is asked again: doubles up to the second.
const RETRY: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How long a watch may last before it is begun anew, in seconds: a connection that died unnoticed is found out by it.
const WATCH_SECONDS: u32 = 600;

/// What a reflector says.
#[derive(Debug)]
pub(super) enum Told {
    /// Everything there is: the first word, once.
    All(Vec<Change>),
    Some(Vec<Change>),
}

/// A whole list.
#[derive(Debug, Default)]
pub(super) struct List {
    pub items: Vec<Item>,
    resource_version: String,
}

/// Everything of a kind, in pages of one revision.
///
/// # Errors
/// The server's refusal, 410 among them when the pages took longer than it keeps their revision; 503 when there is no answer.
pub(super) async fn list(
    remote: &Remote,
    resource: Resource,
    namespace: &str,
) -> Result<List, Status> {
    let path = path(resource, namespace, "", "");
    let mut list = List::default();
    let mut next = String::new();
    loop {
        let query = format!("{path}?limit={PAGE}{next}");
        let body = remote.ask(Method::GET, &query, JSON, "").await?;
        let page = wire::page(&body).map_err(|error| unreadable(resource, &error))?;
        list.items.extend(page.items);
        list.resource_version = page.resource_version;
        if page.next.is_empty() {
            return Ok(list);
        }
        next = format!("&continue={}", page.next);
    }
}

fn unreadable(resource: Resource, error: &serde_json::Error) -> Status {
    Status::internal(format!(
        "the server's answer about {} cannot be read: {error}",
        resource.plural
    ))
}

/// Follows one kind and tells of it.
pub(super) struct Reflector {
    remote: Remote,
    resource: Resource,
    told: mpsc::Sender<Told>,
    begun: bool,
    /// What was told, with its resource version: what a gap has hidden is found by it.
    known: HashMap<(String, String), String>,
    /// Whether what is wrong has been said.
    said: bool,
}

/// Nobody listens any more.
struct Over;

impl Reflector {
    pub(super) fn new(remote: Remote, resource: Resource, told: mpsc::Sender<Told>) -> Self {
        Self {
            remote,
            resource,
            told,
            begun: false,
            known: HashMap::new(),
            said: false,
        }
    }

    /// Runs until nobody listens.
    pub(super) async fn run(mut self) {
        let mut wait = RETRY;
        loop {
            let Ok(progress) = self.list_and_watch().await else {
                return;
            };
            // A server that serves is asked again at once; one that does not, later and later.
            wait = match progress {
                true => RETRY,
                false => (wait * 2).min(RETRY_MAX),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.told.closed() => return,
            }
        }
    }

    /// One list and the watches after it. Returns when another list is needed: true if anything was learnt meanwhile.
    async fn list_and_watch(&mut self) -> Result<bool, Over> {
        let list = match list(&self.remote, self.resource, "").await {
            Ok(list) => list,
            Err(status) => {
                self.say(&status);
                return Ok(false);
            }
        };
        let mut from = list.resource_version;
        let changes = self.bridge(list.items);
        if !std::mem::replace(&mut self.begun, true) {
            self.tell(Told::All(changes)).await?;
        } else if !changes.is_empty() {
            self.tell(Told::Some(changes)).await?;
        }
        if std::mem::take(&mut self.said) {
            tracing::info!("the API server tells of {} again", self.resource.plural);
        }
        let mut wait = RETRY;
        loop {
            let before = from.clone();
            match self.watch(&mut from).await? {
                Ok(()) => {}
                // Too old for a watch: a list is not.
                Err(status) if status.code == 410 => return Ok(true),
                Err(status) => self.say(&status),
            }
            wait = if from == before {
                (wait * 2).min(RETRY_MAX)
            } else {
                RETRY
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.told.closed() => return Err(Over),
            }
        }
    }

    /// One watch, from a revision that moves on with it, until its end.
    async fn watch(&mut self, from: &mut String) -> Result<Result<(), Status>, Over> {
        let query = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={from}",
            path(self.resource, "", "", ""),
        );
        let asked = self.remote.stream(Method::GET, &query, JSON, Bytes::new());
        let mut stream = match asked.await {
            Ok(stream) => stream,
            Err(status) => return Ok(Err(status)),
        };
        if std::mem::take(&mut self.said) {
            tracing::info!("the API server tells of {} again", self.resource.plural);
        }
        let mut lines = Lines::default();
        loop {
            let piece = tokio::select! {
                piece = stream.next() => piece,
                () = self.told.closed() => return Err(Over),
            };
            match piece {
                Ok(Some(piece)) => lines.push(&piece),
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(super::unreachable(error))),
            }
            let mut changes = Vec::new();
            let mut end = None;
            while let Some(line) = lines.next() {
                match wire::event(&line) {
                    Ok(Event::Put(item)) => {
                        from.clone_from(&item.resource_version);
                        changes.push(self.put(item));
                    }
                    Ok(Event::Delete(item)) => {
                        from.clone_from(&item.resource_version);
                        changes.push(self.gone(item.namespace, item.name));
                    }
                    Ok(Event::Bookmark(revision)) => *from = revision,
                    Ok(Event::Error(status)) => end = Some(status),
                    Err(error) => end = Some(unreadable(self.resource, &error)),
                }
            }
            if !changes.is_empty() {
                self.tell(Told::Some(changes)).await?;
            }
            if let Some(status) = end {
                return Ok(Err(status));
            }
        }
    }

    /// What differs between what was told and a list, deletions included.
    fn bridge(&mut self, items: Vec<Item>) -> Vec<Change> {
        let mut before = std::mem::take(&mut self.known);
        let mut changes = Vec::new();
        for item in items {
            let key = (item.namespace.clone(), item.name.clone());
            if before.remove(&key).as_ref() == Some(&item.resource_version) {
                self.known.insert(key, item.resource_version);
            } else {
                changes.push(self.put(item));
            }
        }
        let gone = before.into_keys();
        changes.extend(gone.map(|(namespace, name)| self.change(namespace, name, None)));
        changes
    }

    fn put(&mut self, item: Item) -> Change {
        let key = (item.namespace.clone(), item.name.clone());
        self.known.insert(key, item.resource_version);
        self.change(item.namespace, item.name, Some(item.json.into()))
    }

    fn gone(&mut self, namespace: String, name: String) -> Change {
        let key = (namespace, name);
        self.known.remove(&key);
        self.change(key.0, key.1, None)
    }

    fn change(&self, namespace: String, name: String, object: Option<Json>) -> Change {
        Change {
            key: ObjectKey {
                resource: self.resource,
                namespace,
                name,
            },
            object,
        }
    }

    async fn tell(&self, told: Told) -> Result<(), Over> {
        self.told.send(told).await.map_err(|_| Over)
    }

    /// Once for each outage.
    fn say(&mut self, status: &Status) {
        if !std::mem::replace(&mut self.said, true) {
            tracing::warn!(
                "the API server tells nothing of {}, asking again: {}",
                self.resource.plural,
                status.message
            );
        }
    }
}
