//! What of a Pod may change: images, a few numbers, tolerations that are added, gates that are opened, and where it goes
//! while a gate is closed (upstream: `ValidatePodUpdate`).

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::{Map, Value};

use super::validate;
use crate::check;
use crate::value::{child, copy_field, field, int, list, list_mut, pairs, present, text};

const DETAIL: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
    `spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` \
    (allow it to be set to 1 if it was previously negative)";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

pub(super) fn validate(new: &Object, old: &Object) -> Vec<FieldError> {
    let (is, was) = (field(&new.0, "spec"), field(&old.0, "spec"));
    let mut errors = validate::pod(new);
    errors.extend(annotations(new, old));
    for key in ["containers", "initContainers"] {
        let path = format!("spec.{key}");
        if list(is, key).len() != list(was, key).len() {
            let detail = "pod updates may not add or remove containers";
            errors.push(FieldError::forbidden(path, detail));
            return errors;
        }
        for (i, container) in list(is, key).iter().enumerate() {
            let path = format!("{path}[{i}]");
            if text(container, "image").is_empty() {
                errors.push(FieldError::required(format!("{path}.image"), ""));
            }
            errors.extend(validate::padded_image(&path, container));
        }
    }
    match deadline(is, was) {
        Ok(wrong) => errors.extend(wrong),
        Err(wrong) => {
            errors.push(wrong);
            return errors;
        }
    }
    errors.extend(tolerations(is, was));
    errors.extend(gates(is, was));
    if !list(was, "schedulingGates").is_empty() {
        errors.extend(node_selector(is, was));
        errors.extend(node_affinity(is, was));
    }
    if let (Some(is), Some(was)) = (is.as_object(), was.as_object())
        && frozen(is, was) != *was
    {
        errors.push(FieldError::forbidden("spec", DETAIL));
    }
    errors
}

/// What annotations say, and which of them stay.
pub(super) fn annotations(new: &Object, old: &Object) -> Vec<FieldError> {
    let [is, was] = [new, old].map(|pod| field(&pod.0, "metadata"));
    let mut errors = validate::annotation_changes("metadata.annotations", is, was);
    errors.extend(validate::own_annotations(new));
    errors
}

/// It comes nearer. Nothing else is looked at when it does not.
fn deadline(is: &Value, was: &Value) -> Result<Option<FieldError>, FieldError> {
    const PATH: &str = "spec.activeDeadlineSeconds";
    let seconds = |spec| present(spec, "activeDeadlineSeconds").and_then(Value::as_i64);
    let invalid = |detail| FieldError::invalid(PATH, seconds(is), detail);
    match (seconds(is), seconds(was)) {
        (Some(after), _) if !(0..=i64::from(i32::MAX)).contains(&after) => {
            Err(invalid("must be between 0 and 2147483647, inclusive"))
        }
        (Some(after), Some(before)) if after > before => {
            Err(invalid("must be less than or equal to previous value"))
        }
        (None, Some(_)) => Ok(Some(invalid(
            "must not update from a positive integer to nil value",
        ))),
        _ => Ok(None),
    }
}

/// More may be tolerated, and for another time.
fn tolerations(is: &Value, was: &Value) -> Vec<FieldError> {
    const PATH: &str = "spec.tolerations";
    let timeless = |toleration: &Value| {
        let mut toleration = toleration.clone();
        if let Some(fields) = toleration.as_object_mut() {
            fields.remove("tolerationSeconds");
        }
        toleration
    };
    let now: Vec<Value> = list(is, "tolerations").iter().map(timeless).collect();
    let kept = |old: &Value| now.contains(&timeless(old));
    if !list(was, "tolerations").iter().all(kept) {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        return vec![FieldError::forbidden(PATH, detail)];
    }
    check::tolerations(PATH, list(is, "tolerations"))
}

/// Gates are opened, and none is added.
fn gates(is: &Value, was: &Value) -> Vec<FieldError> {
    let name = |gate: &Value| text(gate, "name").to_string();
    let before: Vec<String> = list(was, "schedulingGates").iter().map(name).collect();
    let now = list(is, "schedulingGates").iter().map(name).enumerate();
    let added = now.filter(|(_, name)| !before.contains(name));
    added
        .map(|(i, name)| {
            let detail =
                format!("only deletion is allowed, but found new scheduling gate '{name}'");
            FieldError::forbidden(format!("spec.schedulingGates[{i}].name"), detail)
        })
        .collect()
}

