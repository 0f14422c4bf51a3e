//! Who depends on whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kedge_client::{Change, ObjectKey, SharedClient};

use crate::kind::Kind;
use crate::view::{self, FOREGROUND, Meta, MetaOnly, ORPHAN, OwnerReference};

/// What is to become of the dependents of an owner that is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// They go, and the owner after those that block it.
    Foreground,
    /// They stay, without it.
    Orphan,
}

/// An object with owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dependent {
    pub uid: String,
    pub terminating: bool,
    pub owners: Vec<OwnerReference>,
}

/// Objects that have owners, and owners that wait for them. Nothing is kept of all other objects.
pub(super) struct Graph {
    /// Knows custom resources.
    client: SharedClient,
    kinds: HashMap<(String, String), Kind>,
    dependents: BTreeMap<ObjectKey, Dependent>,
    by_owner: HashMap<ObjectKey, BTreeSet<ObjectKey>>,
    going: BTreeMap<ObjectKey, (String, Policy)>,
    /// Every object with its uid, as long as the first state is read: then it is known at once which owners are there.
    present: Option<HashMap<ObjectKey, String>>,
    /// Dependents to look at: an owner may be gone.
    pub suspects: BTreeSet<ObjectKey>,
    /// Owners to look at: a dependent may be gone.
    pub waiting: BTreeSet<ObjectKey>,
}

impl Graph {
    pub(super) fn new(client: SharedClient, kinds: &[Kind]) -> Self {
        let by_name = |kind: &Kind| {
            let resource = kind.resource;
            let api_version = match resource.group {
                "" => resource.version.to_string(),
                group => format!("{group}/{}", resource.version),
            };
            ((api_version, resource.kind.to_string()), *kind)
        };
        Self {
            client,
            kinds: kinds.iter().map(by_name).collect(),
            dependents: BTreeMap::new(),
            by_owner: HashMap::new(),
            going: BTreeMap::new(),
            present: Some(HashMap::new()),
            suspects: BTreeSet::new(),
            waiting: BTreeSet::new(),
        }
    }

    /// What was there in the first state; from now on the server is asked.
    pub(super) fn take_present(&mut self) -> Option<HashMap<ObjectKey, String>> {
        self.present.take()
    }

    /// The object that a dependent calls its owner. `None` when that cannot be told: the kind is not served here, or the owner would be in
    /// a namespace and the dependent is in none.
    pub(super) fn owner_key(
        &self,
        dependent: &ObjectKey,
        owner: &OwnerReference,
    ) -> Option<ObjectKey> {
        let kind = self
            .kinds
            .get(&(owner.api_version.clone(), owner.kind.clone()))?;
        let namespace = if kind.namespaced {
            dependent.namespace.as_str()
        } else {
            ""
        };
        let told = !kind.namespaced || !namespace.is_empty();
        told.then(|| crate::engine::key(kind.resource, namespace, &owner.name))
    }

    pub(super) fn dependent(&self, key: &ObjectKey) -> Option<&Dependent> {
        self.dependents.get(key)
    }

    /// An owner that is going: its uid, and what is to become of its dependents.
    pub(super) fn going(&self, key: &ObjectKey) -> Option<&(String, Policy)> {
        self.going.get(key)
    }

    /// The dependents of exactly this owner.
    pub(super) fn dependents_of(
        &self,
        owner: &ObjectKey,
        uid: &str,
    ) -> Vec<(ObjectKey, Dependent)> {
        let keys = self.by_owner.get(owner).into_iter().flatten();
        keys.filter_map(|key| Some((key.clone(), self.dependents.get(key)?.clone())))
            .filter(|(_, dependent)| dependent.owners.iter().any(|owner| owner.uid == uid))
            .collect()
    }

    pub(super) fn observe(&mut self, change: &Change) {
        let meta = change
            .object
            .as_ref()
            .and_then(view::read::<MetaOnly>)
            .map(|object| object.metadata);
        self.note_present(&change.key, meta.as_ref());
        self.suspect_dependents(&change.key, meta.as_ref());
        self.note_going(&change.key, meta.as_ref());
        self.note_dependent(&change.key, meta);
    }

