//! What metadata must be (apimachinery `api/validation/objectmeta.go`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::status::FieldErrorKind;
use crate::{FieldError, Object, names};

/// Bytes of all annotations together.
pub(crate) const ANNOTATIONS_MAX: usize = 256 << 10;
/// The longest name of a field manager, in bytes.
pub const MANAGER_LENGTH: usize = 128;
const SUBRESOURCE_LENGTH: usize = 256;
/// Finalizers that need no prefix.
const STANDARD_FINALIZERS: [&str; 3] = ["foregroundDeletion", "kubernetes", "orphan"];
/// Metadata that no update may change.
const IMMUTABLE: [&str; 6] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// What is wrong with metadata, as that of a new object. `name` gives the messages about a name, or about the
/// beginning of one (`true`).
pub fn object_meta(
    object: &Object,
    namespaced: bool,
    name: impl Fn(&str, bool) -> Vec<String>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let invalid = |field: &str, value: &str, messages: Vec<String>| {
        let field = field.to_string();
        let value = value.to_string();
        messages
            .into_iter()
            .map(move |message| FieldError::invalid(field.clone(), value.clone(), message))
    };
    let generate = object.meta_text("generateName");
    if !generate.is_empty() {
        errors.extend(invalid(
            "metadata.generateName",
            generate,
            name(generate, true),
        ));
    }
    match object.name() {
        "" => errors.push(FieldError::required(
            "metadata.name",
            "name or generateName is required",
        )),
        given => errors.extend(invalid("metadata.name", given, name(given, false))),
    }
    match (namespaced, object.namespace()) {
        (true, "") => errors.push(FieldError::required("metadata.namespace", "")),
        (true, given) => errors.extend(invalid(
            "metadata.namespace",
            given,
            names::dns1123_label(given),
        )),
        (false, "") => {}
        (false, _) => errors.push(FieldError::forbidden(
            "metadata.namespace",
            "not allowed on this type",
        )),
    }
    errors.extend(accessor(object));
    errors.extend(finalizer_names(object));
    errors.extend(managers(object));
    errors
}

/// What is wrong with those who are said to own fields. What else cannot be read of an entry was passed over when it came in.
fn managers(object: &Object) -> Vec<FieldError> {
    let entries = object
        .meta()
        .and_then(|meta| meta.get("managedFields"))
        .and_then(Value::as_array);
    let mut errors = Vec::new();
    for (i, entry) in entries.into_iter().flatten().enumerate() {
        let at = |key: &str| format!("metadata.managedFields[{i}].{key}");
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        errors.extend(field_manager(&at("manager"), text("manager")));
        if text("subresource").len() > SUBRESOURCE_LENGTH {
            errors.push(too_long(at("subresource"), SUBRESOURCE_LENGTH));
        }
    }
    errors
}

fn too_long(field: String, bytes: usize) -> FieldError {
    let detail = format!("may not be more than {bytes} bytes");
    FieldError::new(FieldErrorKind::TooLong, field, None, detail)
}

/// What is wrong with the name of a field manager (`ValidateFieldManager`).
#[must_use]
pub fn field_manager(field: &str, manager: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if manager.len() > MANAGER_LENGTH {
        errors.push(too_long(field.into(), MANAGER_LENGTH));
    }
    let unprintable = manager.char_indices().filter(|(_, c)| !is_printable(*c));
    errors.extend(unprintable.map(|(at, c)| {
        let why = format!(
            "invalid character U+{:04X} (at position {at})",
            u32::from(c)
        );
        FieldError::invalid(field, manager, why)
    }));
    errors
}

/// Letters, marks, numbers, punctuation, symbols and the plain space (Go: `unicode.IsPrint`).
#[must_use]
pub fn is_printable(c: char) -> bool {
    // Behind a letter, what is escaped for people to see is what cannot be printed, quotes and backslashes apart.
    let shown = || String::from_iter(['a', c]).escape_debug().nth(1) == Some(c);
    c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && shown())
}

/// What is wrong with metadata that any object may have, new or not.
fn accessor(object: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in object.labels() {
        for message in names::qualified_name(key) {
            errors.push(FieldError::invalid("metadata.labels", key, message));
        }
        for message in names::label_value(value) {
            errors.push(FieldError::invalid("metadata.labels", value, message));
        }
    }
    let mut size = 0;
    for (key, value) in object.annotations() {
        for message in names::qualified_name(&key.to_lowercase()) {
            errors.push(FieldError::invalid("metadata.annotations", key, message));
        }
        size += key.len() + value.len();
    }
    if size > ANNOTATIONS_MAX {
        errors.push(too_long("metadata.annotations".into(), ANNOTATIONS_MAX));
    }
    let owners = object
        .meta()
        .and_then(|m| m.get("ownerReferences"))
        .and_then(Value::as_array);
    errors.extend(owner_references(owners.map_or(&[][..], Vec::as_slice)));
    errors
}

