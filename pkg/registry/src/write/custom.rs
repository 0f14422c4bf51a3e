//! Custom resources on their way in: held to the schema of their definition, as built-in kinds are to that of their Go types.

use kedge_api::Catalog;
use kedge_api::custom::{Custom, OBJECT_META};
use kedge_machinery::decode::spell_numbers;
use kedge_machinery::schema::{self, Schema, Shape};
use kedge_machinery::structural::MetaSchema;
use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use super::shape;
use crate::value::copy_field;

/// The schema of metadata, the one part that has a Go type.
fn metadata() -> Schema {
    Schema {
        shape: Shape::Reference(OBJECT_META.into()),
        ..Schema::default()
    }
}

/// The text of what has the wrong JSON type in the metadata; the rest is for validation to see.
pub(super) fn check_types(catalog: &Catalog, tree: &Value) -> Result<(), String> {
    let own = tree.get("metadata").unwrap_or(&Value::Null);
    let checked = schema::types::check(catalog.definitions(), &metadata(), own);
    checked.map_err(|error| error.to_string())
}

pub(super) fn unknown_fields(custom: &Custom, catalog: &Catalog, tree: &Value) -> Vec<String> {
    let meta = MetaSchema {
        definitions: catalog.definitions(),
        schema: &metadata(),
    };
    custom.schema.prune(Some(meta), &mut tree.clone())
}

/// Leaves what the schema knows, and fills what it gives.
pub(super) fn settle(custom: &Custom, catalog: &Catalog, tree: &mut Value) {
    let (definitions, metadata) = (catalog.definitions(), metadata());
    let meta = MetaSchema {
        definitions,
        schema: &metadata,
    };
    custom.schema.prune(Some(meta), tree);
    spell_numbers(tree);
    custom.schema.fill(tree);
    if let Some(own) = tree.get_mut("metadata") {
        shape::shape(definitions, &metadata, own);
    }
}

/// What is wrong with an object by its schema. What was wrong before, and is as it was, is left alone (KEP-4008).
pub(super) fn validate(custom: &Custom, new: &Object, old: Option<&Object>) -> Vec<FieldError> {
    let errors = |object: &Object| custom.schema.validate(&Value::Object(object.0.clone()));
    let mut wrong = errors(new);
    if let (false, Some(old)) = (wrong.is_empty(), old) {
        let before = errors(old);
        wrong.retain(|error| !before.contains(error));
    }
    wrong
}

/// A write of the status changes nothing of the metadata that a client can say.
pub(super) fn keep_metadata(new: &mut Object, old: &Object) {
    let before = old.meta().cloned().unwrap_or_default();
    for key in ["labels", "annotations", "finalizers", "ownerReferences"] {
        copy_field(new.meta_mut(), &before, key);
    }
}
