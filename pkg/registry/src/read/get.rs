//! GET of one object.

use std::sync::Arc;

use kedge_machinery::Status;
use kedge_store::Entry;

use super::revision;
use crate::admission::View;
use crate::registry::Registry;
use crate::request::{GetOptions, Target};
use crate::stored;

impl Registry {
    /// One object as it is stored now, or nothing; `namespace` is empty for a cluster-scoped kind. For the server's own
    /// questions: what a client asks goes through [`Self::get`].
    #[must_use]
    pub fn entry(
        &self,
        group: &str,
        plural: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Entry>> {
        let view = View {
            snapshot: &self.store().snapshot(),
            catalog: &self.inner.builtin,
        };
        view.entry(group, plural, namespace, name)
    }

    /// GET of one object: always the latest. 404 when there is none.
    pub fn get(&self, target: &Target, options: &GetOptions) -> Result<Arc<Entry>, Status> {
        let asked = revision::parse(&options.resource_version)?;
        let snapshot = self.store().snapshot();
        if asked > snapshot.revision() {
            return Err(revision::too_large(asked, snapshot.revision()));
        }
        snapshot
            .get(&target.key())
            .map(|entry| stored::entry(&target.kind, entry))
            .ok_or_else(|| target.not_found())
    }
}
