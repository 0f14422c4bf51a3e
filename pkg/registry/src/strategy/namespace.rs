//! Namespaces.

use kedge_api::Kind;
use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object, meta_validate};
use serde_json::{Value, json};

use super::Strategy;
use crate::value::{copy_field, field, list, omit_empty, text};

/// The finalizer of `spec.finalizers` that stands for what the namespace holds.
pub(crate) const FINALIZER: &str = "kubernetes";

/// Namespaces that cannot be deleted (upstream: the NamespaceLifecycle admission).
pub(crate) const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub(super) struct Namespace;

impl Strategy for Namespace {
    /// KEP-2161: the name is a label too.
    fn default(&self, object: &mut Object) {
        set_name_label(object);
        child_mut(&mut object.0, "spec");
        omit_empty(child_mut(&mut object.0, "status"), &["phase"]);
    }

    fn prepare_create(&self, new: &mut Object) {
        // A generated name was not known to `default`.
        set_name_label(new);
        let spec = child_mut(&mut new.0, "spec");
        let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
        if let Some(list) = finalizers.as_array_mut()
            && !list.iter().any(|f| f == FINALIZER)
        {
            list.push(FINALIZER.into());
        }
        new.0.insert("status".into(), json!({"phase": "Active"}));
    }

    /// Only `finalize` changes `spec.finalizers`, and it changes nothing else of spec and status.
    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        if subresource == "finalize" {
            copy_field(&mut new.0, &old.0, "status");
        } else if let Some(spec) = field(&old.0, "spec").as_object() {
            copy_field(child_mut(&mut new.0, "spec"), spec, "finalizers");
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        finalizers(object, |_| "spec.finalizers".into())
    }

    fn validate_update(&self, new: &Object, _old: &Object, subresource: &str) -> Vec<FieldError> {
        match subresource {
            "status" => phase(new).into_iter().collect(),
            "finalize" => finalizers(new, |i| format!("spec.finalizers[{i}]")),
            _ => Vec::new(),
        }
    }

    fn is_released(&self, object: &Object) -> bool {
        is_released(object)
    }
}

fn set_name_label(namespace: &mut Object) {
    let name = namespace.name().to_string();
    if !name.is_empty() {
        child_mut(namespace.meta_mut(), "labels").insert(NAME_LABEL.into(), name.into());
    }
}

fn phase(namespace: &Object) -> Option<FieldError> {
    let phase = text(field(&namespace.0, "status"), "phase");
    let (want, when) = if namespace.is_terminating() {
        ("Terminating", "not empty")
    } else {
        ("Active", "empty")
    };
    let detail = format!("may only be '{want}' if `deletionTimestamp` is {when}");
    (phase != want).then(|| FieldError::invalid("status.Phase", phase, detail))
}

fn finalizers(namespace: &Object, path: impl Fn(usize) -> String) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, value) in list(field(&namespace.0, "spec"), "finalizers")
        .iter()
        .enumerate()
    {
        let (path, name) = (path(i), value.as_str().unwrap_or_default());
        errors.extend(crate::check::qualified_name(&path, name));
        errors.extend(meta_validate::finalizer(&path, name));
    }
    errors
}

pub(crate) fn is(kind: &Kind) -> bool {
    kind.group.is_empty() && kind.kind == "Namespace"
}

/// True when nothing holds a namespace that is to go.
pub(crate) fn is_released(namespace: &Object) -> bool {
    list(field(&namespace.0, "spec"), "finalizers").is_empty()
}

/// Marks the beginning of the end.
pub(crate) fn set_terminating(namespace: &mut Object) {
    child_mut(&mut namespace.0, "status").insert("phase".into(), Value::from("Terminating"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    #[test]
    fn a_new_namespace() {
        let mut new =
            namespace(json!({"metadata": {"name": "a"}, "status": {"phase": "Terminating"}}));
        Namespace.default(&mut new);
        Namespace.prepare_create(&mut new);
        let want = json!({
            "metadata": {"name": "a", "labels": {"kubernetes.io/metadata.name": "a"}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
        });
        assert_eq!(new.into_value(), want);
    }

    #[test]
    fn finalizers_have_a_domain() {
        let bad =
            namespace(json!({"spec": {"finalizers": ["kubernetes", "mine", "a.b/c", "orphan"]}}));
        let fields = |errors: Vec<FieldError>| -> Vec<String> {
            errors.into_iter().map(|e| e.field).collect()
        };
        assert_eq!(fields(Namespace.validate(&bad)), ["spec.finalizers"]);
        assert_eq!(
            fields(Namespace.validate_update(&bad, &bad, "finalize")),
            ["spec.finalizers[1]"]
        );
    }

    #[test]
    fn only_finalize_changes_finalizers() {
        let old = namespace(
            json!({"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}),
        );
        let sent = namespace(json!({"spec": {"finalizers": []}, "status": {"phase": "Odd"}}));
        let mut updated = sent.clone();
        Namespace.prepare_update(&mut updated, &old, "");
        assert!(!is_released(&updated));
        let mut finalized = sent;
        Namespace.prepare_update(&mut finalized, &old, "finalize");
        assert!(is_released(&finalized));
        assert_eq!(finalized.0["status"], old.0["status"]);
    }

    #[test]
    fn the_phase_follows_deletion() {
        let errors = |value| {
            Namespace
                .validate_update(&namespace(value), &Object::default(), "status")
                .len()
        };
        assert_eq!(errors(json!({"status": {"phase": "Active"}})), 0);
        assert_eq!(errors(json!({"status": {"phase": "Terminating"}})), 1);
        let gone = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_eq!(
            errors(json!({"metadata": gone, "status": {"phase": "Active"}})),
            1
        );
        assert_eq!(
            errors(json!({"metadata": gone, "status": {"phase": "Terminating"}})),
            0
        );
    }
}
