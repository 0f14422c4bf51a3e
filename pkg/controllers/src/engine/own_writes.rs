//! Keeps a feed that lags behind from undoing what a controller has just written.

use std::collections::HashMap;

use kedge_client::{Change, ObjectKey};

use crate::view::{self, MetaOnly};

/// The revision of each object that was written and that the feed has not shown yet. Empty at rest.
#[derive(Debug, Default)]
pub(crate) struct OwnWrites(HashMap<ObjectKey, u64>);

impl OwnWrites {
    /// Notes what a write answered with.
    pub(crate) fn note(&mut self, key: ObjectKey, resource_version: &str) {
        // A revision that is no number cannot be compared: then the feed is believed.
        if let Ok(revision) = resource_version.parse() {
            self.0.insert(key, revision);
        }
    }

    /// True for a change that is no news: it is older than the controller's own write to the object. The write itself, as the
    /// feed shows it, is let through: it is the copy that the store holds anyway, and takes the place of ours.
    pub(crate) fn knows(&mut self, change: &Change) -> bool {
        let Some(own) = self.0.get(&change.key).copied() else {
            return false;
        };
        let Some(object) = &change.object else {
            // It may be an older object's end; what follows is then believed again.
            self.0.remove(&change.key);
            return false;
        };
        let shown: u64 = view::read::<MetaOnly>(object)
            .and_then(|object| object.metadata.resource_version.parse().ok())
            .unwrap_or(u64::MAX);
        if shown >= own {
            self.0.remove(&change.key);
        }
        shown < own
    }
}

#[cfg(test)]
mod tests {
    use kedge_client::Resource;

    use super::*;
    use crate::engine::key;

    fn change(revision: Option<u64>) -> Change {
        let object = revision
            .map(|revision| format!(r#"{{"metadata":{{"resourceVersion":"{revision}"}}}}"#).into());
        Change {
            key: key(Resource::PODS, "a", "b"),
            object,
        }
    }

    #[test]
    fn older_states_are_no_news() {
        let mut own = OwnWrites::default();
        assert!(!own.knows(&change(Some(4))));
        own.note(key(Resource::PODS, "a", "b"), "7");
        assert!(own.knows(&change(Some(5))));
        assert!(!own.knows(&change(Some(7))));
        assert!(!own.knows(&change(Some(5))), "then everything is believed");
    }

    #[test]
    fn a_younger_state_is_news() {
        let mut own = OwnWrites::default();
        own.note(key(Resource::PODS, "a", "b"), "7");
        assert!(!own.knows(&change(Some(8))));
    }

    #[test]
    fn a_deletion_is_news() {
        let mut own = OwnWrites::default();
        own.note(key(Resource::PODS, "a", "b"), "7");
        assert!(!own.knows(&change(None)));
        assert!(!own.knows(&change(Some(7))));
    }
}
