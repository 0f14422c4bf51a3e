//! CustomResourceDefinitions (`apiextensions-apiserver/pkg/registry/customresourcedefinition`). What is served by them is for
//! [`crate::definitions`] to see to.

mod schema;
mod validate;

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object, structural, time};
use serde_json::{Map, Value, json};

use super::Strategy;
use crate::value::{child, default, field, flag, list, structs_mut, text};

/// The finalizer that stands for the objects of a definition that is going.
pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Whether a kind is that of definitions.
pub(crate) fn is(kind: &kedge_api::Kind) -> bool {
    kind.group == "apiextensions.k8s.io" && kind.kind == "CustomResourceDefinition"
}

pub(in crate::strategy) struct Definition;

impl Strategy for Definition {
    fn default(&self, object: &mut Object) {
        let Some(spec) = object.0.get_mut("spec").and_then(Value::as_object_mut) else {
            return;
        };
        let conversion = spec.entry("conversion").or_insert_with(|| json!({}));
        if let Some(conversion) = conversion.as_object_mut() {
            default(conversion, "strategy", "None");
            let service = conversion
                .get_mut("webhook")
                .and_then(|webhook| webhook.get_mut("clientConfig")?.get_mut("service"));
            if let Some(service) = service.and_then(Value::as_object_mut)
                && !service.contains_key("port")
            {
                service.insert("port".into(), 443.into());
            }
        }
        if spec.get("preserveUnknownFields") == Some(&Value::Bool(false)) {
            spec.remove("preserveUnknownFields");
        }
        if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
            let kind = field(names, "kind")
                .as_str()
                .unwrap_or_default()
                .to_string();
            if !kind.is_empty() {
                default(names, "singular", kind.to_lowercase());
                default(names, "listKind", format!("{kind}List"));
            }
        }
        for version in structs_mut(spec, "versions") {
            if version.get("deprecated") == Some(&Value::Bool(false)) {
                version.remove("deprecated");
            }
        }
    }

    fn prepare_create(&self, new: &mut Object) {
        let stored: Vec<String> = storage_versions(new).collect();
        new.0.insert(
            "status".into(),
            json!({"acceptedNames": {"kind": "", "plural": ""}, "conditions": [], "storedVersions": stored}),
        );
    }

    fn prepare_update(&self, new: &mut Object, _old: &Object, subresource: &str) {
        if !subresource.is_empty() {
            return;
        }
        let storage: Vec<String> = storage_versions(new).collect();
        let status = child_mut(&mut new.0, "status");
        let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
        if let Some(stored) = stored.as_array_mut() {
            for version in storage {
                if !stored.iter().any(|known| *known == version) {
                    stored.push(version.into());
                }
            }
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate::whole(object, false)
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return validate::stored_versions(new);
        }
        validate::update(new, old)
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let spec = field(&new.0, "spec");
        if old.is_some_and(|old| field(&old.0, "spec") == spec) {
            return Vec::new();
        }
        let mut said = Vec::new();
        let ruled = list(spec, "versions")
            .iter()
            .any(|version| structural::has_rules(child(version, "schema")));
        if ruled {
            said.push(
                "x-kubernetes-validations: rules in CEL are not checked by this server; objects are held to the rest of the schema"
                    .into(),
            );
        }
        if text(child(spec, "conversion"), "strategy") == "Webhook" {
            said.push(
                "spec.conversion.strategy: this server calls no conversion webhooks; of the versions only the one that is stored is served"
                    .into(),
            );
        }
        said
    }
}

/// The versions that are marked as stored: one, of a definition that is right.
fn storage_versions(definition: &Object) -> impl Iterator<Item = String> + '_ {
    let versions = list(field(&definition.0, "spec"), "versions").iter();
    versions
        .filter(|version| flag(version, "storage"))
        .map(|version| text(version, "name").to_string())
}

/// Marks a definition that is to go: its objects go first.
pub(crate) fn set_terminating(definition: &mut Object, now: jiff::Timestamp) {
    let meta = definition.meta_mut();
    let finalizers = meta.entry("finalizers").or_insert_with(|| json!([]));
    if let Some(list) = finalizers.as_array_mut()
        && !list.iter().any(|known| known == FINALIZER)
    {
        list.push(FINALIZER.into());
    }
    set_condition(
        child_mut(&mut definition.0, "status"),
        "Terminating",
        true,
        "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        now,
    );
}

/// Sets a condition; its time changes with its status alone. True when anything is another than before.
pub(crate) fn set_condition(
    status: &mut Map<String, Value>,
    kind: &str,
    holds: bool,
    reason: &str,
    message: &str,
    now: jiff::Timestamp,
) -> bool {
    let holds = if holds { "True" } else { "False" };
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else {
        return false;
    };
    let known = conditions
        .iter_mut()
        .find(|known| text(known, "type") == kind);
    let said = |since: &str| json!({"type": kind, "status": holds, "reason": reason, "message": message, "lastTransitionTime": since});
    match known {
        Some(known) => {
            let same = text(known, "status") == holds;
            let since = if same {
                text(known, "lastTransitionTime").to_string()
            } else {
                time::rfc3339(now)
            };
            let new = said(&since);
            let changed = *known != new;
            *known = new;
            changed
        }
        None => {
            conditions.push(said(&time::rfc3339(now)));
            true
        }
    }
}
