//! A served kind, as a value: built-in kinds are rows, a custom resource makes one at run time.

use std::sync::Arc;

use crate::custom::Custom;

/// One kind in one API version, with the resource that serves it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: String,
    pub version: String,
    /// For example `Service`.
    pub kind: String,
    /// The resource in paths, for example `services`.
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    /// Groups of resources that kubectl expands, for example `all`.
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// OpenAPI name of its schema, for example `io.k8s.api.core.v1.Service`.
    pub definition: String,
    pub subresources: Vec<Subresource>,
    /// Verbs of the resource itself, in the words and the order of discovery.
    pub verbs: Vec<&'static str>,
    /// What a `CustomResourceDefinition` says of it; `None` for built-in kinds.
    pub custom: Option<Arc<Custom>>,
}

/// A path below an object, for example `status`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subresource {
    pub name: String,
    /// Group, version and kind of the body, which may be another kind's (`TokenRequest`).
    pub group: String,
    pub version: String,
    pub kind: String,
    pub verbs: Vec<&'static str>,
}

impl Kind {
    /// `v1`, or `group/version`.
    #[must_use]
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// The kind of a list of these, for example `ServiceList`.
    #[must_use]
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// False for a kind that is asked and answered, and never stored (`TokenReview`).
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.verbs.contains(&"get")
    }

    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|s| s.name == name)
    }

    /// `plural` or `plural.group`, as messages name a resource.
    #[must_use]
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }
}

/// `v1` for the core group, otherwise `group/version`.
#[must_use]
pub fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_string()
    } else {
        format!("{group}/{version}")
    }
}
