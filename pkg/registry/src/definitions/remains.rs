//! The objects of a definition that is going.

use std::sync::Arc;

use kedge_api::Kind;
use kedge_store::Watch;

use crate::keys;
use crate::registry::Registry;
use crate::request::{DeleteOptions, Target};

pub(super) struct Remains {
    kind: Arc<Kind>,
    watch: Watch,
}

impl Remains {
    pub(super) fn of(registry: &Registry, kind: Arc<Kind>) -> Self {
        let (_, _, watch) = registry.follow(&kind);
        Self { kind, watch }
    }

    pub(super) fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    /// Deletes every object that is not going yet; how many are left, held by their finalizers.
    pub(super) async fn clear(&self, registry: &Registry) -> usize {
        let prefix = keys::prefix(&self.kind, "");
        let present: Vec<String> = registry
            .store()
            .snapshot()
            .range(&prefix, None)
            .map(|entry| entry.key.to_string())
            .collect();
        let mut left = 0;
        for key in present {
            let (namespace, name) = keys::names(&self.kind, &key);
            let target = Target::new(Arc::clone(&self.kind), namespace, name);
            match registry.delete(&target, &DeleteOptions::default()).await {
                Ok(deleted) if deleted.gone => {}
                Err(status) if status.is_not_found() => {}
                Ok(_) => left += 1,
                Err(status) => {
                    tracing::warn!(
                        "cannot delete {}/{name}, whose definition goes: {status}",
                        self.kind.plural
                    );
                    left += 1;
                }
            }
        }
        left
    }
}
