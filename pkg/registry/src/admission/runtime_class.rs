//! What a RuntimeClass asks of the Pods that name it (upstream's plugin `RuntimeClass`; KEP-585, KEP-688).

use kedge_machinery::quantity::Quantity;
use kedge_machinery::{Object, Status};
use serde_json::{Map, Value, json};

use super::{Admission, Attributes, Operation};
use crate::value::{child, field, list, pairs, present, text};

const DIFFERENT: &str =
    "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
const WITHOUT: &str =
    "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";

/// Refuses a new Pod whose class is not there; gives the others the overhead, node labels and tolerations of theirs.
pub struct RuntimeClass;

impl Admission for RuntimeClass {
    fn plugin(&self) -> Option<&'static str> {
        Some("RuntimeClass")
    }

    fn change(&self, attributes: &Attributes<'_>, object: &mut Object) -> Result<(), Status> {
        let Some(class) = class(attributes, object)? else {
            return Ok(());
        };
        let Some(spec) = object.0.get_mut("spec").and_then(Value::as_object_mut) else {
            return Ok(());
        };
        set_overhead(spec, &class)
            .and_then(|()| set_scheduling(spec, field(&class.0, "scheduling")))
            .map_err(|why| refuse(attributes, &why))
    }

    fn check(&self, attributes: &Attributes<'_>, object: Option<&Object>) -> Result<(), Status> {
        let Some(pod) = object.filter(|_| is_new_pod(attributes)) else {
            return Ok(());
        };
        let class = class(attributes, pod)?;
        let wanted = class.as_ref().and_then(overhead);
        match (present(field(&pod.0, "spec"), "overhead"), wanted) {
            (None, None) => Ok(()),
            (Some(own), Some(wanted)) if same(own, wanted) => Ok(()),
            (_, Some(_)) => Err(refuse(attributes, DIFFERENT)),
            (Some(_), None) => Err(refuse(attributes, WITHOUT)),
        }
    }
}

fn is_new_pod(attributes: &Attributes<'_>) -> bool {
    let target = attributes.target;
    attributes.operation == Operation::Create
        && target.subresource.is_empty()
        && (target.kind.group.as_str(), target.kind.kind.as_str()) == ("", "Pod")
}

/// The class that a new Pod names; 403 when there is none of that name.
fn class(attributes: &Attributes<'_>, pod: &Object) -> Result<Option<Object>, Status> {
    let spec = field(&pod.0, "spec");
    if !is_new_pod(attributes) || present(spec, "runtimeClassName").is_none() {
        return Ok(None);
    }
    let name = text(spec, "runtimeClassName");
    let found = attributes
        .view
        .object("node.k8s.io", "runtimeclasses", "", name)?;
    let missing = || {
        refuse(
            attributes,
            &format!("pod rejected: RuntimeClass {name:?} not found"),
        )
    };
    found.ok_or_else(missing).map(Some)
}

fn refuse(attributes: &Attributes<'_>, why: &str) -> Status {
    Status::forbidden("", "pods", &attributes.target.name, why)
}

fn overhead(class: &Object) -> Option<&Value> {
    present(field(&class.0, "overhead"), "podFixed")
}

/// Amounts of the same names and sizes, however they are written.
fn same(one: &Value, other: &Value) -> bool {
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else {
        return false;
    };
    let amount = |value: &Value| Quantity::parse(value.as_str().unwrap_or_default()).ok();
    one.len() == other.len()
        && one.iter().all(|(name, own)| {
            let other = other.get(name);
            other.is_some_and(|other| amount(own).is_some() && amount(own) == amount(other))
        })
}

fn set_overhead(spec: &mut Map<String, Value>, class: &Object) -> Result<(), String> {
    let Some(wanted) = overhead(class) else {
        return Ok(());
    };
    if spec.get("overhead").is_some_and(|own| !same(own, wanted)) {
        return Err(DIFFERENT.into());
    }
    spec.insert("overhead".into(), wanted.clone());
    Ok(())
}

fn set_scheduling(spec: &mut Map<String, Value>, scheduling: &Value) -> Result<(), String> {
    let labels: Vec<_> = pairs(scheduling, "nodeSelector").collect();
    if !labels.is_empty() {
        let own = spec.entry("nodeSelector").or_insert_with(|| json!({}));
        for (key, wanted) in labels {
            if let Some(stands) = own.get(key).filter(|stands| *stands != wanted) {
                let said = |value: &Value| value.as_str().unwrap_or_default().to_string();
                return Err(format!(
                    "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                    said(wanted),
                    said(stands)
                ));
            }
            own[key] = wanted.clone();
        }
    }
    let wanted = list(scheduling, "tolerations");
    if !wanted.is_empty() {
        let own = spec.get("tolerations").and_then(Value::as_array);
        let all: Vec<Value> = own.into_iter().flatten().chain(wanted).cloned().collect();
        spec.insert("tolerations".into(), merged(&all).into());
    }
    Ok(())
}

/// Tolerations without those that another one covers; of equal ones the first (`pkg/util/tolerations`).
fn merged(all: &[Value]) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for (index, one) in all.iter().enumerate() {
        let later = &all[index + 1..];
        let covered = kept.iter().any(|other| covers(other, one))
            || later.iter().any(|other| other != one && covers(other, one));
        if !covered {
            kept.push(one.clone());
        }
    }
    kept
}

/// Whether everything that `narrow` tolerates is tolerated by `wide`.
fn covers(wide: &Value, narrow: &Value) -> bool {
    let operator = |of| match text(of, "operator") {
        "" => "Equal",
        given => given,
    };
    let fits = |key| text(wide, key) == text(narrow, key);
    let seconds = |of| child(of, "tolerationSeconds").as_i64();
    if wide == narrow {
        return true;
    }
    let any_key = text(wide, "key").is_empty() && operator(wide) == "Exists";
    if !(fits("key") || any_key) || !(fits("effect") || text(wide, "effect").is_empty()) {
        return false;
    }
    let ends = text(wide, "effect") == "NoExecute" && seconds(wide).is_some();
    if ends && seconds(narrow).is_none_or(|narrow| Some(narrow) > seconds(wide)) {
        return false;
    }
    match operator(wide) {
        "Exists" => true,
        _ => operator(narrow) == operator(wide) && fits("value"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(json!([]), json!([]))]
    #[case(json!([{"key": "a", "operator": "Exists"}, {"key": "a", "value": "1"}]), json!([{"key": "a", "operator": "Exists"}]))]
    #[case(json!([{"key": "a", "value": "1"}, {"key": "a", "operator": "Exists"}]), json!([{"key": "a", "operator": "Exists"}]))]
    #[case(json!([{"key": "a"}, {"key": "a"}, {"operator": "Exists", "effect": "NoSchedule"}]),
        json!([{"key": "a"}, {"operator": "Exists", "effect": "NoSchedule"}]))]
    #[case(json!([{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}, {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9}]),
        json!([{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9}]))]
    #[case(json!([{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]), json!([{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]))]
    fn what_is_covered_goes(#[case] all: Value, #[case] kept: Value) {
        assert_eq!(Value::from(merged(all.as_array().unwrap())), kept);
    }

    #[test]
    fn amounts_are_compared_and_not_their_texts() {
        assert!(same(&json!({"cpu": "1"}), &json!({"cpu": "1000m"})));
        assert!(!same(&json!({"cpu": "1"}), &json!({"cpu": "2"})));
        assert!(!same(&json!({"cpu": "1"}), &json!({"memory": "1"})));
        assert!(!same(&json!({"cpu": "1"}), &json!({})));
    }
}
