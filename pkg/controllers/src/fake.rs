//! A server for tests, in memory: revisions, conflicts, generated names, finalizers; feeds that may lag.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use kedge_client::Json;
use kedge_client::{BoxFuture, Change, Client, Feed, ObjectKey, Resource, SharedClient};
use kedge_machinery::{Object, Status};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::engine::key;
use crate::view::FOREGROUND;

/// A server. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    revision: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    revision: u64,
    objects: BTreeMap<ObjectKey, Json>,
    /// Every change with its revision, for feeds.
    log: Vec<(u64, Change)>,
    /// Every write as `verb kind namespace/name`.
    writes: Vec<String>,
    /// Answers to give instead of the next writes.
    failures: Vec<Status>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::default(),
            revision: watch::Sender::new(0),
        }
    }

    pub(crate) fn client(&self) -> SharedClient {
        Arc::new(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts an object there as a person would, whatever is there.
    pub(crate) fn put(&self, resource: Resource, value: Value) -> Object {
        let mut object = Object::from_value(value).unwrap();
        let key = key(resource, object.namespace(), object.name());
        let mut state = self.state();
        if object.uid().is_empty() {
            let uid = match state.objects.get(&key) {
                Some(bytes) => parse(bytes).uid().to_string(),
                None => format!("uid-{}", state.revision + 1),
            };
            object.meta_mut().insert("uid".into(), uid.into());
        }
        let object = state.store(key, object);
        drop(state);
        self.publish();
        object
    }

    pub(crate) fn remove(&self, resource: Resource, namespace: &str, name: &str) {
        self.state().erase(&key(resource, namespace, name));
        self.publish();
    }

    pub(crate) fn all(&self, resource: Resource) -> Vec<Object> {
        let state = self.state();
        state
            .objects
            .iter()
            .filter(|(key, _)| key.resource == resource)
            .map(|(_, bytes)| parse(bytes))
            .collect()
    }

    pub(crate) fn one(&self, resource: Resource, namespace: &str, name: &str) -> Option<Object> {
        self.state()
            .objects
            .get(&key(resource, namespace, name))
            .map(parse)
    }

    /// What was written since the last call.
    pub(crate) fn take_writes(&self) -> Vec<String> {
        std::mem::take(&mut self.state().writes)
    }

    /// The next writes fail with these, the first first.
    pub(crate) fn fail(&self, statuses: Vec<Status>) {
        self.state().failures = statuses;
    }

    /// Waits until what was written makes `done` true.
    pub(crate) async fn until(&self, mut done: impl FnMut(&Self) -> bool) {
        let mut revision = self.revision.subscribe();
        let wait = async {
            while !done(self) {
                revision.changed().await.unwrap();
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), wait)
            .await
            .expect("in time");
    }

    fn publish(&self) {
        self.revision.send_replace(self.state().revision);
    }

    fn end(
        &self,
        verb: &str,
        key: &ObjectKey,
        uid: Option<&str>,
        finalizer: Option<&str>,
    ) -> Result<(), Status> {
        let deleted = self.write(verb, key, |state| {
            let mut current = state.current(key)?;
            if uid.is_some_and(|uid| uid != current.uid()) {
                return Err(conflict(key));
            }
            let meta = current.meta_mut();
            meta.insert("deletionTimestamp".into(), json!("2026-01-01T00:00:00Z"));
            if let Some(finalizer) = finalizer {
                meta.insert("finalizers".into(), json!([finalizer]));
            }
            Ok(state.store(key.clone(), current))
        });
        deleted.map(drop)
    }

    fn write(
        &self,
        verb: &str,
        key: &ObjectKey,
        act: impl FnOnce(&mut State) -> Result<Object, Status>,
    ) -> Result<Object, Status> {
        let mut state = self.state();
        state.writes.push(format!(
            "{verb} {} {}/{}",
            key.resource.kind, key.namespace, key.name
        ));
        let answer = if state.failures.is_empty() {
            act(&mut state)
        } else {
            Err(state.failures.remove(0))
        };
        drop(state);
        self.publish();
        answer
    }
}

impl State {
    fn store(&mut self, key: ObjectKey, mut object: Object) -> Object {
        self.revision += 1;
        object
            .meta_mut()
            .insert("resourceVersion".into(), self.revision.to_string().into());
        let done =
            object.is_terminating() && object.finalizers().next().is_none() && released(&object);
        if done {
            self.erase(&key);
            return object;
        }
        let bytes = Json::from(serde_json::to_vec(&object.0).unwrap());
        self.log.push((
            self.revision,
            Change {
                key: key.clone(),
                object: Some(bytes.clone()),
            },
        ));
        self.objects.insert(key, bytes);
        object
    }

    fn erase(&mut self, key: &ObjectKey) {
        if self.objects.remove(key).is_some() {
            self.revision += 1;
            self.log.push((
                self.revision,
                Change {
                    key: key.clone(),
                    object: None,
                },
            ));
        }
    }

    fn current(&self, key: &ObjectKey) -> Result<Object, Status> {
        let found = self.objects.get(key).map(parse);
        found.ok_or_else(|| Status::not_found(key.resource.group, key.resource.plural, &key.name))
    }
}

/// A Namespace stays until its own finalizers are gone.
fn released(object: &Object) -> bool {
    object
        .at(&["spec", "finalizers"])
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
}

fn parse(bytes: &Json) -> Object {
    Object::from_value(serde_json::from_slice(&bytes.text()).unwrap()).unwrap()
}

fn conflict(key: &ObjectKey) -> Status {
    Status::conflict(
        key.resource.group,
        key.resource.plural,
        &key.name,
        "the object has been modified",
    )
}

impl Client for Fake {
    fn get<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move { self.state().current(key) })
    }

    fn list<'a>(
        &'a self,
        resource: Resource,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Object>, Status>> {
        Box::pin(async move {
            let inside = |object: &Object| namespace.is_empty() || object.namespace() == namespace;
            Ok(self.all(resource).into_iter().filter(inside).collect())
        })
    }

    fn create<'a>(
        &'a self,
        resource: Resource,
        mut object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            let asked = key(resource, object.namespace(), object.name());
            self.write("create", &asked, |state| {
                if object.name().is_empty() {
                    let name =
                        format!("{}{}", object.meta_text("generateName"), state.revision + 1);
                    object.meta_mut().insert("name".into(), name.into());
                }
                let key = key(resource, object.namespace(), object.name());
                if state.objects.contains_key(&key) {
                    return Err(Status::already_exists(
                        resource.group,
                        resource.plural,
                        object.name(),
                    ));
                }
                let uid = format!("uid-{}", state.revision + 1);
                object.meta_mut().insert("uid".into(), uid.into());
                object
                    .meta_mut()
                    .insert("creationTimestamp".into(), json!("2026-01-01T00:00:00Z"));
                Ok(state.store(key, object))
            })
        })
    }

    fn update<'a>(
        &'a self,
        resource: Resource,
        subresource: &'a str,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            let key = key(resource, object.namespace(), object.name());
            let verb = if subresource.is_empty() {
                "update".to_string()
            } else {
                format!("update-{subresource}")
            };
            self.write(&verb, &key, |state| {
                let mut current = state.current(&key)?;
                if object.resource_version() != current.resource_version() {
                    return Err(conflict(&key));
                }
                if matches!(subresource, "status" | "approval") {
                    current.0.insert(
                        "status".into(),
                        object.0.get("status").cloned().unwrap_or_default(),
                    );
                } else {
                    let status = current.0.remove("status");
                    current = object;
                    current.0.remove("status");
                    current
                        .0
                        .extend(status.map(|status| ("status".to_string(), status)));
                }
                Ok(state.store(key.clone(), current))
            })
        })
    }

    fn apply<'a>(
        &'a self,
        resource: Resource,
        _: &'a str,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            let key = key(resource, object.namespace(), object.name());
            self.write("apply", &key, |state| {
                let mut current = state.current(&key)?;
                let own = object
                    .0
                    .into_iter()
                    .filter(|(field, _)| field != "metadata");
                current.0.extend(own);
                Ok(state.store(key.clone(), current))
            })
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a ObjectKey,
        uid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move { self.end("delete", key, uid, None) })
    }

    fn delete_after_dependents<'a>(
        &'a self,
        key: &'a ObjectKey,
        uid: &'a str,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move { self.end("delete-last", key, Some(uid), Some(FOREGROUND)) })
    }

    fn feed(&self, resources: &[Resource]) -> Box<dyn Feed> {
        let feed = FakeFeed {
            fake: self.clone(),
            resources: resources.to_vec(),
            seen: None,
            changed: self.revision.subscribe(),
        };
        Box::new(feed)
    }
}