/// Behind a closed gate, a Pod may want more of a node.
fn node_selector(is: &Value, was: &Value) -> Option<FieldError> {
    let now = child(is, "nodeSelector");
    let kept = pairs(was, "nodeSelector").all(|(key, value)| now.get(key) == Some(value));
    let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
    (!kept).then(|| FieldError::invalid("spec.nodeSelector", now.clone(), detail))
}

/// The same of terms that it must have one of: as many as before, and each as before with more after it.
fn node_affinity(is: &Value, was: &Value) -> Vec<FieldError> {
    let terms = |spec| {
        let nodes = child(child(spec, "affinity"), "nodeAffinity");
        list(child(nodes, REQUIRED), "nodeSelectorTerms")
    };
    let (now, before) = (terms(is), terms(was));
    let path = format!("spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms");
    if before.is_empty() {
        return Vec::new();
    }
    if now.len() != before.len() {
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        return vec![FieldError::invalid(path, now, detail)];
    }
    let only_adds = |(now, before): (&Value, &Value)| {
        let keys = ["matchExpressions", "matchFields"];
        let was_empty = keys.iter().all(|key| list(before, key).is_empty());
        let is_empty = keys.iter().all(|key| list(now, key).is_empty());
        let begins = |key: &&str| list(now, key).starts_with(list(before, key));
        (!was_empty || is_empty) && keys.iter().all(begins)
    };
    let pairs = now.iter().zip(before).enumerate();
    let changed = pairs.filter(|(_, pair)| !only_adds(*pair));
    changed
        .map(|(i, (now, _))| {
            let detail = "only additions are allowed (no mutations or deletions)";
            FieldError::invalid(format!("{path}[{i}]"), now.clone(), detail)
        })
        .collect()
}

/// The new spec with everything that may change put back: the old one, if nothing else changed.
fn frozen(is: &Map<String, Value>, was: &Map<String, Value>) -> Map<String, Value> {
    let mut spec = is.clone();
    for key in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
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
    if !list(&whole, "schedulingGates").is_empty() {
        copy_field(&mut spec, was, "nodeSelector");
        keep_node_affinity(&mut spec, &whole);
    }
    spec
}

