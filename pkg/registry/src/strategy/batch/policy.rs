//! When a Job has failed and when it has succeeded, beyond counts (KEP-3329 and KEP-3998; upstream:
//! `validatePodFailurePolicy`, `validateSuccessPolicy`).

use std::collections::BTreeSet;

use kedge_machinery::FieldError;
use kedge_machinery::status::FieldErrorKind;
use serde_json::{Map, Value, json};

use super::indexes;
use crate::check;
use crate::value::{self, child, int, list, present, structs_mut, text};

const MAX_RULES: usize = 20;
const MAX_PATTERNS: usize = 20;
const MAX_CODES: usize = 255;
/// Bytes of a list of indexes.
const MAX_INDEXES: usize = 64 << 10;
const ACTIONS: &[&str] = &["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: &[&str] = &["In", "NotIn"];
const STATUSES: &[&str] = &["False", "True", "Unknown"];

/// A condition of a Pod is asked for as true where nothing else is said.
pub(super) fn default(spec: &mut Map<String, Value>) {
    let Some(policy) = spec
        .get_mut("podFailurePolicy")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for rule in structs_mut(policy, "rules") {
        for pattern in structs_mut(rule, "onPodConditions") {
            value::default(pattern, "status", "True");
        }
    }
}

pub(super) fn failure(at: &str, spec: &Value) -> Vec<FieldError> {
    let Some(policy) = present(spec, "podFailurePolicy") else {
        return Vec::new();
    };
    let rules = list(policy, "rules");
    let at = format!("{at}.rules");
    let mut errors = Vec::from_iter(too_many(&at, rules.len(), MAX_RULES));
    for (i, rule) in rules.iter().enumerate() {
        errors.extend(failure_rule(&format!("{at}[{i}]"), rule, spec));
    }
    errors
}

fn failure_rule(at: &str, rule: &Value, spec: &Value) -> Vec<FieldError> {
    let at_action = format!("{at}.action");
    let mut errors = match text(rule, "action") {
        "FailIndex" if present(spec, "backoffLimitPerIndex").is_none() => {
            let detail = "requires the backoffLimitPerIndex to be set";
            vec![FieldError::invalid(&at_action, "FailIndex", detail)]
        }
        action => Vec::from_iter(one_of(&at_action, action, ACTIONS)),
    };
    let (codes, conditions) = (present(rule, "onExitCodes"), list(rule, "onPodConditions"));
    if let Some(codes) = codes {
        errors.extend(exit_codes(&format!("{at}.onExitCodes"), codes, spec));
    }
    let at_conditions = format!("{at}.onPodConditions");
    errors.extend(too_many(&at_conditions, conditions.len(), MAX_PATTERNS));
    for (i, pattern) in conditions.iter().enumerate() {
        let at = |key: &str| format!("{at_conditions}[{i}].{key}");
        errors.extend(check::qualified_name(&at("type"), text(pattern, "type")));
        errors.extend(one_of(&at("status"), text(pattern, "status"), STATUSES));
    }
    let detail = match (codes.is_some(), conditions.is_empty()) {
        (true, false) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, true) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return errors,
    };
    errors.push(FieldError::new(FieldErrorKind::Invalid, at, None, detail));
    errors
}

fn exit_codes(at: &str, codes: &Value, spec: &Value) -> Vec<FieldError> {
    let operator = text(codes, "operator");
    let mut errors = Vec::from_iter(one_of(&format!("{at}.operator"), operator, OPERATORS));
    let pod = child(child(spec, "template"), "spec");
    if let Some(name) = present(codes, "containerName").and_then(Value::as_str) {
        let mut all = list(pod, "containers")
            .iter()
            .chain(list(pod, "initContainers"));
        if !all.any(|container| text(container, "name") == name) {
            let detail = "must be one of the container or initContainer names in the pod template";
            let at = format!("{at}.containerName");
            errors.push(FieldError::invalid(at, name, detail));
        }
    }
    let (at, values) = (format!("{at}.values"), list(codes, "values"));
    let all = child(codes, "values").clone();
    if values.is_empty() {
        let detail = "at least one value is required";
        errors.push(FieldError::invalid(&at, all.clone(), detail));
    }
    errors.extend(too_many(&at, values.len(), MAX_CODES));
    let numbers: Vec<i64> = values
        .iter()
        .map(|v| v.as_i64().unwrap_or_default())
        .collect();
    let mut seen = BTreeSet::new();
    for (i, number) in numbers.iter().enumerate() {
        let at = format!("{at}[{i}]");
        if operator == "In" && *number == 0 {
            let detail = "must not be 0 for the In operator";
            errors.push(FieldError::invalid(&at, 0, detail));
        }
        if !seen.insert(number) {
            errors.push(FieldError::duplicate(&at, *number));
        }
    }
    if !numbers.is_sorted() {
        errors.push(FieldError::invalid(&at, all, "must be ordered"));
    }
    errors
}

