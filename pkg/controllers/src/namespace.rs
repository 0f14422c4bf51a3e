//! Ends of namespaces: what is in one goes first, its Pods before all else (upstream: `pkg/controller/namespace/deletion`;
//! KEP-5080).

mod conditions;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use kedge_client::Json;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::Object;
use kedge_machinery::object::child_mut;
use serde::Deserialize;
use serde_json::Value;
use tracing::{info, warn};

use crate::engine::{Follow, Reconcile, Write, key};
use crate::kind::Kind;
use crate::view::{self, Meta, MetaOnly, nullable};
use conditions::Remaining;

/// The finalizer of `spec.finalizers` that stands for what is in the namespace.
const FINALIZER: &str = "kubernetes";

/// How long to leave the feed of contents alone when it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The controller. Only while a namespace is going does it look at what namespaces hold.
pub(crate) struct Namespaces {
    client: SharedClient,
    kinds: Vec<Resource>,
    /// The namespaces that are going.
    ending: BTreeMap<String, Json>,
    contents: Option<Contents>,
}

/// What all namespaces hold.
struct Contents {
    follow: Follow,
    /// The whole state was seen.
    known: bool,
    objects: BTreeMap<String, BTreeMap<ObjectKey, Held>>,
    /// The uids of objects whose deletion was asked for: to ask again would not make it faster.
    asked: BTreeSet<String>,
}

struct Held {
    uid: String,
    terminating: bool,
    finalizers: Vec<String>,
}

/// A Namespace, as far as its end goes.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Namespace {
    metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    spec: Spec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    #[serde(deserialize_with = "nullable")]
    finalizers: Vec<String>,
}

impl Namespaces {
    pub(crate) fn new(client: SharedClient, kinds: &[Kind]) -> Self {
        let kinds = kinds
            .iter()
            .filter(|kind| kind.namespaced)
            .map(|kind| kind.resource)
            .collect();
        Self {
            client,
            kinds,
            ending: BTreeMap::new(),
            contents: None,
        }
    }
}

impl Contents {
    fn take(&mut self, batch: Vec<Change>) {
        self.known = true;
        for Change { key, object } in batch {
            let space = self.objects.entry(key.namespace.clone()).or_default();
            match object.and_then(|bytes| view::read::<MetaOnly>(&bytes)) {
                Some(MetaOnly { metadata }) => {
                    let held = Held {
                        terminating: metadata.deletion_timestamp.is_some(),
                        uid: metadata.uid,
                        finalizers: metadata.finalizers,
                    };
                    space.insert(key, held);
                }
                None => {
                    space.remove(&key);
                }
            }
        }
    }

    /// What is next for a namespace: its objects' deletion, a word about those that stay, or its own end.
    fn plan(&mut self, name: &str, namespace: &Json, now: Timestamp) -> Vec<Write> {
        let about = key(Resource::NAMESPACES, "", name);
        let held = self.objects.get(name).filter(|held| !held.is_empty());
        let Some(held) = held else {
            info!("namespace {name} is empty and goes");
            return finalized(&about, namespace).into_iter().collect();
        };
        // A Pod may need what is beside it to its end: a policy that guards it, a Secret.
        let is_pod = |key: &ObjectKey| key.resource == Resource::PODS;
        let pods_first = held.keys().any(is_pod);
        let mut writes = Vec::new();
        let mut remaining = Remaining::default();
        let mut waiting = true;
        for (key, held) in held.iter().filter(|(key, _)| is_pod(key) || !pods_first) {
            remaining.count(key, &held.finalizers);
            waiting &= held.terminating;
            if !held.terminating && self.asked.insert(held.uid.clone()) {
                writes.push(Write::delete(&about, key.clone(), &held.uid));
            }
        }
        if waiting {
            writes.extend(told(&about, namespace, &remaining, now));
        }
        writes
    }
}

/// The namespace with conditions that say what it waits for, where it does not have them yet.
fn told(
    about: &ObjectKey,
    namespace: &Json,
    remaining: &Remaining,
    now: Timestamp,
) -> Option<Write> {
    let mut object = Object::from_value(view::read(namespace)?)?;
    let status = child_mut(&mut object.0, "status");
    let present = status.get("conditions").and_then(Value::as_array);
    let conditions = remaining.conditions(present.map_or(&[], Vec::as_slice), now)?;
    status.insert("conditions".into(), conditions.into());
    Some(Write::update(about, Resource::NAMESPACES, "status", object))
}

fn finalized(about: &ObjectKey, namespace: &Json) -> Option<Write> {
    let mut object = Object::from_value(view::read(namespace)?)?;
    let spec = child_mut(&mut object.0, "spec");
    if let Some(list) = spec.get_mut("finalizers").and_then(Value::as_array_mut) {
        list.retain(|finalizer| finalizer != FINALIZER);
    }
    Some(Write::update(
        about,
        Resource::NAMESPACES,
        "finalize",
        object,
    ))
}

impl Reconcile for Namespaces {
    const NAME: &'static str = "namespaces";

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::NAMESPACES]
    }

    fn observe(&mut self, change: &Change) {
        let ending = change.object.as_ref().filter(|bytes| {
            view::read::<Namespace>(bytes).is_some_and(|namespace| {
                namespace.metadata.deletion_timestamp.is_some()
                    && namespace.spec.finalizers.iter().any(|f| f == FINALIZER)
            })
        });
        match ending {
            Some(bytes) => self.ending.insert(change.key.name.clone(), bytes.clone()),
            None => self.ending.remove(&change.key.name),
        };
    }

    async fn plan(&mut self, _: &SharedClient, now: Timestamp) -> Vec<Write> {
        if self.ending.is_empty() {
            self.contents = None;
            return Vec::new();
        }
        let contents = self.contents.get_or_insert_with(|| Contents {
            follow: Follow::start_with_custom(&self.client, &self.kinds),
            known: false,
            objects: BTreeMap::new(),
            asked: BTreeSet::new(),
        });
        if !contents.known {
            return Vec::new();
        }
        self.ending
            .iter()
            .flat_map(|(name, namespace)| contents.plan(name, namespace, now))
            .collect()
    }

    fn again(&mut self, _: &ObjectKey) {
        if let Some(contents) = &mut self.contents {
            contents.asked.clear();
        }
    }

    async fn changed(&mut self) {
        let Some(contents) = &mut self.contents else {
            return std::future::pending().await;
        };
        match contents.follow.next().await {
            Ok(batch) => contents.take(batch),
            Err(status) => {
                warn!("cannot follow what namespaces hold: {status}; trying again");
                tokio::time::sleep(PAUSE).await;
                self.contents = None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
