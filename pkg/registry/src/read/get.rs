//! GET of one object.

use std::sync::Arc;

use kedge_machinery::Status;
use kedge_store::Entry;

use super::revision;
use crate::registry::Registry;
use crate::request::{GetOptions, Target};

impl Registry {
    /// GET of one object: always the latest. 404 when there is none.
    pub fn get(&self, target: &Target, options: &GetOptions) -> Result<Arc<Entry>, Status> {
        let asked = revision::parse(&options.resource_version)?;
        let snapshot = self.store().snapshot();
        if asked > snapshot.revision() {
            return Err(revision::too_large(asked, snapshot.revision()));
        }
        snapshot
            .get(&target.key())
            .ok_or_else(|| target.not_found())
    }
}
