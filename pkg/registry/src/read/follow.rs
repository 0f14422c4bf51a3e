//! The store's own events of a kind, for followers in this process.

use kedge_api::Kind;
use kedge_store::{Snapshot, Watch};

use crate::keys;
use crate::registry::Registry;

impl Registry {
    /// What the keys of a kind begin with, the state, and a watch that begins exactly where the state ends.
    #[must_use]
    pub fn follow(&self, kind: &Kind) -> (String, Snapshot, Watch) {
        let prefix = keys::prefix(kind, "");
        let (snapshot, watch) = self.store().snapshot_and_watch(&prefix);
        (prefix, snapshot, watch)
    }

    /// The same of all kinds of a group; the plural name follows what the keys begin with.
    #[must_use]
    pub fn follow_group(&self, group: &str) -> (String, Snapshot, Watch) {
        let prefix = keys::group(group);
        let (snapshot, watch) = self.store().snapshot_and_watch(&prefix);
        (prefix, snapshot, watch)
    }
}