pub(super) fn success(at: &str, spec: &Value) -> Vec<FieldError> {
    let Some(policy) = present(spec, "successPolicy") else {
        return Vec::new();
    };
    let rules = list(policy, "rules");
    if text(spec, "completionMode") != "Indexed" {
        // With Go's names of the fields, as upstream shows them.
        let rule = |rule: &Value| json!({"SucceededIndexes": child(rule, "succeededIndexes"), "SucceededCount": child(rule, "succeededCount")});
        let shown = json!({"Rules": rules.iter().map(rule).collect::<Vec<_>>()});
        let detail = "requires indexed completion mode";
        return vec![FieldError::invalid(at, shown, detail)];
    }
    let at = format!("{at}.rules");
    let mut errors = Vec::new();
    if rules.is_empty() {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        errors.push(FieldError::required(&at, detail));
    }
    errors.extend(too_many(&at, rules.len(), MAX_RULES));
    let completions = int(spec, "completions");
    for (i, rule) in rules.iter().enumerate() {
        errors.extend(success_rule(&format!("{at}[{i}]"), rule, completions));
    }
    errors
}

fn success_rule(at: &str, rule: &Value, completions: i64) -> Vec<FieldError> {
    let count = present(rule, "succeededCount").and_then(Value::as_i64);
    let which = present(rule, "succeededIndexes").and_then(Value::as_str);
    let mut errors = Vec::new();
    if count.is_none() && which.is_none() {
        let detail = "at least one of succeededCount or succeededIndexes must be specified";
        errors.push(FieldError::required(at, detail));
    }
    let mut total = 0;
    if let Some(which) = which {
        let at = format!("{at}.succeededIndexes");
        if which.len() > MAX_INDEXES {
            let detail = format!("may not be more than {MAX_INDEXES} bytes");
            errors.push(FieldError::new(FieldErrorKind::TooLong, &at, None, detail));
        }
        match indexes::count(which, completions) {
            Ok(count) => total = count,
            Err(why) => {
                let detail = format!("error parsing succeededIndexes: {why}");
                errors.push(FieldError::invalid(&at, which, detail));
            }
        }
    }
    if let Some(count) = count {
        let at = format!("{at}.succeededCount");
        errors.extend(check::non_negative(&at, count));
        let mut at_most = |most: i64, of: &str| {
            if count > most {
                let detail = format!("must be less than or equal to {most} (the number of {of})");
                errors.push(FieldError::invalid(&at, count, detail));
            }
        };
        at_most(completions, "specified completions");
        if which.is_some() {
            at_most(total, "indexes in the specified succeededIndexes field");
        }
    }
    errors
}

fn too_many(at: &str, count: usize, most: usize) -> Option<FieldError> {
    let detail = format!("must have at most {most} items");
    let kind = FieldErrorKind::TooMany;
    (count > most).then(|| FieldError::new(kind, at, Some(count.into()), detail))
}

