//! DELETE of a collection.

use std::sync::Arc;

use futures_util::StreamExt;
use kedge_api::Kind;
use kedge_machinery::Status;

use crate::keys;
use crate::registry::Registry;
use crate::request::{DeleteOptions, ListOptions, Page, Target};

/// Deletions under way at once: they share flushes of the store.
const AT_ONCE: usize = 64;

impl Registry {
    /// DELETE of all that a list with `selection` shows; the page holds them as they were. One that has gone
    /// meanwhile is no error; the first other error ends it.
    pub async fn delete_collection(
        &self,
        kind: &Arc<Kind>,
        namespace: &str,
        options: &DeleteOptions,
        selection: &ListOptions,
    ) -> Result<Page, Status> {
        let page = self.list(kind, namespace, selection)?;
        // Named before they are asked for: a closure that borrowed the entries would keep this future from being `Send`.
        let targets: Vec<Target> = page
            .items
            .iter()
            .map(|entry| {
                let (namespace, name) = keys::names(kind, &entry.key);
                Target::new(Arc::clone(kind), namespace, name)
            })
            .collect();
        let deletions = targets
            .into_iter()
            .map(|target| async move { self.delete_any(&target, options).await });
        let mut deletions = futures_util::stream::iter(deletions).buffer_unordered(AT_ONCE);
        while let Some(deleted) = deletions.next().await {
            match deleted {
                Ok(_) => {}
                Err(status) if status.is_not_found() => {}
                Err(status) => return Err(status),
            }
        }
        drop(deletions);
        Ok(page)
    }
}
