//! The state that a write is judged by.

use std::sync::Arc;

use kedge_api::Catalog;
use kedge_machinery::{Object, Status};
use kedge_store::{Entry, Snapshot};

use crate::keys;
use crate::stored::parse;

/// Everything stored, at one revision.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) catalog: &'a Catalog,
}

impl<'a> View<'a> {
    /// The kinds that are built in.
    #[must_use]
    pub fn catalog(&self) -> &'a Catalog {
        self.catalog
    }

    /// One object, as it is stored; `namespace` is empty for a cluster-scoped kind.
    #[must_use]
    pub fn entry(
        &self,
        group: &str,
        plural: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Entry>> {
        let mut key = prefix(group, plural, namespace);
        key.push_str(name);
        self.snapshot.get(&key)
    }

    /// One object, read; 500 when what is stored cannot be read.
    pub fn object(
        &self,
        group: &str,
        plural: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Object>, Status> {
        self.entry(group, plural, namespace, name)
            .map(|entry| parse(&entry))
            .transpose()
    }

    /// All objects of a resource, in the order of their keys; an empty namespace means all.
    pub fn objects(
        &self,
        group: &str,
        plural: &str,
        namespace: &str,
    ) -> Result<Vec<Object>, Status> {
        self.entries(group, plural, namespace)
            .iter()
            .map(|entry| parse(entry))
            .collect()
    }

    /// The same, as they are stored.
    #[must_use]
    pub fn entries(&self, group: &str, plural: &str, namespace: &str) -> Vec<Arc<Entry>> {
        let prefix = prefix(group, plural, namespace);
        self.snapshot.range(&prefix, None).collect()
    }
}

fn prefix(group: &str, plural: &str, namespace: &str) -> String {
    let mut prefix = keys::resource(group, plural);
    if !namespace.is_empty() {
        prefix.push_str(namespace);
        prefix.push('/');
    }
    prefix
}
