//! What becomes of objects whose owners go (upstream: `pkg/controller/garbagecollector`).
//!
//! It sees every change of every kind, keeps those objects alone that have owners, and asks the server about an owner
//! only when there is reason to.

mod graph;

use std::collections::HashMap;

use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::{Object, Status};
use serde_json::Value;
use tracing::info;

use crate::engine::{Reconcile, Write};
use crate::kind::Kind;
use crate::view::{FOREGROUND, ORPHAN, OwnerReference};
use graph::{Dependent, Graph, Policy};

/// The controller.
pub(crate) struct Garbage {
    kinds: Vec<Resource>,
    graph: Graph,
}

/// What has become of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// There, or nobody here can tell.
    Solid,
    /// Gone, or another object has its name.
    Absent,
    /// Going, once its dependents are gone.
    Waiting,
}

impl Garbage {
    pub(crate) fn new(client: SharedClient, kinds: &[Kind]) -> Self {
        Self {
            kinds: kinds.iter().map(|kind| kind.resource).collect(),
            graph: Graph::new(client, kinds),
        }
    }

    async fn fate(
        &self,
        client: &SharedClient,
        key: &ObjectKey,
        owner: &OwnerReference,
        present: Option<&HashMap<ObjectKey, String>>,
    ) -> Result<Fate, Status> {
        let Some(owner_key) = self.graph.owner_key(key, owner) else {
            return Ok(Fate::Solid);
        };
        if let Some((uid, policy)) = self.graph.going(&owner_key)
            && *uid == owner.uid
        {
            return Ok(if *policy == Policy::Foreground {
                Fate::Waiting
            } else {
                Fate::Solid
            });
        }
        let uid = match present {
            Some(present) => present.get(&owner_key).cloned(),
            None => match client.get(&owner_key).await {
                Ok(object) => Some(object.uid().to_string()),
                Err(status) if status.is_not_found() => None,
                Err(status) => return Err(status),
            },
        };
        Ok(if uid.as_deref() == Some(&owner.uid) {
            Fate::Solid
        } else {
            Fate::Absent
        })
    }

    /// A dependent whose owner may be gone: it goes with its last owner, and forgets those that went before.
    async fn judge(
        &self,
        client: &SharedClient,
        key: &ObjectKey,
        present: Option<&HashMap<ObjectKey, String>>,
    ) -> Result<Option<Write>, Status> {
        let Some(dependent) = self
            .graph
            .dependent(key)
            .filter(|dependent| !dependent.terminating)
        else {
            return Ok(None);
        };
        let mut fates = Vec::with_capacity(dependent.owners.len());
        for owner in &dependent.owners {
            fates.push(self.fate(client, key, owner, present).await?);
        }
        if fates.iter().all(|fate| *fate == Fate::Solid) {
            return Ok(None);
        }
        if fates.contains(&Fate::Solid) {
            let gone = dependent
                .owners
                .iter()
                .zip(&fates)
                .filter(|(_, fate)| **fate != Fate::Solid);
            let uids: Vec<String> = gone.map(|(owner, _)| owner.uid.clone()).collect();
            return disown(client, key, dependent, &uids).await;
        }
        info!(
            "{} {}/{} goes with its owner",
            key.resource.kind, key.namespace, key.name
        );
        let (target, uid) = (key.clone(), &dependent.uid);
        let write = match fates.contains(&Fate::Waiting) && self.holds(key, uid) {
            true => Write::delete_after_dependents(key, target, uid),
            false => Write::delete(key, target, uid),
        };
        Ok(Some(write))
    }

    /// Whether an object is to stay until its own dependents are gone, as its owner does. In a circle of owners one of them
    /// must not.
    fn holds(&self, key: &ObjectKey, uid: &str) -> bool {
        let dependents = self.graph.dependents_of(key, uid);
        let waits = |key: &ObjectKey| {
            let going = self.graph.going(key);
            going.is_some_and(|(_, policy)| *policy == Policy::Foreground)
        };
        !dependents.is_empty() && !dependents.iter().any(|(key, _)| waits(key))
    }

