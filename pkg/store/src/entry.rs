//! What the store keeps in memory of an object, and what it tells of a change.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;

use crate::Labels;
use crate::labels::Place;
use crate::places::Places;
use crate::value::Value;

/// An object at one revision: its encoded bytes, and where its labels stand in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `/registry/<group>/<plural>/<namespace>/<name>`; the core group is left out, as is the namespace of a cluster-scoped object.
    pub key: Arc<str>,
    /// The revision that wrote it.
    pub revision: u64,
    value: Value,
    labels: Place,
}

impl Entry {
    #[must_use]
    pub fn new(key: Arc<str>, revision: u64, value: impl Into<Box<[u8]>>) -> Self {
        let value = value.into();
        let labels = Places::find(&value).labels;
        Self {
            key,
            revision,
            value: Value::whole(value),
            labels,
        }
    }

    /// One to be kept, with what is known of its value: what that has in common with one of its neighbours is shared with it.
    pub(crate) fn among(
        neighbours: &[Arc<Self>],
        key: Arc<str>,
        revision: u64,
        value: &[u8],
        places: &Places,
    ) -> Self {
        let others = neighbours.iter().map(|entry| &entry.value);
        Self {
            key,
            revision,
            value: Value::cut(value, &places.managers, others),
            labels: places.labels,
        }
    }

    /// The same object in other bytes.
    #[must_use]
    pub fn with_value(&self, value: impl Into<Box<[u8]>>) -> Self {
        Self::new(Arc::clone(&self.key), self.revision, value)
    }

    /// JSON, with `metadata.resourceVersion` in it.
    #[must_use]
    pub fn value(&self) -> Cow<'_, [u8]> {
        match self.value.as_whole() {
            Some(whole) => whole.into(),
            None => self.value.to_vec().into(),
        }
    }

    /// The same, put together in `room` where need be, for who reads many.
    pub fn value_in<'a>(&'a self, room: &'a mut Vec<u8>) -> &'a [u8] {
        if let Some(whole) = self.value.as_whole() {
            return whole;
        }
        room.clear();
        self.value.append_to(room);
        room
    }

    /// Whether the value has a text in it, within what it says of a manager or without.
    #[must_use]
    pub fn contains(&self, text: &[u8]) -> bool {
        let mut pieces = self.value.pieces();
        pieces.any(|piece| memmem::find(piece, text).is_some())
    }

    /// Bytes of the value.
    #[must_use]
    pub fn size(&self) -> usize {
        self.value.len()
    }

    /// The value for who keeps it; the entry with it where it is in one piece, which is not copied then. What `Bytes` need to count their
    /// owners is there for as long as they are, and not beside every entry for good.
    #[must_use]
    pub fn bytes(self: &Arc<Self>) -> Bytes {
        struct Whole(Arc<Entry>);
        impl AsRef<[u8]> for Whole {
            fn as_ref(&self) -> &[u8] {
                self.0.value.own()
            }
        }
        match self.value.as_whole() {
            Some(_) => Bytes::from_owner(Whole(Arc::clone(self))),
            None => self.value.to_vec().into(),
        }
    }

    /// `metadata.labels`; none for values that are no objects.
    #[must_use]
    pub fn labels(&self) -> Labels<'_> {
        self.labels.read(self.value.own())
    }

    #[cfg(test)]
    pub(crate) fn shares_with(&self, other: &Self) -> bool {
        self.value.shares_with(&other.value)
    }

    /// False for claims and counters, which have no metadata.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.value.own().first() == Some(&b'{')
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
