//! From definitions to what is served: the kinds of every definition that is stored are in the catalog before its condition
//! `Established` says so (upstream: the controllers `naming`, `establish` and `finalizer` of `apiextensions-apiserver`).

mod known;
mod names;
mod remains;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::iter::once;
use std::sync::Arc;

use jiff::Timestamp;
use kedge_api::Kind;
use kedge_machinery::object::child_mut;
use kedge_machinery::{Object, Status};
use kedge_store::{Entry, Event, EventKind, Watch};
use serde_json::Value;

use crate::registry::Registry;
use crate::request::{GetOptions, Target, WriteOptions};
use crate::strategy::definition::{FINALIZER, set_condition};
use crate::{keys, stored};
use known::Known;
use names::Names;
use remains::Remains;

const GROUP: &str = "apiextensions.k8s.io";
const PLURAL: &str = "customresourcedefinitions";
/// Who writes the status, in `managedFields`: upstream has the same.
const MANAGER: &str = "kube-apiserver";

/// Follows definitions, for as long as [`Definitions::run`] is waited for.
pub struct Definitions {
    registry: Registry,
    kind: Arc<Kind>,
    watch: Watch,
    /// By name.
    known: BTreeMap<String, Known>,
    /// What is left of definitions that are going.
    remains: BTreeMap<String, Remains>,
}

impl Registry {
    /// Serves what is defined by what is stored now, and gives what follows it from now on. Called once, before anybody asks.
    pub fn definitions(&self) -> Result<Definitions, Status> {
        let kind = self.catalog().find(GROUP, "v1", PLURAL).cloned();
        let kind = kind.ok_or_else(|| Status::internal("the catalog has no definitions"))?;
        let (prefix, snapshot, watch) = self.follow(&kind);
        let mut definitions = Definitions {
            registry: self.clone(),
            kind,
            watch,
            known: BTreeMap::new(),
            remains: BTreeMap::new(),
        };
        for entry in snapshot.range(&prefix, None) {
            definitions.put(&entry);
        }
        definitions.accept();
        definitions.serve();
        Ok(definitions)
    }
}

impl Definitions {
    /// Follows every change; ends when the store closes.
    pub async fn run(mut self) {
        loop {
            self.accept();
            self.serve();
            self.tell().await;
            self.clear().await;
            if !self.wait().await {
                return;
            }
        }
    }

    fn put(&mut self, entry: &Arc<Entry>) {
        let Ok(object) = stored::parse(entry) else {
            tracing::error!(key = %entry.key, "a stored definition cannot be read");
            return;
        };
        let before = self.known.remove(object.name());
        let known = Known::read(&object, entry, before);
        self.known.insert(object.name().into(), known);
    }

    /// Decides which names each definition has: who has them already keeps them, and the older come first.
    fn accept(&mut self) {
        let builtin = Arc::clone(self.registry.builtin());
        let mut order: Vec<String> = self.known.keys().cloned().collect();
        order.sort_by_key(|name| self.known.get(name).map(Known::seniority));
        let mut taken: Vec<(String, Names)> = Vec::new();
        for name in order {
            let Some(known) = self.known.get_mut(&name) else {
                continue;
            };
            let of_group = taken.iter().filter(|(group, _)| *group == known.group);
            let others: Vec<&Names> = of_group.map(|(_, names)| names).collect();
            known.decide(&builtin, &others);
            taken.push((known.group.clone(), known.accepted().clone()));
        }
    }

    /// Puts the kinds of all definitions that are established into the catalog.
    fn serve(&mut self) {
        let builtin = Arc::clone(self.registry.builtin());
        let mut kinds = Vec::new();
        let mut changed = false;
        for known in self.known.values_mut() {
            changed |= known.make_kinds(&builtin);
            kinds.extend(known.kinds().iter().cloned());
        }
        let now = self.registry.catalog().kinds().len();
        if changed || now != builtin.kinds().len() + kinds.len() {
            self.registry.serve(Arc::new(builtin.with(kinds)));
        }
    }

    /// Writes down what was decided, once it is served.
    async fn tell(&mut self) {
        let names: Vec<String> = self.known.keys().cloned().collect();
        for name in names {
            let Some(known) = self.known.get(&name).filter(|known| known.is_to_tell()) else {
                continue;
            };
            let written = self
                .write(&name, |status, now| known.tell(status, now))
                .await;
            self.report(&name, written);
        }
    }

