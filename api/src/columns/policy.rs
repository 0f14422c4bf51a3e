//! Columns of `policy`, `scheduling.k8s.io` and `node.k8s.io`.

use kedge_machinery::Object;
use serde_json::Value;

use super::{AGE, Column, NAME, boolean, flag_at, integer, number_at, text, text_at};

pub(super) const POD_DISRUPTION_BUDGET: &[Column] = &[
    NAME,
    text("Min Available", "Pods that must stay."),
    text("Max Unavailable", "Pods that may be missing."),
    integer("Allowed Disruptions", "Pods that may be evicted now."),
    AGE,
];
pub(super) const PRIORITY_CLASS: &[Column] = &[
    NAME,
    integer("Value", "The priority of pods of this class."),
    boolean(
        "Global-Default",
        "Whether pods that name no class get this one.",
    ),
    AGE,
    text("PreemptionPolicy", "Whether its pods push out others."),
];
pub(super) const RUNTIME_CLASS: &[Column] =
    &[NAME, text("Handler", "What runs pods of this class."), AGE];

pub(super) fn pod_disruption_budget(budget: &Object, age: Value) -> Vec<Value> {
    let bound = |key: &str| -> Value {
        match budget.at(&["spec", key]) {
            None | Some(Value::Null) => "N/A".into(),
            Some(Value::String(share)) => share.as_str().into(),
            Some(number) => number.to_string().into(),
        }
    };
    vec![
        budget.name().into(),
        bound("minAvailable"),
        bound("maxUnavailable"),
        number_at(budget, &["status", "disruptionsAllowed"]).into(),
        age,
    ]
}

pub(super) fn priority_class(class: &Object, age: Value) -> Vec<Value> {
    vec![
        class.name().into(),
        number_at(class, &["value"]).into(),
        flag_at(class, &["globalDefault"]).into(),
        age,
        text_at(class, &["preemptionPolicy"]).into(),
    ]
}

pub(super) fn runtime_class(class: &Object, age: Value) -> Vec<Value> {
    vec![
        class.name().into(),
        text_at(class, &["handler"]).into(),
        age,
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use rstest::rstest;
    use serde_json::{Value, json};

    #[rstest]
    #[case(
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {"minAvailable": 2}, "status": {"disruptionsAllowed": 1}}),
        json!(["x", "2", "N/A", 1, "3m20s"])
    )]
    #[case(
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {"maxUnavailable": "50%"}}),
        json!(["x", "N/A", "50%", 0, "3m20s"])
    )]
    #[case(
        json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 10, "preemptionPolicy": "Never"}),
        json!(["x", 10, false, "3m20s", "Never"])
    )]
    #[case(
        json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "kata"}),
        json!(["x", "kata", "3m20s"])
    )]
    fn cells(#[case] mut object: Value, #[case] expected: Value) {
        object["metadata"] = json!({"name": "x", "creationTimestamp": "2026-01-01T00:06:40Z"});
        assert_eq!(json!(row(object)), expected);
    }
}
