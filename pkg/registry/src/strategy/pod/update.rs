//! What of a Pod's spec may change: images, a few numbers, tolerations that are added
//! (upstream: `ValidatePodUpdate`).

use kedge_machinery::{FieldError, Object};
use serde_json::{Map, Value};

use super::validate;
use crate::value::{copy_field, field, int, list, list_mut, present};

const DETAIL: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
    `spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` \
    (allow it to be set to 1 if it was previously negative)";

pub(super) fn validate(new: &Object, old: &Object) -> Vec<FieldError> {
    let (is, was) = (field(&new.0, "spec"), field(&old.0, "spec"));
    let mut errors = validate::pod(new);
    for key in ["containers", "initContainers"] {
        if list(is, key).len() != list(was, key).len() {
            let path = format!("spec.{key}");
            errors.push(FieldError::forbidden(
                path,
                "pod updates may not add or remove containers",
            ));
            return errors;
        }
    }
    errors.extend(deadline(is, was));
    let kept = list(was, "tolerations")
        .iter()
        .all(|t| list(is, "tolerations").contains(t));
    if !kept {
        errors.push(FieldError::forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        ));
    }
    if let (Some(is), Some(was)) = (is.as_object(), was.as_object())
        && frozen(is, was) != *was
    {
        errors.push(FieldError::forbidden("spec", DETAIL));
    }
    errors
}

fn deadline(is: &Value, was: &Value) -> Option<FieldError> {
    const PATH: &str = "spec.activeDeadlineSeconds";
    let before = present(was, "activeDeadlineSeconds").and_then(Value::as_i64)?;
    match present(is, "activeDeadlineSeconds").and_then(Value::as_i64) {
        Some(after) if after <= before => None,
        Some(after) => {
            let detail = "must be less than or equal to previous value";
            Some(FieldError::invalid(PATH, after, detail))
        }
        None => Some(FieldError::invalid(
            PATH,
            Value::Null,
            "must not update from a positive integer to nil value",
        )),
    }
}

/// The new spec with everything that may change put back: the old one, if nothing else changed.
fn frozen(is: &Map<String, Value>, was: &Map<String, Value>) -> Map<String, Value> {
    let mut spec = is.clone();
    for key in ["activeDeadlineSeconds", "tolerations"] {
        copy_field(&mut spec, was, key);
    }
    let whole = Value::Object(was.clone());
    let grace = (
        int(&whole, "terminationGracePeriodSeconds"),
        field(is, "terminationGracePeriodSeconds").as_i64(),
    );
    if grace.0 < 0 && grace.1 == Some(1) {
        copy_field(&mut spec, was, "terminationGracePeriodSeconds");
    }
    for key in ["containers", "initContainers"] {
        for (new, old) in list_mut(&mut spec, key).iter_mut().zip(list(&whole, key)) {
            if let (Some(new), Some(old)) = (new.as_object_mut(), old.as_object()) {
                copy_field(new, old, "image");
            }
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::defaults;
    use super::*;

    fn pod(spec: Value) -> Object {
        let mut pod = Object::from_value(json!({"spec": spec})).unwrap();
        defaults::apply(&mut pod);
        pod
    }

    fn changed(edit: impl Fn(&mut Value)) -> Vec<String> {
        let spec = json!({
            "containers": [{"name": "c", "image": "i"}], "activeDeadlineSeconds": 100,
            "tolerations": [{"key": "a", "operator": "Exists"}],
        });
        let old = pod(spec.clone());
        let mut spec = spec;
        edit(&mut spec);
        validate(&pod(spec), &old)
            .into_iter()
            .map(|e| e.field)
            .collect()
    }

    #[test]
    fn some_may_change() {
        assert!(changed(|_| {}).is_empty());
        assert!(changed(|s| s["containers"][0]["image"] = "j".into()).is_empty());
        assert!(changed(|s| s["activeDeadlineSeconds"] = 50.into()).is_empty());
        let added = |s: &mut Value| {
            s["tolerations"] =
                json!([{"key": "b", "operator": "Exists"}, {"key": "a", "operator": "Exists"}])
        };
        assert!(changed(added).is_empty());
    }

    #[test]
    fn most_may_not() {
        assert_eq!(
            changed(|s| s["containers"][0]["env"] = json!([{"name": "A", "value": "1"}])),
            ["spec"]
        );
        assert_eq!(changed(|s| s["nodeName"] = "other".into()), ["spec"]);
        assert_eq!(
            changed(|s| s["activeDeadlineSeconds"] = 200.into()),
            ["spec.activeDeadlineSeconds"]
        );
        assert_eq!(
            changed(|s| s["tolerations"] = json!([])),
            ["spec.tolerations"]
        );
        let more = |s: &mut Value| {
            s["containers"] = json!([{"name": "c", "image": "i"}, {"name": "d", "image": "i"}])
        };
        assert_eq!(changed(more), ["spec.containers"]);
    }
}
