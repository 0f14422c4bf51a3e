//! Each rule of a Job's status by a report that breaks it.

use rstest::rstest;

use super::*;

const START: &str = "2026-01-01T00:00:00Z";
const END: &str = "2026-01-01T01:00:00Z";

fn hold(kinds: &[&str]) -> Value {
    let condition = |kind: &&str| json!({"type": kind, "status": "True"});
    kinds.iter().map(condition).collect()
}

fn complete() -> Value {
    let conditions = hold(&["SuccessCriteriaMet", "Complete"]);
    json!({"conditions": conditions, "startTime": START, "completionTime": END, "succeeded": 2})
}

fn with(mut status: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    status.as_object_mut().unwrap().extend(more);
    status
}

fn said(spec: Value, old: Value, new: Value) -> Vec<String> {
    let [old, new] = [old, new]
        .map(|status| Object::from_value(json!({"spec": spec, "status": status})).unwrap());
    let errors = validate(&new, &old);
    errors.iter().map(ToString::to_string).collect()
}

#[rstest]
#[case(json!({"active": 1, "ready": 1, "startTime": START}), &[])]
#[case(complete(), &[])]
#[case(json!({"conditions": hold(&["FailureTarget", "Failed"]), "startTime": START, "failed": 7}), &[])]
#[case(json!({"active": -1, "ready": -1}), &[
    "status.active: Invalid value: -1: must be greater than or equal to 0",
    "status.ready: Invalid value: -1: must be greater than or equal to 0",
])]
#[case(json!({"uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}}), &[
    "status.uncountedTerminatedPods.succeeded[1]: Invalid value: \"\": must not be empty",
    "status.uncountedTerminatedPods.failed[0]: Duplicate value: \"a\"",
])]
#[case(with(complete(), json!({"conditions": hold(&["SuccessCriteriaMet", "Complete", "FailureTarget", "Failed"])})), &[
    "status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions",
    "status.conditions: Invalid value: cannot set Complete=True and FailureTarget=true conditions",
    "status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and Failed=true conditions",
    "status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
])]
#[case(json!({"completionTime": END, "startTime": START}), &[
    "status.completionTime: Invalid value: \"2026-01-01T01:00:00Z\": cannot set completionTime when there is no Complete=True condition",
])]
#[case(with(complete(), json!({"completionTime": null, "startTime": null})), &[
    "status.completionTime: Required value: completionTime is required for Complete jobs",
    "status.startTime: Required value: startTime is required for finished job",
])]
#[case(with(complete(), json!({"startTime": END, "completionTime": START})), &[
    "status.completionTime: Invalid value: \"2026-01-01T00:00:00Z\": completionTime cannot be set before startTime",
])]
#[case(json!({"conditions": hold(&["Failed"]), "startTime": START}), &[
    "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition",
])]
#[case(with(complete(), json!({"conditions": hold(&["Complete"])})), &[
    "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
])]
#[case(with(complete(), json!({"active": 1, "terminating": 1, "uncountedTerminatedPods": {"failed": ["a"]}})), &[
    "status.active: Invalid value: 1: active>0 is invalid for finished job",
    "status.uncountedTerminatedPods: Invalid value: {\"Failed\":[\"a\"],\"Succeeded\":[]}: uncountedTerminatedPods needs to be empty for finished job",
    "status.terminating: Invalid value: 1: terminating>0 is invalid for finished job",
])]
#[case(json!({"active": 1, "ready": 2}), &["status.ready: Invalid value: 2: cannot set more ready pods than active"])]
#[case(json!({"completedIndexes": "0", "failedIndexes": "1"}), &[
    "status.completedIndexes: Invalid value: \"0\": cannot set non-empty completedIndexes when non-indexed completion mode",
    "status.failedIndexes: Invalid value: \"1\": cannot set non-null failedIndexes when backoffLimitPerIndex is null",
])]
fn what_is_wrong(#[case] status: Value, #[case] wrong: &[&str]) {
    assert_eq!(said(json!({}), json!({}), status), wrong);
}

#[rstest]
#[case(json!({"completedIndexes": "0-2", "failedIndexes": "4"}), &[])]
#[case(json!({"completedIndexes": "5", "failedIndexes": "1-0"}), &[
    "status.completedIndexes: Invalid value: \"5\": error parsing completedIndexes: too large index: \"5\"",
    "status.failedIndexes: Invalid value: \"1-0\": error parsing failedIndexes: non-increasing order, previous: 1, current: 0",
])]
#[case(json!({"completedIndexes": "0-2", "failedIndexes": "2-3"}), &[
    "status.failedIndexes: Invalid value: \"2-3\": failedIndexes and completedIndexes overlap at index: 2",
])]
fn indexes(#[case] status: Value, #[case] wrong: &[&str]) {
    let spec = json!({"completionMode": "Indexed", "completions": 5, "backoffLimitPerIndex": 1});
    assert_eq!(said(spec.clone(), json!({}), status.clone()), wrong);
    // What is as it was is not looked at again.
    assert!(said(spec, status.clone(), status).is_empty());
}

#[rstest]
#[case(with(complete(), json!({"conditions": []})), &[
    "status.completionTime: Invalid value: \"2026-01-01T01:00:00Z\": cannot set completionTime when there is no Complete=True condition",
    "status.conditions: Invalid value: cannot disable the terminal Complete=True condition",
    "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
])]
#[case(with(complete(), json!({"succeeded": 1})), &["status.succeeded: Invalid value: 1: cannot decrease the succeeded counter"])]
#[case(with(complete(), json!({"completionTime": "2026-01-01T02:00:00Z"})), &[
    "status.completionTime: Invalid value: \"2026-01-01T02:00:00Z\": completionTime cannot be mutated",
])]
#[case(with(complete(), json!({"startTime": "2026-01-01T00:30:00Z"})), &[
    "status.startTime: Required value: startTime cannot be removed for unsuspended job",
])]
fn what_cannot_be_taken_back(#[case] new: Value, #[case] wrong: &[&str]) {
    assert_eq!(said(json!({}), complete(), new), wrong);
}

#[test]
fn what_a_spec_allows() {
    let elastic = json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2});
    assert!(said(elastic, json!({"succeeded": 2}), json!({"succeeded": 1})).is_empty());
    let began = json!({"startTime": START});
    assert!(said(json!({"suspend": true}), began, json!({})).is_empty());
    let judged = json!({"successPolicy": {"rules": []}});
    let done = with(complete(), json!({"conditions": hold(&["Complete"])}));
    let found = said(judged, done.clone(), done.clone());
    let why = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True";
    assert_eq!(found, [format!("status.conditions: Invalid value: {why}")]);
    let late = said(json!({}), done, complete());
    let why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
    assert_eq!(late, [format!("status.conditions: Invalid value: {why}")]);
}