    fn note_present(&mut self, key: &ObjectKey, meta: Option<&Meta>) {
        let Some(present) = &mut self.present else {
            return;
        };
        match meta {
            Some(meta) => present.insert(key.clone(), meta.uid.clone()),
            None => present.remove(key),
        };
    }

    /// Dependents of an object that is gone, or that is another one of the same name now.
    fn suspect_dependents(&mut self, owner: &ObjectKey, meta: Option<&Meta>) {
        let Some(keys) = self.by_owner.get(owner) else {
            return;
        };
        let uid = meta.map(|meta| meta.uid.as_str());
        let same = |key: &&ObjectKey| {
            let owners = self.dependents.get(*key).map(|dependent| &dependent.owners);
            owners
                .into_iter()
                .flatten()
                .any(|reference| Some(reference.uid.as_str()) == uid)
        };
        self.suspects
            .extend(keys.iter().filter(|key| !same(key)).cloned());
    }

    fn note_going(&mut self, key: &ObjectKey, meta: Option<&Meta>) {
        let policy = meta
            .filter(|meta| meta.deletion_timestamp.is_some())
            .and_then(|meta| {
                let has = |finalizer: &str| meta.finalizers.iter().any(|other| other == finalizer);
                let orphan = has(ORPHAN).then_some(Policy::Orphan);
                orphan
                    .or_else(|| has(FOREGROUND).then_some(Policy::Foreground))
                    .map(|policy| (meta.uid.clone(), policy))
            });
        match policy {
            Some(policy) => {
                self.going.insert(key.clone(), policy);
                self.waiting.insert(key.clone());
            }
            None => {
                self.going.remove(key);
                self.waiting.remove(key);
            }
        }
    }

    /// Remembers the kind of an owner that is a custom resource: it may be asked after when its definition is gone.
    fn learn(&mut self, owner: &OwnerReference) {
        let name = (owner.api_version.clone(), owner.kind.clone());
        if self.kinds.contains_key(&name) {
            return;
        }
        let found = self.client.find_custom(&owner.api_version, &owner.kind);
        if let Some((resource, namespaced)) = found {
            let kind = Kind {
                resource,
                namespaced,
            };
            self.kinds.insert(name, kind);
        }
    }

    fn note_dependent(&mut self, key: &ObjectKey, meta: Option<Meta>) {
        for owner in meta.iter().flat_map(|meta| &meta.owner_references) {
            self.learn(owner);
        }
        let new = meta
            .filter(|meta| !meta.owner_references.is_empty())
            .map(|meta| Dependent {
                terminating: meta.deletion_timestamp.is_some(),
                uid: meta.uid,
                owners: meta.owner_references,
            });
        if self.dependents.get(key) == new.as_ref() {
            return;
        }
        let old = self.dependents.remove(key);
        let owners = |graph: &Self, dependent: &Dependent| -> Vec<ObjectKey> {
            dependent
                .owners
                .iter()
                .filter_map(|owner| graph.owner_key(key, owner))
                .collect()
        };
        for owner in old
            .iter()
            .flat_map(|old| owners(self, old))
            .collect::<Vec<_>>()
        {
            if let Some(set) = self.by_owner.get_mut(&owner) {
                set.remove(key);
                if set.is_empty() {
                    self.by_owner.remove(&owner);
                }
            }
            self.wait_for(owner);
        }
        let Some(new) = new else {
            self.suspects.remove(key);
            return;
        };
        for owner in owners(self, &new) {
            self.by_owner
                .entry(owner.clone())
                .or_default()
                .insert(key.clone());
            self.wait_for(owner);
        }
        if old.is_none_or(|old| old.owners != new.owners) {
            self.suspects.insert(key.clone());
        }
        self.dependents.insert(key.clone(), new);
    }

    fn wait_for(&mut self, owner: ObjectKey) {
        if self.going.contains_key(&owner) {
            self.waiting.insert(owner);
        }
    }
}