/// The affinity to nodes as it was, beside that to Pods as it is.
fn keep_node_affinity(spec: &mut Map<String, Value>, was: &Value) {
    let before = present(was, "affinity").and_then(Value::as_object);
    let nodes = before.and_then(|affinity| affinity.get("nodeAffinity"));
    if before.is_none() && field(spec, "affinity").is_null() {
        return;
    }
    let affinity = child_mut(spec, "affinity");
    match nodes {
        Some(nodes) => affinity.insert("nodeAffinity".into(), nodes.clone()),
        None => affinity.remove("nodeAffinity"),
    };
    if before.is_none() && affinity.is_empty() {
        spec.remove("affinity");
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::super::defaults;
    use super::*;

    fn pod(spec: Value) -> Object {
        let metadata = json!({"name": "p"});
        let mut pod = Object::from_value(json!({"metadata": metadata, "spec": spec})).unwrap();
        defaults::apply(&mut pod);
        pod
    }

    fn between(old: Value, edit: impl Fn(&mut Value)) -> Vec<String> {
        let mut spec = old.clone();
        edit(&mut spec);
        let errors = validate(&pod(spec), &pod(old));
        errors.into_iter().map(|e| e.field).collect()
    }

    fn changed(edit: impl Fn(&mut Value)) -> Vec<String> {
        let spec = json!({
            "containers": [{"name": "c", "image": "i"}], "activeDeadlineSeconds": 100,
            "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        });
        between(spec, edit)
    }

    #[test]
    fn some_may_change() {
        assert!(changed(|_| {}).is_empty());
        assert!(changed(|s| s["containers"][0]["image"] = "j".into()).is_empty());
        assert!(changed(|s| s["activeDeadlineSeconds"] = 50.into()).is_empty());
        assert!(changed(|s| s["tolerations"][0]["tolerationSeconds"] = 50.into()).is_empty());
        let added = |s: &mut Value| {
            let more = json!({"key": "b", "operator": "Exists"});
            s["tolerations"].as_array_mut().unwrap().insert(0, more);
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
        let forgotten = |s: &mut Value| {
            s.as_object_mut().unwrap().remove("activeDeadlineSeconds");
        };
        assert_eq!(changed(forgotten), ["spec.activeDeadlineSeconds"]);
        assert_eq!(
            changed(|s| s["tolerations"] = json!([])),
            ["spec.tolerations"]
        );
        let more = |s: &mut Value| {
            s["containers"] = json!([{"name": "c", "image": "i"}, {"name": "d", "image": "i"}])
        };
        assert_eq!(changed(more), ["spec.containers"]);
        // Looked at as a Pod, and as a changed one.
        let image =
            |image: &'static str| changed(move |s| s["containers"][0]["image"] = image.into());
        assert_eq!(image(""), ["spec.containers[0].image"; 2]);
        assert_eq!(image("j "), ["spec.containers[0].image"; 2]);
    }

    fn gated(edit: impl Fn(&mut Value)) -> Vec<String> {
        let term = json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]});
        let spec = json!({
            "containers": [{"name": "c", "image": "i"}], "nodeSelector": {"a": "b"},
            "schedulingGates": [{"name": "one"}, {"name": "two"}],
            "affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}},
        });
        between(spec, edit)
    }

    const TERMS: &str = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";

    fn terms(spec: &mut Value) -> &mut Value {
        &mut spec["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    }

    #[test]
    fn gates_are_opened() {
        assert!(gated(|s| s["schedulingGates"] = json!([{"name": "two"}])).is_empty());
        assert!(gated(|s| s["schedulingGates"] = json!([])).is_empty());
        let other = gated(|s| s["schedulingGates"] = json!([{"name": "one"}, {"name": "three"}]));
        assert_eq!(other, ["spec.schedulingGates[1].name"]);
        let added = changed(|s| s["schedulingGates"] = json!([{"name": "one"}]));
        assert_eq!(added, ["spec.schedulingGates[0].name"]);
    }

    #[test]
    fn behind_a_gate_more_may_be_wanted_of_a_node() {
        assert!(gated(|s| s["nodeSelector"]["c"] = "d".into()).is_empty());
        assert_eq!(
            gated(|s| s["nodeSelector"]["a"] = "c".into()),
            ["spec.nodeSelector"]
        );
        let more = json!({"key": "b", "operator": "Exists"});
        let added = |s: &mut Value| {
            let first = &mut terms(s)[0]["matchExpressions"];
            first.as_array_mut().unwrap().push(more.clone());
        };
        assert!(gated(added).is_empty());
        let other = json!({"matchExpressions": [more]});
        assert_eq!(
            gated(|s| terms(s)[0] = other.clone()),
            [format!("{TERMS}[0]")]
        );
        let second = |s: &mut Value| terms(s).as_array_mut().unwrap().push(other.clone());
        assert_eq!(gated(second), [TERMS]);
        let apart = json!({REQUIRED: [{"topologyKey": "zone"}]});
        assert_eq!(
            gated(|s| s["affinity"]["podAntiAffinity"] = apart.clone()),
            ["spec"]
        );
    }

    #[test]
    fn behind_a_gate_a_first_affinity_may_come() {
        let bare = json!({"containers": [{"name": "c", "image": "i"}], "schedulingGates": [{"name": "one"}]});
        let term = json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]});
        let affinity = json!({"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}});
        let set = |s: &mut Value| s["affinity"] = affinity.clone();
        assert!(between(bare.clone(), set).is_empty());
        let open = json!({"containers": [{"name": "c", "image": "i"}]});
        assert_eq!(between(open, set), ["spec"]);
        assert!(between(bare, |s| s["nodeSelector"] = json!({"a": "b"})).is_empty());
    }

    #[rstest]
    #[case(-5, 1, true)]
    #[case(-5, 2, false)]
    #[case(30, 1, false)]
    fn a_grace_that_was_none(#[case] old: i64, #[case] new: i64, #[case] may: bool) {
        let spec = json!({"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": old});
        let found = between(spec, |s| s["terminationGracePeriodSeconds"] = new.into());
        assert_eq!(found.is_empty(), may);
    }

    #[test]
    fn some_annotations_stay() {
        let with = |value: &str| {
            let mut pod =
                pod(json!({"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}));
            let annotations = json!({"kubernetes.io/config.mirror": value});
            pod.meta_mut().insert("annotations".into(), annotations);
            pod
        };
        assert!(validate(&with("a"), &with("a")).is_empty());
        let errors = validate(&with("b"), &with("a"));
        assert_eq!(
            errors[0].field,
            "metadata.annotations[kubernetes.io/config.mirror]"
        );
    }
}
