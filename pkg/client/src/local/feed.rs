//! Some kinds as a feed: one watch a kind, merged in the order of revisions.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use kedge_api::Kind;
use kedge_machinery::Status;
use kedge_registry::{Registry, names};
use kedge_store::{Entry, Event, EventKind, Lagged, Snapshot, Watch};
use tokio::sync::watch;

use super::custom;
use super::known::Known;
use crate::{BoxFuture, Change, Feed, Json, ObjectKey, Resource, last_of_each};

/// See [`Feed`].
pub(super) struct LocalFeed {
    registry: Registry,
    resources: Vec<Resource>,
    /// Empty until the first batch.
    follows: Vec<Follow>,
    begun: bool,
    /// Tells of kinds that come and go, where custom resources are followed too.
    kinds: Option<watch::Receiver<()>>,
}

/// One kind.
struct Follow {
    resource: Resource,
    kind: Arc<Kind>,
    watch: Watch,
    known: Known,
}

/// A change with its place in the order of all.
type Dated = (u64, Change);

impl LocalFeed {
    pub(super) fn new(registry: Registry, resources: &[Resource]) -> Self {
        Self {
            registry,
            resources: resources.to_vec(),
            follows: Vec::new(),
            begun: false,
            kinds: None,
        }
    }

    /// The same, with every custom resource.
    pub(super) fn with_custom(registry: Registry, resources: &[Resource]) -> Self {
        let kinds = Some(registry.catalog_changes());
        Self {
            kinds,
            ..Self::new(registry, resources)
        }
    }

    /// Follows custom resources that are new, and leaves those that are not served any more.
    fn follow_custom(&mut self, changes: &mut Vec<Dated>) {
        let Some(kinds) = &mut self.kinds else { return };
        kinds.mark_unchanged();
        let served = custom::all(&self.registry.catalog());
        let revision = self.registry.revision();
        self.follows.retain_mut(|follow| {
            let still = served
                .iter()
                .any(|(resource, _)| *resource == follow.resource);
            let stays = follow.kind.custom.is_none() || still;
            if !stays {
                let gone = follow.known.keys().map(|key| (revision, follow.gone(key)));
                changes.extend(gone);
            }
            stays
        });
        for (resource, kind) in served {
            if !self
                .follows
                .iter()
                .any(|follow| follow.resource == resource)
            {
                self.follow(resource, kind, changes);
            }
        }
    }

    fn follow(&mut self, resource: Resource, kind: Arc<Kind>, changes: &mut Vec<Dated>) {
        let (prefix, snapshot, watch) = self.registry.follow(&kind);
        let mut follow = Follow {
            resource,
            kind,
            watch,
            known: Known::default(),
        };
        follow.bridge(&prefix, &snapshot, changes);
        self.follows.push(follow);
    }

    fn begin(&mut self) -> Result<Vec<Dated>, Status> {
        let mut changes = Vec::new();
        let catalog = self.registry.catalog();
        for resource in std::mem::take(&mut self.resources) {
            let kind = catalog.find(resource.group, resource.version, resource.plural);
            let kind = kind
                .cloned()
                .ok_or_else(|| Status::not_found(resource.group, resource.plural, ""))?;
            self.follow(resource, kind, &mut changes);
        }
        self.follow_custom(&mut changes);
        self.begun = true;
        Ok(changes)
    }

    /// Everything that is here. A pass over all watches that finds nothing ends it: whatever was published before
    /// the last change found is then in the batch too, so that the order holds across kinds.
    fn drain(&mut self, changes: &mut Vec<Dated>) {
        loop {
            let before = changes.len();
            for follow in &mut self.follows {
                while let Some(event) = follow.watch.try_next().transpose() {
                    follow.take(event, &self.registry, changes);
                }
            }
            if changes.len() == before {
                return;
            }
        }
    }

    /// Waits for an event of any kind.
    async fn wait(&mut self, changes: &mut Vec<Dated>) -> Result<(), Status> {
        let told = {
            let Self { follows, kinds, .. } = self;
            let mut kinds = pin!(async move {
                let Some(kinds) = kinds else {
                    return pending().await;
                };
                if kinds.changed().await.is_err() {
                    pending().await
                }
            });
            poll_fn(|context| {
                let watches = follows.iter_mut().map(|follow| &mut follow.watch);
                if let Poll::Ready(first) = Watch::poll_first(watches, context) {
                    return Poll::Ready(Some(first));
                }
                kinds.as_mut().poll(context).map(|()| None)
            })
            .await
        };
        let Some((which, event)) = told else {
            self.follow_custom(changes);
            return Ok(());
        };
        let Some(event) = event.transpose() else {
            return Err(Status::new(
                503,
                "ServiceUnavailable",
                "the store is closed",
            ));
        };
        if let Some(follow) = self.follows.get_mut(which) {
            follow.take(event, &self.registry, changes);
        }
        Ok(())
    }
}

impl Feed for LocalFeed {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Vec<Change>, Status>> {
        Box::pin(async move {
            if !self.begun {
                return Ok(self
                    .begin()?
                    .into_iter()
                    .map(|(_, change)| change)
                    .collect());
            }
            let mut changes = Vec::new();
            self.drain(&mut changes);
            while changes.is_empty() {
                self.wait(&mut changes).await?;
                self.drain(&mut changes);
            }
            changes.sort_by_key(|(revision, _)| *revision);
            Ok(last_of_each(
                changes.into_iter().map(|(_, change)| change).collect(),
            ))
        })
    }
}

impl Follow {
    fn take(
        &mut self,
        event: Result<Arc<Event>, Lagged>,
        registry: &Registry,
        changes: &mut Vec<Dated>,
    ) {
        let event = match event {
            Ok(event) => event,
            Err(lagged) => {
                tracing::warn!(kind = self.resource.kind, %lagged, "fell behind, listing again");
                let (prefix, snapshot, watch) = registry.follow(&self.kind);
                self.watch = watch;
                self.bridge(&prefix, &snapshot, changes);
                return;
            }
        };
        match &event.kind {
            EventKind::Put(entry) => {
                self.known.put(entry);
                changes.push((event.revision, self.put(entry)));
            }
            EventKind::Delete(entry) => {
                self.known.remove(&entry.key);
                changes.push((event.revision, self.gone(&entry.key)));
            }
        }
    }

    /// What differs between what was handed out and a snapshot, deletions included.
    fn bridge(&mut self, prefix: &str, snapshot: &Snapshot, changes: &mut Vec<Dated>) {
        let mut before = std::mem::take(&mut self.known);
        for entry in snapshot.range(prefix, None) {
            let held = before.remove(&entry.key);
            if held.is_none_or(|held| held.revision != entry.revision) {
                changes.push((entry.revision, self.put(&entry)));
            }
            self.known.put(&entry);
        }
        changes.extend(
            before
                .keys()
                .map(|key| (snapshot.revision(), self.gone(key))),
        );
    }

    fn put(&self, entry: &Arc<Entry>) -> Change {
        Change {
            key: self.key(&entry.key),
            object: Some(Json::stored(entry)),
        }
    }

    fn gone(&self, key: &str) -> Change {
        Change {
            key: self.key(key),
            object: None,
        }
    }

    fn key(&self, key: &str) -> ObjectKey {
        let (namespace, name) = names(&self.kind, key);
        ObjectKey {
            resource: self.resource,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}
