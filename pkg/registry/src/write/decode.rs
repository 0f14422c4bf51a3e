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
        if object.kind().is_empty() && kind.custom.is_some() {
            return Err(Status::bad_request(format!(
                "{0} in version \"{1}\" cannot be handled as a {0}: Object 'Kind' is missing",
                kind.kind, kind.version
            )));
        } else if object.kind().is_empty() {
            object.0.insert("kind".into(), kind.kind.as_str().into());
        } else if object.kind() != kind.kind {
            return Err(Status::bad_request(format!(
                "{} in version \"{}\" cannot be handled as a {}: converting to the kind of the path is not possible",
                object.kind(),
                object.api_version(),
                kind.kind
            )));
        }
        // What has no type of Go says itself in which version it is.
        if object.api_version().is_empty() && kind.custom.is_none() {
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
        warnings.extend(metadata::deduplicate_owners(&mut object, false));
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
        // A body is read into Go's type, which passes over what it does not know, however often that is said. A patch, and
        // what has no Go type, is read before anything is known of its fields.
        let read_as_type = target.kind.custom.is_none() && !options.source.is_empty();
        if read_as_type {
            problems.retain(|told| !unknown.iter().any(|path| is_within(told, path)));
        }
        problems.extend(
            unknown
                .into_iter()
                .map(|path| format!("unknown field \"{path}\"")),
        );
        if read_as_type && problems.len() > 1 {
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
        let (kind, list) = (&target.kind, strictly(&problems));
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

/// True when a duplicate field is this one or stands below it.
fn is_within(duplicate: &str, path: &str) -> bool {
    let below = duplicate.strip_prefix("duplicate field \"");
    let below = below.and_then(|told| told.strip_prefix(path));
    below.is_some_and(|rest| rest.starts_with(['"', '.', '[']))
}

/// Problems as one text. Those of YAML's own come first, and are one to upstream.
pub(super) fn strictly(problems: &[String]) -> String {
    let of_yaml = |told: &&String| told.starts_with("line ");
    let (own, rest) = problems.split_at(problems.iter().take_while(of_yaml).count());
    if own.is_empty() {
        return rest.join(", ");
    }
    let own = format!("yaml: unmarshal errors:\n  {}", own.join("\n  "));
    [&[own], rest].concat().join(", ")
}