/// What is wrong with finalizers by their names.
fn finalizer_names(object: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for finalizer in object.finalizers() {
        for message in names::qualified_name(finalizer) {
            errors.push(FieldError::invalid(
                "metadata.finalizers",
                finalizer,
                message,
            ));
        }
    }
    let has = |wanted: &str| object.finalizers().any(|f| f == wanted);
    if has("orphan") && has("foregroundDeletion") {
        let both: Vec<&str> = object.finalizers().collect();
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid("metadata.finalizers", both, detail));
    }
    errors
}

fn owner_references(owners: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let text = |owner: &Value, key: &str| {
        owner
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_string()
    };
    let mut first_controller: Option<String> = None;
    for owner in owners {
        // Upstream names the list without the item's number.
        let at = |key: &str| format!("metadata.ownerReferences.{key}");
        let version = text(owner, "apiVersion");
        if version.is_empty() || version.ends_with('/') {
            errors.push(FieldError::invalid(
                at("apiVersion"),
                version,
                "version must not be empty",
            ));
        }
        for key in ["kind", "name", "uid"] {
            let value = text(owner, key);
            if value.is_empty() {
                errors.push(FieldError::invalid(at(key), value, "must not be empty"));
            }
        }
        if text(owner, "kind") == "Event" && text(owner, "apiVersion") == "v1" {
            errors.push(FieldError::invalid(
                "metadata.ownerReferences",
                owner.clone(),
                "/v1, Kind=Event is disallowed from being an owner",
            ));
        }
        if owner.get("controller").and_then(Value::as_bool) != Some(true) {
            continue;
        }
        let this = format!("{}/{}", text(owner, "kind"), text(owner, "name"));
        match &first_controller {
            None => first_controller = Some(this),
            Some(first) => errors.push(FieldError::invalid(
                "metadata.ownerReferences",
                owners.to_vec(),
                format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                ),
            )),
        }
    }
    errors
}

/// Finalizers that Kubernetes' own kinds may not have: those without a prefix, but for its own (core
/// `validateKubeFinalizerName`).
#[must_use]
pub fn finalizers(object: &Object) -> Vec<FieldError> {
    let named = object.finalizers().enumerate();
    let wrong = named.filter_map(|(i, name)| finalizer(&format!("metadata.finalizers[{i}]"), name));
    wrong.collect()
}

/// The same of one of them, wherever it stands.
#[must_use]
pub fn finalizer(path: &str, name: &str) -> Option<FieldError> {
    let why = "name is neither a standard finalizer name nor is it fully qualified";
    is_bare(name).then(|| FieldError::invalid(path, name, why))
}

/// What is said of such finalizers of any other kind, when they are new.
#[must_use]
pub fn finalizer_warnings(new: &Object, old: Option<&Object>) -> Vec<String> {
    let had = |finalizer: &str| old.is_some_and(|old| old.finalizers().any(|own| own == finalizer));
    let added: BTreeSet<&str> = new
        .finalizers()
        .filter(|finalizer| is_bare(finalizer) && !had(finalizer))
        .collect();
    let warnings = added.into_iter().map(|finalizer| {
        format!(
            "metadata.finalizers: {finalizer:?}: prefer a domain-qualified finalizer name including a path (/) to avoid accidental \
             conflicts with other finalizer writers"
        )
    });
    warnings.collect()
}

fn is_bare(finalizer: &str) -> bool {
    !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer)
}

