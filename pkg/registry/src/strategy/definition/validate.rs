//! What a definition must be (`apiextensions-apiserver/pkg/apis/apiextensions/validation`).

use std::collections::BTreeSet;

use kedge_machinery::{FieldError, Object, names};
use serde_json::{Map, Value};

use super::schema;
use crate::check;
use crate::value::{child, field, flag, list, present, text};

const APPROVED: &str = "api-approved.kubernetes.io";
const APPROVAL: &str = "https://github.com/kubernetes/enhancements/pull/1111";

/// A whole definition. `known` is true where a definition that was taken already is changed.
pub(super) fn whole(object: &Object, known: bool) -> Vec<FieldError> {
    let spec = field(&object.0, "spec");
    let (group, plural) = (text(spec, "group"), text(child(spec, "names"), "plural"));
    let mut errors = Vec::new();
    if object.name() != format!("{plural}.{group}") {
        errors.push(FieldError::invalid(
            "metadata.name",
            object.name(),
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    errors.extend(self::group(group));
    errors.extend(check::one_of(
        "spec.scope",
        text(spec, "scope"),
        &["Cluster", "Namespaced"],
    ));
    errors.extend(versions(spec));
    errors.extend(names(child(spec, "names")));
    errors.extend(conversion(child(spec, "conversion")));
    if flag(spec, "preserveUnknownFields") {
        errors.push(FieldError::invalid(
            "spec.preserveUnknownFields",
            true,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ));
    }
    errors.extend(stored_versions(object));
    if !known {
        errors.extend(approval(object, group));
    }
    errors
}

/// What an update may not change.
pub(super) fn update(new: &Object, old: &Object) -> Vec<FieldError> {
    let (spec, before) = (field(&new.0, "spec"), field(&old.0, "spec"));
    let mut errors = whole(new, true);
    let same = |errors: &mut Vec<FieldError>, path: &str, a: &Value, b: &Value, key: &str| {
        errors.extend(check::immutable(path, a.get(key), b.get(key)));
    };
    let (names, known) = (child(spec, "names"), child(before, "names"));
    if is_established(old) {
        same(&mut errors, "spec.scope", spec, before, "scope");
        same(&mut errors, "spec.names.kind", names, known, "kind");
    }
    same(&mut errors, "spec.group", spec, before, "group");
    same(&mut errors, "spec.names.plural", names, known, "plural");
    let webhook = text(child(spec, "conversion"), "strategy") == "Webhook";
    if webhook && storage(spec) != storage(before) {
        errors.push(FieldError::forbidden(
            "spec.versions",
            "the stored version cannot change under the conversion strategy Webhook: this server calls no conversion webhooks",
        ));
    }
    errors
}

fn storage(spec: &Value) -> Option<&str> {
    let mut versions = list(spec, "versions").iter();
    let found = versions.find(|version| flag(version, "storage"));
    found.map(|version| text(version, "name"))
}

fn is_established(definition: &Object) -> bool {
    let conditions = list(field(&definition.0, "status"), "conditions").iter();
    conditions
        .filter(|condition| text(condition, "type") == "Established")
        .any(|condition| text(condition, "status") == "True")
}

fn group(group: &str) -> Vec<FieldError> {
    if group.is_empty() {
        return vec![FieldError::required("spec.group", "")];
    }
    let wrong = names::dns1123_subdomain(group);
    if !wrong.is_empty() {
        return vec![FieldError::invalid("spec.group", group, wrong.join(","))];
    }
    if !group.contains('.') {
        let why = "should be a domain with at least one dot";
        return vec![FieldError::invalid("spec.group", group, why)];
    }
    Vec::new()
}

fn versions(spec: &Value) -> Vec<FieldError> {
    const AT: &str = "spec.versions";
    let versions = list(spec, "versions");
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    let mut unique = true;
    let paths = schema::Paths::of(versions);
    for (i, version) in versions.iter().enumerate() {
        let at = format!("{AT}[{i}]");
        let name = text(version, "name");
        unique &= seen.insert(name);
        errors.extend(label(&format!("{at}.name"), name));
        errors.extend(deprecation(version, &at));
        if flag(version, "served") && present(child(version, "schema"), "openAPIV3Schema").is_none()
        {
            let at = format!("{at}.schema.openAPIV3Schema");
            errors.push(FieldError::required(at, "schemas are required"));
        }
        errors.extend(schema::of_version(version, &paths, i));
    }
    let shown = || Value::Array(versions.to_vec());
    if !unique {
        errors.push(FieldError::invalid(
            AT,
            shown(),
            "must contain unique version names",
        ));
    }
    if versions
        .iter()
        .filter(|version| flag(version, "storage"))
        .count()
        != 1
    {
        let why = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid(AT, shown(), why));
    }
    errors
}

fn deprecation(version: &Value, at: &str) -> Option<FieldError> {
    let at = format!("{at}.deprecationWarning");
    let said = present(version, "deprecationWarning")?.as_str()?;
    let wrong = |why: &str| Some(FieldError::invalid(at.clone(), said, why));
    if !flag(version, "deprecated") {
        wrong("can only be set for deprecated versions")
    } else if said.is_empty() {
        wrong("must not be empty")
    } else if said.len() > 256 {
        wrong(&format!("must be <= 256 bytes, got {}", said.len()))
    } else if said.chars().any(char::is_control) {
        wrong("must only contain printable UTF-8 characters")
    } else {
        None
    }
}

fn names(names: &Value) -> Vec<FieldError> {
    const AT: &str = "spec.names";
    let mut errors = Vec::new();
    for key in ["plural", "singular", "kind", "listKind"] {
        let (at, said) = (format!("{AT}.{key}"), text(names, key));
        if said.is_empty() {
            errors.push(FieldError::required(at, ""));
            continue;
        }
        if !key.ends_with("ind") {
            errors.extend(label(&at, said));
            continue;
        }
        let wrong = names_of_kind(said);
        if !wrong.is_empty() {
            let why = format!("may have mixed case, but should otherwise match: {wrong}");
            errors.push(FieldError::invalid(at, said, why));
        }
    }
    for key in ["shortNames", "categories"] {
        for (i, name) in list(names, key).iter().enumerate() {
            errors.extend(label(
                &format!("{AT}.{key}[{i}]"),
                name.as_str().unwrap_or_default(),
            ));
        }
    }
    let kind = text(names, "kind");
    if !kind.is_empty() && kind == text(names, "listKind") {
        errors.push(FieldError::invalid(
            format!("{AT}.listKind"),
            kind,
            "kind and listKind may not be the same",
        ));
    }
    errors
}

fn names_of_kind(kind: &str) -> String {
    names::dns1035_label(&kind.to_lowercase()).join(",")
}

fn label(at: &str, name: &str) -> Option<FieldError> {
    let wrong = names::dns1035_label(name);
    (!wrong.is_empty()).then(|| FieldError::invalid(at, name, wrong.join(",")))
}

fn conversion(conversion: &Value) -> Vec<FieldError> {
    const AT: &str = "spec.conversion";
    let mut errors = Vec::new();
    let strategy = text(conversion, "strategy");
    errors.extend(check::one_of(
        &format!("{AT}.strategy"),
        strategy,
        &["None", "Webhook"],
    ));
    let webhook = present(conversion, "webhook");
    if strategy != "Webhook" && webhook.is_some() {
        errors.push(FieldError::forbidden(
            format!("{AT}.webhook"),
            "should not be set when strategy is not set to Webhook",
        ));
    }
    if strategy == "Webhook" && webhook.and_then(|w| present(w, "clientConfig")).is_none() {
        errors.push(FieldError::required(
            format!("{AT}.webhookClientConfig"),
            "required when strategy is set to Webhook",
        ));
    }
    errors
}

/// `status.storedVersions`: versions of the definition, the stored one among them.
pub(super) fn stored_versions(object: &Object) -> Vec<FieldError> {
    const AT: &str = "status.storedVersions";
    let spec = field(&object.0, "spec");
    let stored = list(field(&object.0, "status"), "storedVersions");
    let shown = || Value::Array(stored.to_vec());
    if stored.is_empty() {
        return vec![FieldError::invalid(
            AT,
            shown(),
            "must have at least one stored version",
        )];
    }
    let known: Vec<&str> = list(spec, "versions")
        .iter()
        .map(|version| text(version, "name"))
        .collect();
    let mut errors: Vec<FieldError> = stored
        .iter()
        .enumerate()
        .filter(|(_, version)| !known.contains(&version.as_str().unwrap_or_default()))
        .map(|(i, version)| {
            let at = format!("{AT}[{i}]");
            let why = "missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions";
            let version = version.as_str().unwrap_or_default();
            FieldError::invalid(at, version, why.replace("v1", version))
        })
        .collect();
    if let Some(storage) = storage(spec).filter(|s| !stored.iter().any(|known| known == s)) {
        let why = format!("must have the storage version {storage}");
        errors.push(FieldError::invalid(AT, shown(), why));
    }
    errors
}

/// Groups of Kubernetes itself are for who has its word (KEP-1111).
fn approval(object: &Object, group: &str) -> Option<FieldError> {
    let protected = ["k8s.io", "kubernetes.io"];
    let is_protected = protected
        .iter()
        .any(|domain| group == *domain || group.ends_with(&format!(".{domain}")));
    if !is_protected {
        return None;
    }
    let annotations: Option<&Map<String, Value>> = object
        .at(&["metadata", "annotations"])
        .and_then(Value::as_object);
    let said = annotations.map_or("", |all| field(all, APPROVED).as_str().unwrap_or_default());
    let at = format!("metadata.annotations[{APPROVED}]");
    let must = format!("protected groups must have approval annotation \"{APPROVED}\"");
    if said.is_empty() {
        Some(FieldError::required(at, format!("{must}, see {APPROVAL}")))
    } else if said.starts_with("unapproved")
        || said.starts_with("https://")
        || said.starts_with("http://")
    {
        None
    } else {
        let why = format!(
            "{must} with either a URL or a reason starting with \"unapproved\", see {APPROVAL}"
        );
        Some(FieldError::invalid(at, said, why))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn definition(change: impl FnOnce(&mut Value)) -> Object {
        let mut whole = json!({
            "metadata": {"name": "gadgets.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced", "conversion": {"strategy": "None"},
                "names": {"kind": "Gadget", "listKind": "GadgetList", "plural": "gadgets", "singular": "gadget"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}],
            },
            "status": {"storedVersions": ["v1"]},
        });
        change(&mut whole);
        Object::from_value(whole).unwrap()
    }

    fn told(object: &Object) -> Vec<String> {
        let errors = whole(object, false);
        errors
            .iter()
            .map(|e| format!("{}: {:?}: {}", e.field, e.kind, e.detail))
            .collect()
    }

    #[rstest]
    #[case("/metadata/name", json!("gadget.example.com"), &["metadata.name: Invalid: must be spec.names.plural+\".\"+spec.group"])]
    #[case("/spec/scope", json!("World"), &["spec.scope: NotSupported: supported values: \"Cluster\", \"Namespaced\""])]
    #[case("/spec/scope", json!(""), &["spec.scope: Required: "])]
    #[case("/spec/versions/0/storage", json!(false), &["spec.versions: Invalid: must have exactly one version marked as storage version"])]
    #[case("/spec/versions/0/schema", json!({}), &["spec.versions[0].schema.openAPIV3Schema: Required: schemas are required"])]
    #[case("/spec/versions/0/schema/openAPIV3Schema", json!({"type": "object", "properties": {"a": {}}}),
        &["spec.validation.openAPIV3Schema.properties[a].type: Required: must not be empty for specified object fields"])]
    #[case("/spec/names/listKind", json!("Gadget"), &["spec.names.listKind: Invalid: kind and listKind may not be the same"])]
    #[case("/spec/conversion/strategy", json!("Magic"), &["spec.conversion.strategy: NotSupported: supported values: \"None\", \"Webhook\""])]
    #[case("/spec/conversion/strategy", json!("Webhook"), &["spec.conversion.webhookClientConfig: Required: required when strategy is set to Webhook"])]
    #[case("/status/storedVersions", json!([]), &["status.storedVersions: Invalid: must have at least one stored version"])]
    fn what_is_wrong(#[case] at: &str, #[case] value: Value, #[case] expected: &[&str]) {
        let object = definition(|whole| *whole.pointer_mut(at).unwrap() = value);
        assert_eq!(told(&object), expected);
    }

    #[test]
    fn a_right_one_and_names_that_are_no_labels() {
        assert!(told(&definition(|_| {})).is_empty());
        let object = definition(|whole| {
            whole["spec"]["names"]["shortNames"] = json!(["G"]);
            whole["spec"]["versions"][0]["name"] = json!("1");
            whole["status"]["storedVersions"] = json!(["1"]);
        });
        let fields: Vec<String> = whole(&object, false).into_iter().map(|e| e.field).collect();
        assert_eq!(
            fields,
            ["spec.versions[0].name", "spec.names.shortNames[0]"]
        );
    }

    #[test]
    fn groups_of_kubernetes_need_its_word() {
        let object = |annotation: Option<&str>| {
            definition(|whole| {
                whole["metadata"] = json!({"name": "gadgets.apps.k8s.io"});
                whole["spec"]["group"] = json!("apps.k8s.io");
                if let Some(text) = annotation {
                    whole["metadata"]["annotations"] = json!({APPROVED: text});
                }
            })
        };
        assert_eq!(told(&object(None)).len(), 1);
        assert_eq!(told(&object(Some("maybe"))).len(), 1);
        assert!(told(&object(Some("https://example.com"))).is_empty());
    }

    #[test]
    fn what_never_changes() {
        let old = definition(|whole| {
            whole["status"]["conditions"] = json!([{"type": "Established", "status": "True"}]);
        });
        let mut new = old.clone().into_value();
        new["spec"]["scope"] = json!("Cluster");
        new["spec"]["names"]["kind"] = json!("Other");
        let fields: Vec<String> = update(&Object::from_value(new).unwrap(), &old)
            .into_iter()
            .map(|e| e.field)
            .collect();
        assert_eq!(fields, ["spec.scope", "spec.names.kind"]);
    }
}
