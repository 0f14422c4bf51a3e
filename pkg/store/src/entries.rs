//! All entries by key, in order, with copies in constant time.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use rpds::RedBlackTreeSetSync;

use crate::Entry;

/// An entry that orders by its key, so that the key is held once.
#[derive(Debug, Clone)]
struct Slot(Arc<Entry>);

impl Borrow<str> for Slot {
    fn borrow(&self) -> &str {
        &self.0.key
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Slot {}

impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Slot {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key.cmp(&other.0.key)
    }
}

/// A persistent ordered map: a clone shares everything, a change copies the path to what it changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entries(RedBlackTreeSetSync<Slot>);

impl Entries {
    pub fn get(&self, key: &str) -> Option<&Arc<Entry>> {
        self.0.get(key).map(|slot| &slot.0)
    }

    /// Puts an entry in the place of what has its key.
    pub fn put(&mut self, entry: Arc<Entry>) {
        self.0.insert_mut(Slot(entry));
    }

    pub fn remove(&mut self, key: &str) {
        self.0.remove_mut(key);
    }

    pub fn len(&self) -> usize {
        self.0.size()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.0.iter().map(|slot| &slot.0)
    }

    /// Entries whose key begins with `prefix`, in key order, beginning after `after` when given.
    pub fn range<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Entry>> + 'a {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.0
            .range::<str, _>((from, Bound::Unbounded))
            .map(|slot| &slot.0)
            .take_while(move |entry| entry.key.starts_with(prefix))
    }
}