    /// Deletes the objects of definitions that are going, and lets those go that have none left.
    async fn clear(&mut self) {
        let going: Vec<String> = self
            .known
            .iter()
            .filter(|(_, known)| known.terminating && known.has_finalizer)
            .map(|(name, _)| name.clone())
            .collect();
        self.remains.retain(|name, _| going.contains(name));
        for name in going {
            let Some(known) = self.known.get(&name) else {
                continue;
            };
            let registry = &self.registry;
            // What it was never given is not its own to clear.
            if !known.owns_objects(registry.builtin()) {
                let ended = self.release(&name).await;
                self.report(&name, ended);
                continue;
            }
            let kind = known.plain();
            let remains = self
                .remains
                .entry(name.clone())
                .or_insert_with(|| Remains::of(registry, kind));
            let left = remains.clear(registry).await;
            let ended = if left == 0 {
                self.release(&name).await
            } else {
                self.write(&name, |status, now| {
                    let why = "CustomResource deletion is in progress";
                    let reason = "InstanceDeletionInProgress";
                    set_condition(status, "Terminating", true, reason, why, now)
                })
                .await
            };
            self.report(&name, ended);
        }
    }

    /// What became of a write: one that came too late is planned anew with the event of the other.
    fn report(&self, name: &str, written: Result<(), Status>) {
        match written {
            Err(status) if !status.is_conflict() && !status.is_not_found() => {
                tracing::warn!("cannot write the status of the definition {name}: {status}");
            }
            _ => {}
        }
    }

    fn current(&self, name: &str) -> Result<(Target, Object), Status> {
        let target = Target::new(Arc::clone(&self.kind), "", name);
        let entry = self.registry.get(&target, &GetOptions::default())?;
        Ok((target, stored::parse(&entry)?))
    }

    async fn write(
        &self,
        name: &str,
        change: impl FnOnce(&mut serde_json::Map<String, Value>, Timestamp) -> bool,
    ) -> Result<(), Status> {
        let (target, mut object) = self.current(name)?;
        if !change(child_mut(&mut object.0, "status"), Timestamp::now()) {
            return Ok(());
        }
        let target = target.subresource("status");
        self.registry.update(&target, object, &options()).await?;
        Ok(())
    }

    /// Lets a definition go, as far as its objects held it. Whom somebody else holds, that is told of first.
    async fn release(&self, name: &str) -> Result<(), Status> {
        let (target, mut object) = self.current(name)?;
        if object.finalizers().any(|finalizer| finalizer != FINALIZER) {
            self.write(name, |status, now| {
                let reason = "InstanceDeletionCompleted";
                let why = "removed all instances";
                set_condition(status, "Terminating", false, reason, why, now)
            })
            .await?;
            (_, object) = self.current(name)?;
        }
        let finalizers = object.meta_mut().get_mut("finalizers");
        if let Some(list) = finalizers.and_then(Value::as_array_mut) {
            list.retain(|finalizer| finalizer != FINALIZER);
        }
        self.registry.update(&target, object, &options()).await?;
        Ok(())
    }

    /// Waits for a change, of definitions or of what is left of them; false when the store is closed.
    async fn wait(&mut self) -> bool {
        let (which, event) = poll_fn(|context| {
            let remains = self.remains.values_mut().map(Remains::watch);
            Watch::poll_first(once(&mut self.watch).chain(remains), context)
        })
        .await;
        match (event, which) {
            (Ok(None), _) => return false,
            (Ok(Some(event)), 0) => self.take(&event),
            // Whatever became of an object: what is left is counted again.
            (Ok(Some(_)), _) => {}
            (Err(_), 0) => self.again(),
            (Err(_), _) => self.remains.clear(),
        }
        while let Ok(Some(event)) = self.watch.try_next() {
            self.take(&event);
        }
        true
    }

    fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Put(entry) => self.put(entry),
            EventKind::Delete(entry) => {
                let (_, name) = keys::names(&self.kind, &entry.key);
                self.known.remove(name);
            }
        }
    }

    /// Too much happened to follow it: everything is read again.
    fn again(&mut self) {
        let (prefix, snapshot, watch) = self.registry.follow(&self.kind);
        self.watch = watch;
        let before = std::mem::take(&mut self.known);
        for entry in snapshot.range(&prefix, None) {
            let (_, name) = keys::names(&self.kind, &entry.key);
            if let Some(known) = before.get(name) {
                self.known.insert(name.into(), known.clone());
            }
            self.put(&entry);
        }
    }
}

fn options() -> WriteOptions {
    WriteOptions {
        field_manager: MANAGER.into(),
        ..WriteOptions::default()
    }
}
