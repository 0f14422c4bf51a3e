//! The typed shape of a kind: one tree that pruning, field validation, strategic merge,
//! server-side apply and OpenAPI all read.
//!
//! A schema is data. Built-in kinds get theirs from `kedge-api`; a custom resource brings its own ([`crate::structural`]).

mod defaults;
mod path;
mod prune;
#[cfg(test)]
pub(crate) mod testing;
pub mod types;
pub mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub use defaults::apply_defaults;
pub(crate) use defaults::default_of;
pub(crate) use path::Path;
pub use prune::prune;
pub(crate) use validate::unknown_below;

/// Definitions by their OpenAPI name, for example `io.k8s.api.core.v1.Service`.
#[derive(Debug, Clone, Default)]
pub struct Definitions(pub BTreeMap<String, Arc<Schema>>);

impl Definitions {
    /// Follows references until something else.
    #[must_use]
    pub fn resolve<'a>(&'a self, mut schema: &'a Schema) -> &'a Schema {
        while let Shape::Reference(name) = &schema.shape {
            match self.0.get(name) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }
}

/// One node of a schema.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub shape: Shape,
    pub description: String,
    pub default: Option<Value>,
    /// `x-kubernetes-patch-strategy` of a field: `merge`, `replace`, `retainKeys`, alone or together.
    pub patch_strategy: Vec<PatchStrategy>,
    /// `x-kubernetes-patch-merge-key` of a field.
    pub patch_merge_key: Option<String>,
}

/// What a value may be.
#[derive(Debug, Clone, Default)]
pub enum Shape {
    /// Anything: `RawExtension`, `FieldsV1`, `x-kubernetes-preserve-unknown-fields`.
    #[default]
    Any,
    String,
    /// `format: byte` (base64), as in `Secret.data`.
    Bytes,
    Integer {
        format: &'static str,
    },
    Number,
    Boolean,
    /// `IntOrString`.
    IntOrString,
    /// `resource.Quantity`: a string, given as a number too.
    Quantity,
    /// `metav1.Time` and `MicroTime` (RFC 3339), null when zero.
    Time {
        micro: bool,
    },
    /// A struct: the fields it knows.
    Struct {
        fields: BTreeMap<String, Schema>,
        required: Vec<String>,
        /// `x-kubernetes-map-type: atomic`.
        atomic: bool,
        /// `x-kubernetes-unions` are not used by the kinds served.
        preserve_unknown: bool,
    },
    /// A map from any string to one type.
    Map {
        value: Box<Schema>,
        atomic: bool,
    },
    List {
        item: Box<Schema>,
        list: ListType,
    },
    /// Another definition.
    Reference(String),
}

/// `x-kubernetes-list-type`, with `x-kubernetes-list-map-keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListType {
    Atomic,
    Set,
    Map { keys: Vec<String> },
}

/// A word of `x-kubernetes-patch-strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchStrategy {
    Merge,
    Replace,
    RetainKeys,
}
