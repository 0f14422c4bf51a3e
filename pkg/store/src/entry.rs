//! What the store keeps in memory of an object, and what it tells of a change.

use std::sync::Arc;

use bytes::Bytes;

use crate::index::Index;

/// An object at one revision: its encoded bytes beside an index of what selects it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `/registry/<group>/<plural>/<namespace>/<name>`; the core group is left out, as is the namespace of a cluster-scoped object.
    pub key: Arc<str>,
    /// The revision that wrote it.
    pub revision: u64,
    /// JSON, with `metadata.resourceVersion` in it.
    pub value: Bytes,
    /// `metadata.labels`, sorted by key.
    pub labels: Box<[(Box<str>, Box<str>)]>,
    /// `metadata.uid`; empty for values that are no objects.
    pub uid: Box<str>,
    /// `uid` of each `metadata.ownerReferences`.
    pub owners: Box<[Box<str>]>,
}

impl Entry {
    pub(crate) fn new(key: Arc<str>, revision: u64, value: Bytes, index: Index) -> Self {
        Self {
            key,
            revision,
            value,
            labels: index.labels,
            uid: index.uid,
            owners: index.owners,
        }
    }
}

/// One change of one key.
#[derive(Debug, PartialEq)]
pub struct Event {
    pub revision: u64,
    pub kind: EventKind,
    /// What stood there before this change.
    pub previous: Option<Arc<Entry>>,
}

#[derive(Debug, PartialEq)]
pub enum EventKind {
    /// The object as written.
    Put(Arc<Entry>),
    /// The object's last state, with the revision of its deletion in it.
    Delete(Arc<Entry>),
}

impl Event {
    /// The entry written, or the last state of the one deleted.
    #[must_use]
    pub fn entry(&self) -> &Arc<Entry> {
        match &self.kind {
            EventKind::Put(entry) | EventKind::Delete(entry) => entry,
        }
    }
}
