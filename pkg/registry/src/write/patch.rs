//! A patch, from the object that stands there to the one it makes of it.

use jiff::Timestamp;
use kedge_machinery::decode::spell_numbers;
use kedge_machinery::{FieldError, Object, Status, apply, patch};
use serde_json::Value;

use super::decode::{Decoded, strictly};
use super::metadata;
use crate::registry::Registry;
use crate::request::{FieldValidation, Patch, PatchKind, Target, WriteOptions};
use crate::value::text;

impl Registry {
    /// The patched object, checked and filled as a PUT of it would be.
    pub(super) fn patched(
        &self,
        target: &Target,
        patch: &Patch,
        old: &Object,
        options: &WriteOptions,
        now: Timestamp,
    ) -> Result<Decoded, Status> {
        if patch.kind == PatchKind::Apply {
            return self.applied(target, patch, Some(old), options, now);
        }
        let catalog = &self.inner.builtin;
        let before = Value::Object(old.0.clone());
        let patched = match patch.kind {
            PatchKind::Json => patch::json::apply(&before, &patch.body),
            PatchKind::Merge | PatchKind::Apply => patch::merge::apply(&before, &patch.body),
            PatchKind::Strategic => {
                let schema = catalog.schema(&target.kind);
                patch::strategic::apply(catalog.definitions(), schema, &before, &patch.body)
            }
        };
        let mut tree = patched
            .map_err(|error| error.status(&target.kind.group, &target.kind.kind, &target.name))?;
        self.check_types(target, &tree)
            .map_err(|why| undecodable(&tree, why))?;
        match patch.kind {
            // Read into the type that stands there, whatever it says of itself.
            PatchKind::Strategic => {}
            _ if target.kind.custom.is_some() => check_custom_kind(target, &tree)?,
            _ => self.check_kind(target, &tree)?,
        }
        name_kind(target, &mut tree);
        let mut warnings = self.strict_problems(target, &tree, options);
        if options.field_validation == FieldValidation::Strict && !warnings.is_empty() {
            let why = format!("strict decoding error: {}", warnings.join(", "));
            return Err(undecodable(&tree, why));
        }
        let mut object = self.settle(target, &mut tree);
        warnings.extend(metadata::deduplicate_owners(&mut object, true));
        metadata::agree_on_namespace(target, &mut object)?;
        metadata::agree_on_name(target, &object)?;
        Ok(Decoded {
            object,
            warnings,
            applied: false,
        })
    }

    /// What a patch makes of an object is read as what it says to be, and must be what stands there. Without a kind it is that; without a
    /// version it is read as upstream's internal type, which knows no field of it and so has no name.
    fn check_kind(&self, target: &Target, tree: &Value) -> Result<(), Status> {
        let (kind, version) = (text(tree, "kind"), text(tree, "apiVersion"));
        let same_kind = kind.is_empty() || kind == target.kind.kind;
        if version.is_empty() && same_kind {
            return Err(metadata::nameless(target));
        }
        if version == target.kind.api_version() && same_kind {
            return Ok(());
        }
        let (group, number) = version.split_once('/').unwrap_or(("", version));
        let why = match self.inner.builtin.find_kind(group, number, kind) {
            Some(_) => format!(
                "converting ({number}.{kind}) to ({}.{}): unknown conversion",
                target.kind.group, target.kind.kind
            ),
            None => format!("no kind {kind:?} is registered for version {version:?}"),
        };
        Err(undecodable(tree, why))
    }

    /// The outcome of a server-side apply on `old`, or on nothing.
    pub(super) fn applied(
        &self,
        target: &Target,
        patch: &Patch,
        old: Option<&Object>,
        options: &WriteOptions,
        now: Timestamp,
    ) -> Result<Decoded, Status> {
        let body: Result<Value, _> = serde_json::from_slice(&patch.body);
        let config =
            body.map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))?;
        let mut config = Object::from_value(config)
            .ok_or_else(|| Status::bad_request("error decoding YAML: the body is not an object"))?;
        let (kind, version) = (config.kind(), config.api_version());
        if kind != target.kind.kind || version != target.kind.api_version() {
            return Err(Status::bad_request(format!(
                "invalid object type: {version}, Kind={kind}"
            )));
        }
        // What is there already has its name.
        if old.is_some() {
            metadata::fill_name(target, &mut config);
        }
        metadata::agree_on_namespace(target, &mut config)?;
        metadata::agree_on_name(target, &config)?;
        let mut tree = config.into_value();
        // Upstream has no status of its own for a value that its schema does not take.
        self.check_types(target, &tree).map_err(|why| {
            let message = format!("failed to create typed patch object: {why}");
            Status::new(500, "", message)
        })?;
        // Items are told apart by their keys and values: those are compared as they will be stored.
        if target.kind.custom.is_some() {
            spell_numbers(&mut tree);
        }
        let config = Object::from_value(std::mem::take(&mut tree)).unwrap_or_default();
        let context = self.apply_context(target, options, now);
        let mut merged = apply::apply(&context, old, &config).map_err(|error| error.status())?;
        // Unknown fields were refused by the apply itself, whatever the client wants to know of them.
        let warnings = match options.field_validation {
            FieldValidation::Ignore => Vec::new(),
            FieldValidation::Strict if !options.duplicates.is_empty() => {
                let list = strictly(&options.duplicates);
                return Err(Status::bad_request(format!(
                    "error strict decoding YAML: error converting YAML to JSON: {list}"
                )));
            }
            FieldValidation::Strict | FieldValidation::Warn => options.duplicates.clone(),
        };
        // Which object the client means is no part of what it wants of it, but must hold.
        for key in ["uid", "resourceVersion"] {
            if !config.meta_text(key).is_empty() {
                let known = config.meta_text(key).into();
                merged.meta_mut().insert(key.into(), known);
            }
        }
        let mut tree = merged.into_value();
        let object = self.settle(target, &mut tree);
        Ok(Decoded {
            object,
            warnings,
            applied: true,
        })
    }
}

/// A custom resource has a kind, and a version that its definition has; another kind is wrong with it as a field would be.
fn check_custom_kind(target: &Target, tree: &Value) -> Result<(), Status> {
    let (kind, version) = (text(tree, "kind"), text(tree, "apiVersion"));
    if kind.is_empty() {
        let why = format!("Object 'Kind' is missing in '{tree}'");
        return Err(undecodable(tree, why));
    }
    if version != target.kind.api_version() {
        let why = format!("request to convert CR from an invalid group/version: {version}");
        return Err(undecodable(tree, why));
    }
    if kind != target.kind.kind {
        let why = format!("must be {}", target.kind.kind);
        let error = FieldError::invalid("kind", kind, why);
        return Err(Status::invalid(
            &target.kind.group,
            kind,
            &target.name,
            &[error],
        ));
    }
    Ok(())
}

/// The kind that stands there.
fn name_kind(target: &Target, tree: &mut Value) {
    if let Value::Object(map) = tree {
        map.insert("kind".into(), target.kind.kind.as_str().into());
        map.insert("apiVersion".into(), target.kind.api_version().into());
    }
}

/// 422: what a patch makes of the object cannot be read.
fn undecodable(tree: &Value, why: String) -> Status {
    let error = FieldError::invalid("patch", tree.to_string(), why);
    Status::invalid("", "", "", &[error])
}
