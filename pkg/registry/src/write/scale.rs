//! The subresource `scale`: how many Pods there should be, of a kind that makes them, as `autoscaling/v1` has it
//! (upstream: `ScaleREST` of each kind, `pkg/apis/autoscaling/validation`).
//!
//! A write of a Scale is one of `spec.replicas` of the object itself, with the precondition that the Scale carries.

use bytes::Bytes;
use jiff::Timestamp;
use kedge_api::Kind;
use kedge_api::columns::label_selector;
use kedge_api::custom::Custom;
use kedge_api::json_path::JsonPath;
use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object, Status};
use serde_json::{Map, Value, json};

use super::decode::Decoded;
use super::metadata;
use super::update::Change;
use crate::check;
use crate::registry::Registry;
use crate::request::{GetOptions, Patch, PatchKind, Target, WriteOptions, Written};
use crate::stored::parse;
use crate::value::copy_field;

const GROUP: &str = "autoscaling";

impl Registry {
    /// GET of a Scale.
    pub fn scale(&self, target: &Target) -> Result<Bytes, Status> {
        let entry = self.get(target, &GetOptions::default())?;
        Ok(Bytes::from(of(&target.kind, &parse(&entry)?).to_string()))
    }

    /// PUT of a Scale.
    pub async fn update_scale(
        &self,
        target: &Target,
        scale: Object,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let own = self.scale_target(target)?;
        let mut decoded = self.decode(&own, scale, options)?;
        metadata::agree_on_namespace(&own, &mut decoded.object)?;
        metadata::agree_on_name(&own, &decoded.object)?;
        answered(
            target,
            self.change(target, Change::Put(decoded), options).await?,
        )
    }

    /// PATCH of a Scale, in any language.
    pub async fn patch_scale(
        &self,
        target: &Target,
        patch: Patch,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        answered(
            target,
            self.change(target, Change::Patch(patch), options).await?,
        )
    }

    /// The object as a change of its Scale makes it.
    pub(super) fn scaled(
        &self,
        target: &Target,
        change: &Change,
        old: &Object,
        options: &WriteOptions,
        now: Timestamp,
    ) -> Result<Decoded, Status> {
        let own = self.scale_target(target)?;
        let before = Object::from_value(of(&target.kind, old)).unwrap_or_default();
        let mut decoded = match change {
            Change::Put(decoded) => decoded.clone(),
            Change::Patch(patch) if patch.kind == PatchKind::Apply => {
                // Refused as one of a Scale on its own would be; whose fields it takes is told by the object.
                let alone = WriteOptions {
                    force: true,
                    ..options.clone()
                };
                let made = self.applied(&own, patch, Some(&before), &alone, now)?;
                let whole = apply_of_whole(target, patch, &made.object)?;
                return self.applied(target, &whole, Some(old), options, now);
            }
            Change::Patch(patch) => self.patched(&own, patch, &before, options, now)?,
        };
        let scale = &decoded.object;
        let replicas = replicas(scale);
        check_replicas(target, replicas)?;
        let mut new = old.clone();
        set_at(&mut new.0, &spec_replicas(&target.kind), json!(replicas));
        if let Some(known) = scale.meta() {
            for key in ["uid", "resourceVersion"] {
                copy_field(new.meta_mut(), known, key);
            }
        }
        decoded.object = new;
        Ok(decoded)
    }

    /// The same object, as the kind Scale.
    fn scale_target(&self, target: &Target) -> Result<Target, Status> {
        let kind = self.inner.builtin.find_kind(GROUP, "v1", "Scale");
        let kind = kind.ok_or_else(|| Status::internal("the catalog has no Scale"))?;
        let mut own = target.clone();
        own.kind = kind.clone();
        Ok(own)
    }
}

/// An apply of a Scale, as one of the object: the manager then owns its `spec.replicas`. `made` is the Scale that it makes.
fn apply_of_whole(target: &Target, patch: &Patch, made: &Object) -> Result<Patch, Status> {
    check_replicas(target, replicas(made))?;
    let given: Value = serde_json::from_slice(&patch.body).unwrap_or_default();
    let given = Object::from_value(given).unwrap_or_default();
    let mut whole = Object::from_value(json!({
        "apiVersion": target.kind.api_version(), "kind": target.kind.kind,
        "metadata": given.0.get("metadata").cloned().unwrap_or_else(|| json!({})),
    }))
    .unwrap_or_default();
    if let Some(said) = given.at(&["spec", "replicas"]) {
        set_at(&mut whole.0, &spec_replicas(&target.kind), said.clone());
    }
    let whole = whole.into_value();
    Ok(Patch {
        kind: PatchKind::Apply,
        body: whole.to_string().into(),
    })
}

fn replicas(scale: &Object) -> i64 {
    let replicas = scale.at(&["spec", "replicas"]);
    replicas.and_then(Value::as_i64).unwrap_or_default()
}