/// One of a few words; what they are is said as Go prints a list.
fn one_of(at: &str, word: &str, words: &[&str]) -> Option<FieldError> {
    if word.is_empty() {
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let detail = format!("valid values: [{}]", quoted.join(" "));
        return Some(FieldError::required(at, detail));
    }
    check::one_of(at, word, words)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn said(errors: Vec<FieldError>) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    fn judged(rule: Value) -> Vec<String> {
        let pod = json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]});
        let spec = json!({"template": {"spec": pod}, "podFailurePolicy": {"rules": [rule]}});
        said(failure("p", &spec))
    }

    #[rstest]
    #[case(json!({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}), &[])]
    #[case(json!({"action": "FailJob", "onExitCodes": {"containerName": "i", "operator": "NotIn", "values": [0, 1]}}), &[])]
    #[case(json!({}), &[
        "p.rules[0].action: Required value: valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]",
        "p.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
    ])]
    #[case(json!({"action": "Stop", "onPodConditions": [{"type": "a b", "status": "Maybe"}], "onExitCodes": {}}), &[
        "p.rules[0].action: Unsupported value: \"Stop\": supported values: \"Count\", \"FailIndex\", \"FailJob\", \"Ignore\"",
        "p.rules[0].onExitCodes.operator: Required value: valid values: [\"In\" \"NotIn\"]",
        "p.rules[0].onExitCodes.values: Invalid value: null: at least one value is required",
        "p.rules[0].onPodConditions[0].type: Invalid value: \"a b\": name part must consist of",
        "p.rules[0].onPodConditions[0].status: Unsupported value: \"Maybe\": supported values: \"False\", \"True\", \"Unknown\"",
        "p.rules[0]: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported",
    ])]
    #[case(json!({"action": "FailIndex", "onExitCodes": {"containerName": "x", "operator": "In", "values": [2, 0, 2]}}), &[
        "p.rules[0].action: Invalid value: \"FailIndex\": requires the backoffLimitPerIndex to be set",
        "p.rules[0].onExitCodes.containerName: Invalid value: \"x\": must be one of the container or initContainer names in the pod template",
        "p.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator",
        "p.rules[0].onExitCodes.values[2]: Duplicate value: 2",
        "p.rules[0].onExitCodes.values: Invalid value: [2,0,2]: must be ordered",
    ])]
    fn what_is_wrong_with_failure(#[case] rule: Value, #[case] wrong: &[&str]) {
        let found = judged(rule);
        assert_eq!(found.len(), wrong.len(), "{found:?}");
        for (found, wrong) in found.iter().zip(wrong) {
            assert!(found.starts_with(wrong), "{found}");
        }
    }

    #[test]
    fn a_condition_is_true_unless_said_otherwise() {
        let policy = |patterns: Value| json!({"podFailurePolicy": {"rules": [{"onPodConditions": patterns}]}});
        let mut spec = policy(json!([{"type": "A"}, {"type": "B", "status": "False"}]));
        default(spec.as_object_mut().unwrap());
        let want = json!([{"type": "A", "status": "True"}, {"type": "B", "status": "False"}]);
        assert_eq!(spec, policy(want));
    }

    #[test]
    fn limits() {
        let codes = |count: usize| json!({"action": "Count", "onExitCodes": {"operator": "In", "values": (1..=count).collect::<Vec<_>>()}});
        assert!(judged(codes(MAX_CODES)).is_empty());
        let at = "p.rules[0].onExitCodes.values: Too many: 256: must have at most 255 items";
        assert_eq!(judged(codes(MAX_CODES + 1)), [at]);
        let pattern = json!({"type": "A", "status": "True"});
        let rule =
            |count| json!({"action": "Count", "onPodConditions": vec![pattern.clone(); count]});
        assert!(judged(rule(MAX_PATTERNS)).is_empty());
        assert_eq!(judged(rule(MAX_PATTERNS + 1)).len(), 1);
        let rules = |count| {
            failure(
                "p",
                &json!({"podFailurePolicy": {"rules": vec![rule(1); count]}}),
            )
        };
        assert!(rules(MAX_RULES).is_empty());
        assert_eq!(rules(MAX_RULES + 1).len(), 1);
    }

    #[rstest]
    #[case(json!([{"succeededIndexes": "0-2,4"}, {"succeededCount": 5}, {"succeededIndexes": "1", "succeededCount": 1}]), &[])]
    #[case(json!([]), &["p.rules: Required value: at least one rules must be specified when the successPolicy is specified"])]
    #[case(json!([{}]), &["p.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified"])]
    #[case(json!([{"succeededIndexes": "1-x"}]), &[
        "p.rules[0].succeededIndexes: Invalid value: \"1-x\": error parsing succeededIndexes: cannot convert string to integer for index: \"x\"",
    ])]
    #[case(json!([{"succeededCount": -1}]), &["p.rules[0].succeededCount: Invalid value: -1: must be greater than or equal to 0"])]
    #[case(json!([{"succeededIndexes": "0-1", "succeededCount": 6}]), &[
        "p.rules[0].succeededCount: Invalid value: 6: must be less than or equal to 5 (the number of specified completions)",
        "p.rules[0].succeededCount: Invalid value: 6: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)",
    ])]
    fn what_is_wrong_with_success(#[case] rules: Value, #[case] wrong: &[&str]) {
        let spec = json!({"completionMode": "Indexed", "completions": 5, "successPolicy": {"rules": rules}});
        assert_eq!(said(success("p", &spec)), wrong);
    }

    #[test]
    fn only_what_has_indexes_succeeds_by_them() {
        let spec = json!({"successPolicy": {"rules": [{"succeededCount": 1}]}});
        let found = said(success("p", &spec));
        assert!(found[0].ends_with(": requires indexed completion mode"));
        assert!(found[0].contains("\"SucceededCount\":1"), "{found:?}");
    }
}