    /// An owner that waits for its dependents.
    async fn settle(&self, client: &SharedClient, owner: &ObjectKey) -> Result<Vec<Write>, Status> {
        let Some((uid, policy)) = self.graph.going(owner) else {
            return Ok(Vec::new());
        };
        let dependents = self.graph.dependents_of(owner, uid);
        let mut writes = Vec::new();
        let held = match policy {
            Policy::Orphan => {
                for (key, dependent) in &dependents {
                    writes.extend(disown(client, key, dependent, std::slice::from_ref(uid)).await?);
                }
                !dependents.is_empty()
            }
            // Those that are going or gone with it were judged as suspects; here it only counts who blocks.
            Policy::Foreground => {
                for (key, _) in &dependents {
                    writes.extend(self.judge(client, key, None).await?);
                }
                dependents.iter().any(|(_, dependent)| {
                    dependent
                        .owners
                        .iter()
                        .any(|owner| owner.uid == *uid && owner.block_owner_deletion)
                })
            }
        };
        if !held {
            let finalizer = if *policy == Policy::Orphan {
                ORPHAN
            } else {
                FOREGROUND
            };
            writes.extend(release(client, owner, uid, finalizer).await?);
        }
        Ok(writes)
    }
}

/// Takes owners out of a dependent.
async fn disown(
    client: &SharedClient,
    key: &ObjectKey,
    dependent: &Dependent,
    uids: &[String],
) -> Result<Option<Write>, Status> {
    let Some(mut object) = live(client, key, &dependent.uid).await? else {
        return Ok(None);
    };
    let of_those = |owner: &Value| {
        owner
            .get("uid")
            .and_then(Value::as_str)
            .is_some_and(|uid| uids.iter().any(|u| u == uid))
    };
    let meta = object.meta_mut();
    if let Some(owners) = meta
        .get_mut("ownerReferences")
        .and_then(Value::as_array_mut)
    {
        owners.retain(|owner| !of_those(owner));
        if owners.is_empty() {
            meta.remove("ownerReferences");
        }
    }
    Ok(Some(Write::update(key, key.resource, "", object)))
}

/// Lets an owner go whose dependents are dealt with.
async fn release(
    client: &SharedClient,
    owner: &ObjectKey,
    uid: &str,
    finalizer: &str,
) -> Result<Option<Write>, Status> {
    let Some(mut object) = live(client, owner, uid).await? else {
        return Ok(None);
    };
    if let Some(finalizers) = object
        .meta_mut()
        .get_mut("finalizers")
        .and_then(Value::as_array_mut)
    {
        finalizers.retain(|other| other != finalizer);
    }
    Ok(Some(Write::update(owner, owner.resource, "", object)))
}

/// The object now, if it is still the same one.
async fn live(client: &SharedClient, key: &ObjectKey, uid: &str) -> Result<Option<Object>, Status> {
    match client.get(key).await {
        Ok(object) => Ok(Some(object).filter(|object| object.uid() == uid)),
        Err(status) if status.is_not_found() => Ok(None),
        Err(status) => Err(status),
    }
}

impl Reconcile for Garbage {
    const NAME: &'static str = "garbage";
    const CUSTOM: bool = true;

    fn resources(&self) -> Vec<Resource> {
        self.kinds.clone()
    }

    fn observe(&mut self, change: &Change) {
        self.graph.observe(change);
    }

    async fn plan(&mut self, client: &SharedClient, _: Timestamp) -> Vec<Write> {
        let present = self.graph.take_present();
        let mut writes = Vec::new();
        for key in std::mem::take(&mut self.graph.suspects) {
            match self.judge(client, &key, present.as_ref()).await {
                Ok(write) => writes.extend(write),
                Err(status) => self.puzzled(&key, &status),
            }
        }
        for owner in std::mem::take(&mut self.graph.waiting) {
            match self.settle(client, &owner).await {
                Ok(more) => writes.extend(
                    more.into_iter()
                        .filter(|write| !writes_about(&writes, write))
                        .collect::<Vec<_>>(),
                ),
                Err(status) => self.puzzled(&owner, &status),
            }
        }
        writes
    }

    fn again(&mut self, about: &ObjectKey) {
        if self.graph.dependent(about).is_some() {
            self.graph.suspects.insert(about.clone());
        }
        if self.graph.going(about).is_some() {
            self.graph.waiting.insert(about.clone());
        }
    }
}

impl Garbage {
    /// The server does not say: the next change that comes by asks again. Nothing is deleted on a guess.
    fn puzzled(&mut self, key: &ObjectKey, status: &Status) {
        tracing::warn!(
            "cannot tell what has become of an owner of {} {}: {status}",
            key.resource.kind,
            key.name
        );
        self.again(key);
    }
}

fn writes_about(writes: &[Write], write: &Write) -> bool {
    writes.iter().any(|other| other.target == write.target)
}

#[cfg(test)]
mod tests;