/// What is wrong with a change of metadata, and with what of the new metadata upstream looks at there.
#[must_use]
pub fn object_meta_update(new: &Object, old: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let field = |object: &Object, key: &str| {
        object
            .meta()
            .and_then(|m| m.get(key))
            .cloned()
            .unwrap_or(Value::Null)
    };
    if old.is_terminating() {
        // Nothing may newly hold back an object that is on its way out.
        let added: BTreeSet<&str> = new
            .finalizers()
            .filter(|f| !old.finalizers().any(|o| o == *f))
            .collect();
        if !added.is_empty() {
            let added: Vec<String> = added
                .iter()
                .map(|finalizer| format!("{finalizer:?}"))
                .collect();
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", detail));
        }
    }
    let generation = |object: &Object| field(object, "generation").as_i64().unwrap_or(0);
    if generation(new) < generation(old) {
        errors.push(FieldError::invalid(
            "metadata.generation",
            generation(new),
            "must not be decremented",
        ));
    }
    for key in IMMUTABLE {
        let (now, before) = (field(new, key), field(old, key));
        if now != before && !(now.is_null() && before == "") && !(before.is_null() && now == "") {
            errors.push(FieldError::invalid(
                format!("metadata.{key}"),
                now,
                "field is immutable",
            ));
        }
    }
    errors.extend(accessor(new));
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(meta: Value) -> Object {
        Object::from_value(json!({"metadata": meta})).unwrap()
    }

    fn fields(errors: &[FieldError]) -> Vec<&str> {
        errors.iter().map(|e| e.field.as_str()).collect()
    }

    #[test]
    fn new_objects() {
        let check = |meta, namespaced| {
            let errors = object_meta(&object(meta), namespaced, |name, _| {
                names::dns1123_subdomain(name)
            });
            fields(&errors)
                .into_iter()
                .map(String::from)
                .collect::<Vec<_>>()
        };
        assert!(
            check(
                json!({"name": "web", "namespace": "shop", "labels": {"app": "web"}}),
                true
            )
            .is_empty()
        );
        assert_eq!(check(json!({"namespace": "shop"}), true), ["metadata.name"]);
        assert_eq!(check(json!({"name": "Web"}), false), ["metadata.name"]);
        assert_eq!(check(json!({"name": "web"}), true), ["metadata.namespace"]);
        assert_eq!(
            check(json!({"name": "web", "namespace": "shop"}), false),
            ["metadata.namespace"]
        );
        assert_eq!(
            check(json!({"name": "web", "labels": {"-": "a b"}}), false),
            ["metadata.labels", "metadata.labels"]
        );
        assert_eq!(
            check(json!({"name": "web", "finalizers": ["a/b/c"]}), false),
            ["metadata.finalizers"]
        );
        let owner = json!({"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "u", "controller": true});
        assert_eq!(
            check(
                json!({"name": "web", "ownerReferences": [owner, owner]}),
                false
            ),
            ["metadata.ownerReferences"]
        );
        let big = "x".repeat(ANNOTATIONS_MAX);
        assert_eq!(
            check(json!({"name": "web", "annotations": {"a": big}}), false),
            ["metadata.annotations"]
        );
    }

    #[test]
    fn each_controller_behind_the_first_is_told() {
        let owner = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": "u", "controller": true});
        let owned =
            object(json!({"name": "web", "ownerReferences": [owner("a"), owner("b"), owner("c")]}));
        let told = object_meta(&owned, false, |_, _| Vec::new());
        let details: Vec<_> = told.iter().map(|error| error.detail.as_str()).collect();
        let begin = "Only one reference can have Controller set to true. Found \"true\" in references for Pod/a and Pod/";
        assert_eq!(details, [format!("{begin}b"), format!("{begin}c")]);
    }

    #[test]
    fn a_finalizer_without_a_prefix_is_a_standard_one_or_not_of_kubernetes() {
        let with = |finalizers: &[&str]| object(json!({"name": "web", "finalizers": finalizers}));
        let all = with(&["orphan", "a/b", "mine.io", "alone"]);
        assert!(object_meta(&all, false, |_, _| Vec::new()).is_empty());
        assert_eq!(
            fields(&finalizers(&all)),
            ["metadata.finalizers[2]", "metadata.finalizers[3]"]
        );
        let why = "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers";
        let told = ["alone", "mine.io"].map(|name| format!("metadata.finalizers: {name:?}: {why}"));
        assert_eq!(finalizer_warnings(&all, None), told);
        assert_eq!(
            finalizer_warnings(&all, Some(&with(&["alone", "mine.io"]))),
            [""; 0]
        );
    }

    #[test]
    fn updates() {
        let old = object(json!({"name": "web", "uid": "u", "generation": 2}));
        assert!(object_meta_update(&old, &old).is_empty());
        let new = object(json!({"name": "web", "uid": "v", "generation": 1}));
        assert_eq!(
            fields(&object_meta_update(&new, &old)),
            ["metadata.generation", "metadata.uid"]
        );
        let going = object(
            json!({"name": "web", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}),
        );
        let held = object(
            json!({"name": "web", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b", "c/d"]}),
        );
        let told = object_meta_update(&held, &going);
        assert_eq!(
            told[0].to_string(),
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, \
             found new finalizers []string{\"c/d\"}"
        );
        assert!(object_meta_update(&going, &held).is_empty());
        // Their names are a matter of whole metadata.
        let odd =
            object(json!({"name": "web", "finalizers": ["a/b/c", "orphan", "foregroundDeletion"]}));
        assert!(object_meta_update(&odd, &odd).is_empty());
        assert_eq!(object_meta(&odd, false, |_, _| Vec::new()).len(), 2);
    }
}
