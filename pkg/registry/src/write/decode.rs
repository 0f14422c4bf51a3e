//! From a body to an object that the schema knows.

use kedge_machinery::{Object, Status, decode, schema};
use serde_json::Value;

use super::{custom, metadata, shape};
use crate::registry::Registry;
use crate::request::{FieldValidation, Target, WriteOptions};

/// An object on its way in.
#[derive(Debug, Clone)]
pub(super) struct Decoded {
    pub(super) object: Object,
    pub(super) warnings: Vec<String>,
    /// True when an apply has settled `managedFields` already.
    pub(super) applied: bool,
}

impl Registry {
    /// A POST or PUT body: checked against the schema, pruned to it, and filled with defaults. 400 for another kind,
    /// for a value of the wrong JSON type, and under `Strict` for unknown and duplicate fields.
    pub(super) fn decode(
        &self,
        target: &Target,
        mut object: Object,
        options: &WriteOptions,
    ) -> Result<Decoded, Status> {
        let kind = &target.kind;
        let version = kind.api_version();
        if object.kind().is_empty() {
            object.0.insert("kind".into(), kind.kind.as_str().into());
        } else if object.kind() != kind.kind {
            return Err(Status::bad_request(format!(
                "{} in version \"{}\" cannot be handled as a {}: converting to the kind of the path is not possible",
                object.kind(),
                object.api_version(),
                kind.kind
            )));
        }
        if object.api_version().is_empty() {
            object
                .0
                .insert("apiVersion".into(), version.as_str().into());
        } else if object.api_version() != version {
            return Err(Status::bad_request(format!(
                "the API version in the data ({}) does not match the expected API version ({version})",
                object.api_version()
            )));
        }
        let mut tree = object.into_value();
        self.check_types(target, &tree).map_err(|why| {
            let name = &kind.kind;
            Status::bad_request(format!(
                "{name} in version \"{}\" cannot be handled as a {name}: {why}",
                kind.version
            ))
        })?;
        let mut warnings = self.check_fields(target, &tree, options)?;
        let mut object = self.settle(target, &mut tree);
        warnings.extend(metadata::deduplicate_owners(&mut object));
        Ok(Decoded {
            object,
            warnings,
            applied: false,
        })
    }

    /// The text of what has the wrong JSON type.
    pub(super) fn check_types(&self, target: &Target, tree: &Value) -> Result<(), String> {
        let catalog = &self.inner.builtin;
        if target.kind.custom.is_some() {
            return custom::check_types(catalog, tree);
        }
        let (definitions, schema) = (catalog.definitions(), catalog.schema(&target.kind));
        schema::types::check(definitions, schema, tree).map_err(|e| e.to_string())?;
        shape::illegal_bytes(definitions, schema, tree).map_or(Ok(()), Err)
    }

    /// Unknown and duplicate fields; none where nobody wants to know of them.
    pub(super) fn strict_problems(
        &self,
        target: &Target,
        tree: &Value,
        options: &WriteOptions,
    ) -> Vec<String> {
        if options.field_validation == FieldValidation::Ignore {
            return Vec::new();
        }
        let catalog = &self.inner.builtin;
        let unknown = match &target.kind.custom {
            Some(own) => custom::unknown_fields(own, catalog, tree),
            None => schema::validate::unknown_fields(
                catalog.definitions(),
                catalog.schema(&target.kind),
                tree,
            ),
        };
        let mut problems = options.duplicates.clone();
        problems.extend(
            unknown
                .into_iter()
                .map(|path| format!("unknown field \"{path}\"")),
        );
        if problems.len() > 1 {
            decode::in_order(&options.source, &mut problems);
        }
        problems
    }

    /// Unknown and duplicate fields of an object that a client sent: an error, warnings, or nothing.
    fn check_fields(
        &self,
        target: &Target,
        tree: &Value,
        options: &WriteOptions,
    ) -> Result<Vec<String>, Status> {
        let problems = self.strict_problems(target, tree, options);
        if problems.is_empty() || options.field_validation == FieldValidation::Warn {
            return Ok(problems);
        }
        let (kind, list) = (&target.kind, problems.join(", "));
        Err(Status::bad_request(format!(
            "{0} in version \"{1}\" cannot be handled as a {0}: strict decoding error: {list}",
            kind.kind, kind.version
        )))
    }

    /// Leaves what the schema knows, and fills what it gives.
    pub(super) fn settle(&self, target: &Target, tree: &mut Value) -> Object {
        let catalog = &self.inner.builtin;
        let no_owners = tree.pointer("/metadata/managedFields") == Some(&Value::Array(Vec::new()));
        let mut object = if let Some(own) = &target.kind.custom {
            custom::settle(own, catalog, tree);
            Object::from_value(std::mem::take(tree)).unwrap_or_default()
        } else {
            let (definitions, schema) = (catalog.definitions(), catalog.schema(&target.kind));
            schema::prune(definitions, schema, tree);
            schema::apply_defaults(definitions, schema, tree);
            shape::shape(definitions, schema, tree);
            let mut object = Object::from_value(std::mem::take(tree)).unwrap_or_default();
            target.strategy().default(&mut object);
            object
        };
        // Empty is more than absent until owners are recorded: it forgets them.
        if no_owners {
            let metadata = object.meta_mut();
            metadata.insert("managedFields".into(), Value::Array(Vec::new()));
        }
        object
    }
}
