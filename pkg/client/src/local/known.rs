//! What a feed has handed out, to tell what a gap has hidden.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use kedge_store::Entry;

/// Entries by key. The entries are the store's own: key and revision are there already.
#[derive(Default)]
pub(super) struct Known(HashSet<Held>);

struct Held(Arc<Entry>);

impl Borrow<str> for Held {
    fn borrow(&self) -> &str {
        &self.0.key
    }
}

impl Hash for Held {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Held {}

impl Known {
    /// Takes an entry in, in the place of what has its key.
    pub fn put(&mut self, entry: &Arc<Entry>) {
        self.0.replace(Held(Arc::clone(entry)));
    }

    pub fn remove(&mut self, key: &str) -> Option<Arc<Entry>> {
        self.0.take(key).map(|held| held.0)
    }

    /// Keys, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Borrow::borrow)
    }
}
