//! What the store keeps in memory of an object, and what it tells of a change.

use std::sync::Arc;

use bytes::Bytes;

use crate::Labels;
use crate::labels::Place;

/// An object at one revision: its encoded bytes, and where its labels stand in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `/registry/<group>/<plural>/<namespace>/<name>`; the core group is left out, as is the namespace of a cluster-scoped object.
    pub key: Arc<str>,
    /// The revision that wrote it.
    pub revision: u64,
    /// JSON, with `metadata.resourceVersion` in it.
    pub value: Box<[u8]>,
    labels: Place,
}

impl Entry {
    #[must_use]
    pub fn new(key: Arc<str>, revision: u64, value: impl Into<Box<[u8]>>) -> Self {
        let value = value.into();
        let labels = Place::find(&value);
        Self::labelled(key, revision, value, labels)
    }

    /// With what is known of the place of its labels.
    pub(crate) fn labelled(key: Arc<str>, revision: u64, value: Box<[u8]>, labels: Place) -> Self {
        Self {
            key,
            revision,
            value,
            labels,
        }
    }

    /// The same object in other bytes.
    #[must_use]
    pub fn with_value(&self, value: impl Into<Box<[u8]>>) -> Self {
        Self::new(Arc::clone(&self.key), self.revision, value)
    }

    /// The value for who keeps it, and the entry with it: nothing is copied. What `Bytes` need to count their owners is there for as
    /// long as they are, and not beside every entry for good.
    #[must_use]
    pub fn bytes(self: &Arc<Self>) -> Bytes {
        struct Value(Arc<Entry>);
        impl AsRef<[u8]> for Value {
            fn as_ref(&self) -> &[u8] {
                &self.0.value
            }
        }
        Bytes::from_owner(Value(Arc::clone(self)))
    }

    /// `metadata.labels`; none for values that are no objects.
    #[must_use]
    pub fn labels(&self) -> Labels<'_> {
        self.labels.read(&self.value)
    }

    /// False for claims and counters, which have no metadata.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.value.first() == Some(&b'{')
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