struct FakeFeed {
    fake: Fake,
    resources: Vec<Resource>,
    seen: Option<u64>,
    changed: watch::Receiver<u64>,
}

impl FakeFeed {
    fn news(&mut self) -> Vec<Change> {
        let state = self.fake.state();
        let Some(seen) = self.seen.replace(state.revision) else {
            let objects = state
                .objects
                .iter()
                .filter(|(key, _)| self.resources.contains(&key.resource));
            return objects
                .map(|(key, bytes)| Change {
                    key: key.clone(),
                    object: Some(bytes.clone()),
                })
                .collect();
        };
        let mut last: HashMap<ObjectKey, usize> = HashMap::new();
        let fresh = |(revision, change): &&(u64, Change)| {
            *revision > seen && self.resources.contains(&change.key.resource)
        };
        let changes: Vec<&(u64, Change)> = state.log.iter().filter(fresh).collect();
        for (i, (_, change)) in changes.iter().enumerate() {
            last.insert(change.key.clone(), i);
        }
        let newest = |(i, (_, change)): (usize, &&(u64, Change))| {
            (last[&change.key] == i).then(|| change.clone())
        };
        changes.iter().enumerate().filter_map(newest).collect()
    }
}

impl Feed for FakeFeed {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Vec<Change>, Status>> {
        Box::pin(async move {
            if self.seen.is_none() {
                return Ok(self.news());
            }
            loop {
                self.changed.borrow_and_update();
                let news = self.news();
                if !news.is_empty() {
                    return Ok(news);
                }
                if self.changed.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        })
    }
}

/// A controller at work, until this is dropped.
pub(crate) struct Running(tokio::task::AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Fake {
    /// Runs a controller against this server.
    pub(crate) fn run<R: crate::engine::Reconcile + 'static>(
        &self,
        make: impl Fn() -> R + Send + 'static,
    ) -> Running {
        Running(tokio::spawn(crate::engine::supervise(self.client(), make)).abort_handle())
    }

    /// Lets every task go on as far as it can, and returns what was written meanwhile: nothing, when all has settled.
    pub(crate) async fn settled(&self) -> Vec<String> {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        self.take_writes()
    }
}
