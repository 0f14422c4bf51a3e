//! A patch, from the object that stands there to the one it makes of it.

use jiff::Timestamp;
use kedge_machinery::{FieldError, Object, Status, apply, patch};
use serde_json::Value;

use super::decode::Decoded;
use super::metadata;
use crate::registry::Registry;
use crate::request::{Patch, PatchKind, Target, WriteOptions};

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
        let catalog = &self.inner.catalog;
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
        if let Err(why) = self.check_types(target, &tree) {
            let shown = String::from_utf8_lossy(&patch.body).into_owned();
            let error = FieldError::invalid("patch", shown, why);
            return Err(Status::invalid("", "", "", &[error]));
        }
        let warnings = self.check_fields(target, &tree, options)?;
        let mut object = self.settle(target, &mut tree);
        metadata::agree_on_name(target, &mut object)?;
        metadata::agree_on_namespace(target, &mut object)?;
        Ok(Decoded {
            object,
            warnings,
            applied: false,
        })
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
        metadata::agree_on_name(target, &mut config)?;
        metadata::agree_on_namespace(target, &mut config)?;
        let mut tree = config.into_value();
        self.check_types(target, &tree).map_err(|why| {
            Status::bad_request(format!("failed to create typed patch object: {why}"))
        })?;
        let warnings = self.check_fields(target, &tree, options)?;
        let config = Object::from_value(std::mem::take(&mut tree)).unwrap_or_default();
        let context = self.apply_context(target, options, now);
        let mut merged = apply::apply(&context, old, &config).map_err(|error| error.status())?;
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
