//! What a new Pod is given that was said in another way: expressions for the keys of labels that a selector takes from the
//! Pod itself (KEP-3243, KEP-3633), and why it waits.

use kedge_machinery::Object;
use kedge_machinery::object::child_mut;
use serde_json::{Map, Value, json};

use crate::value::{field, is_empty, list, structs_mut};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
/// Fields with keys of labels, and what is said of their values.
const KEYS: [(&str, &str); 2] = [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")];

pub(super) fn mutate(pod: &mut Object) {
    let labels = pod.at(&["metadata", "labels"]).cloned();
    let labels = labels.unwrap_or_default();
    let spec = child_mut(&mut pod.0, "spec");
    let is_gated = !is_empty(field(spec, "schedulingGates"));
    structs_mut(spec, "topologySpreadConstraints").for_each(|term| select(term, &labels));
    if let Some(affinity) = spec.get_mut("affinity").and_then(Value::as_object_mut) {
        for key in ["podAffinity", "podAntiAffinity"] {
            let Some(terms) = affinity.get_mut(key).and_then(Value::as_object_mut) else {
                continue;
            };
            structs_mut(terms, REQUIRED).for_each(|term| select(term, &labels));
            for weighed in structs_mut(terms, PREFERRED) {
                select(child_mut(weighed, "podAffinityTerm"), &labels);
            }
        }
    }
    if is_gated {
        let condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
            "lastProbeTime": null, "lastTransitionTime": null,
        });
        child_mut(&mut pod.0, "status").insert("conditions".into(), json!([condition]));
    }
}

/// Adds what the Pod's own labels make of the keys to a selector that is there.
fn select(term: &mut Map<String, Value>, labels: &Value) {
    let mut added = Vec::new();
    for (keys, operator) in KEYS {
        for key in field(term, keys).as_array().into_iter().flatten() {
            let value = key.as_str().and_then(|key| labels.get(key));
            added.extend(
                value.map(|value| json!({"key": key, "operator": operator, "values": [value]})),
            );
        }
    }
    let selector = term.get_mut("labelSelector").and_then(Value::as_object_mut);
    if let (false, Some(selector)) = (added.is_empty(), selector) {
        let all = list(&Value::Object(selector.clone()), "matchExpressions").to_vec();
        let all = all.into_iter().chain(added).collect();
        selector.insert("matchExpressions".into(), Value::Array(all));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutated(spec: Value) -> Value {
        let labels = json!({"app": "web", "version": "2"});
        let mut pod =
            Object::from_value(json!({"metadata": {"labels": labels}, "spec": spec})).unwrap();
        mutate(&mut pod);
        pod.into_value()
    }

    #[test]
    fn keys_become_expressions() {
        let said = json!({"key": "a", "operator": "Exists"});
        let term = json!({
            "matchLabelKeys": ["version", "none"], "mismatchLabelKeys": ["app"],
            "labelSelector": {"matchExpressions": [said]},
        });
        let spec = json!({
            "affinity": {"podAffinity": {REQUIRED: [term]}, "podAntiAffinity": {PREFERRED: [{"podAffinityTerm": term}]}},
            "topologySpreadConstraints": [
                {"matchLabelKeys": ["version"], "labelSelector": {}}, {"matchLabelKeys": ["version"]}, {"labelSelector": {}},
            ],
        });
        let own = json!({"key": "version", "operator": "In", "values": ["2"]});
        let other = json!({"key": "app", "operator": "NotIn", "values": ["web"]});
        let pod = mutated(spec);
        let affinity = &pod["spec"]["affinity"];
        let terms = [
            &affinity["podAffinity"][REQUIRED][0],
            &affinity["podAntiAffinity"][PREFERRED][0]["podAffinityTerm"],
        ];
        for term in terms {
            let all = &term["labelSelector"]["matchExpressions"];
            assert_eq!(all, &json!([said, own, other]));
        }
        let spread = &pod["spec"]["topologySpreadConstraints"];
        assert_eq!(
            spread[0]["labelSelector"],
            json!({"matchExpressions": [own]})
        );
        assert_eq!(spread[1], json!({"matchLabelKeys": ["version"]}));
        assert_eq!(spread[2], json!({"labelSelector": {}}));
        assert_eq!(pod.get("status"), None);
    }

    #[test]
    fn a_closed_gate_is_told() {
        let pod = mutated(json!({"schedulingGates": [{"name": "a"}]}));
        let condition = &pod["status"]["conditions"][0];
        assert_eq!(condition["type"], "PodScheduled");
        assert_eq!(condition["reason"], "SchedulingGated");
        assert_eq!(condition["lastTransitionTime"], Value::Null);
    }
}