fn check_replicas(target: &Target, replicas: i64) -> Result<(), Status> {
    match check::non_negative("spec.replicas", replicas) {
        Some(error) => Err(Status::invalid(GROUP, "Scale", &target.name, &[error])),
        None => Ok(()),
    }
}

fn answered(target: &Target, written: Written) -> Result<Written, Status> {
    let whole = serde_json::from_slice(&written.value).ok();
    let whole = whole
        .and_then(Object::from_value)
        .ok_or_else(|| Status::internal("a write left no object"))?;
    Ok(Written {
        value: of(&target.kind, &whole).to_string().into(),
        ..written
    })
}

/// The way to the number of replicas that is asked for.
fn spec_replicas(kind: &Kind) -> Vec<String> {
    let custom = kind
        .custom
        .as_ref()
        .and_then(|custom| custom.scale.as_ref());
    let fields = custom.and_then(|scale| scale.spec_replicas.fields());
    let fields = fields.unwrap_or_else(|| vec!["spec", "replicas"]);
    fields.into_iter().map(Into::into).collect()
}

/// What is wrong with the numbers and the selector that a custom resource's Scale shows (`ValidateScaleSpec`,
/// `ValidateScaleStatus`). A write of the status is not held to what is asked for.
pub(super) fn validate(custom: &Custom, object: &Object, subresource: &str) -> Vec<FieldError> {
    let Some(scale) = &custom.scale else {
        return Vec::new();
    };
    let mut errors = Vec::new();
    if subresource != "status" {
        errors.extend(count(object, &scale.spec_replicas));
    }
    errors.extend(count(object, &scale.status_replicas));
    if let Some(path) = &scale.selector
        && let Some(value) = at(object, path).filter(|value| !value.is_string())
    {
        let why = wrong_type(path, value, "string");
        errors.push(FieldError::invalid(path.text(), "", why));
    }
    errors
}

fn count(object: &Object, path: &JsonPath) -> Option<FieldError> {
    let value = at(object, path)?;
    let (said, why) = match value.as_i64() {
        None => (0, wrong_type(path, value, "int64")),
        Some(number) if number < 0 => (number, "should be a non-negative integer".into()),
        Some(number) if number > i64::from(i32::MAX) => {
            let why = format!("should be less than or equal to {}", i32::MAX);
            (number, why)
        }
        Some(_) => return None,
    };
    Some(FieldError::invalid(path.text(), said, why))
}

fn at<'o>(object: &'o Object, path: &JsonPath) -> Option<&'o Value> {
    object.at(&path.fields()?)
}

/// In the words of Go's accessors.
fn wrong_type(path: &JsonPath, value: &Value, wanted: &str) -> String {
    let (kind, shown) = match value {
        Value::Null => ("<nil>", "<nil>".to_string()),
        Value::Bool(_) => ("bool", value.to_string()),
        Value::Number(number) if number.is_f64() => ("float64", value.to_string()),
        Value::Number(_) => ("int64", value.to_string()),
        Value::String(text) => ("string", text.clone()),
        Value::Array(_) => ("[]interface {}", value.to_string()),
        Value::Object(_) => ("map[string]interface {}", value.to_string()),
    };
    let path = path.text();
    format!("{path} accessor error: {shown} is of the type {kind}, expected {wanted}")
}

fn set_at(map: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            map.insert(last.clone(), value);
        }
        [first, rest @ ..] => set_at(child_mut(map, first), rest, value),
    }
}

/// The Scale of an object.
fn of(kind: &Kind, object: &Object) -> Value {
    let mut meta = Map::new();
    if let Some(whole) = object.meta() {
        for key in [
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "creationTimestamp",
        ] {
            copy_field(&mut meta, whole, key);
        }
    }
    let custom = kind
        .custom
        .as_ref()
        .and_then(|custom| custom.scale.as_ref());
    let at = |path: Option<&JsonPath>, otherwise: &[&str]| {
        let fields = path.and_then(JsonPath::fields);
        object.at(fields.as_deref().unwrap_or(otherwise)).cloned()
    };
    let number = |part: &str| {
        let path = custom.map(|scale| match part {
            "spec" => &scale.spec_replicas,
            _ => &scale.status_replicas,
        });
        let number = at(path, &[part, "replicas"]);
        number.as_ref().and_then(Value::as_i64).unwrap_or_default()
    };
    let mut spec = Map::new();
    // Go leaves a zero out here, and says one below.
    if number("spec") != 0 {
        spec.insert("replicas".into(), number("spec").into());
    }
    let selector = match custom {
        Some(scale) => {
            let text = scale.selector.as_ref().and_then(|path| at(Some(path), &[]));
            text.as_ref()
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_string()
        }
        None => label_selector(object.at(&["spec", "selector"]).unwrap_or(&Value::Null)),
    };
    let mut status = Map::from_iter([("replicas".to_string(), json!(number("status")))]);
    if !selector.is_empty() {
        status.insert("selector".into(), selector.into());
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec, "status": status,
    })
}
