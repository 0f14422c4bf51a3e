//! Conditions as `meta/v1` has them (`ValidateConditions`).

use std::collections::BTreeSet;

use kedge_machinery::FieldError;
use kedge_machinery::status::FieldErrorKind;
use serde_json::Value;

use crate::value::{child, int, text};

const STATUSES: &[&str] = &["False", "True", "Unknown"];
const MAX_REASON: usize = 1 << 10;
const MAX_MESSAGE: usize = 32 << 10;
const REASON_RULE: &str = "a condition reason must start with alphabetic character, optionally followed by a string of \
    alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  \
    or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

pub(crate) fn conditions(path: &str, conditions: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, condition) in conditions.iter().enumerate() {
        let path = format!("{path}[{i}]");
        let kind = text(condition, "type");
        if !seen.insert(kind) {
            errors.push(FieldError::duplicate(format!("{path}.type"), kind));
        }
        errors.extend(self::condition(&path, condition));
    }
    errors
}

fn condition(path: &str, condition: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let too_long = |key: &str, most: usize| {
        let detail = format!("may not be more than {most} bytes");
        let long = text(condition, key).len() > most;
        long.then(|| FieldError::new(FieldErrorKind::TooLong, at(key), None, detail))
    };
    let mut errors = super::qualified_name(&at("type"), text(condition, "type"));
    let status = text(condition, "status");
    if !STATUSES.contains(&status) {
        errors.push(FieldError::not_supported(at("status"), status, STATUSES));
    }
    let generation = int(condition, "observedGeneration");
    if generation < 0 {
        let detail = "must be greater than or equal to zero";
        let at = at("observedGeneration");
        errors.push(FieldError::invalid(at, generation, detail));
    }
    if child(condition, "lastTransitionTime").is_null() {
        errors.push(FieldError::required(
            at("lastTransitionTime"),
            "must be set",
        ));
    }
    match text(condition, "reason") {
        "" => errors.push(FieldError::required(at("reason"), "must be set")),
        reason if !is_reason(reason) => {
            errors.push(FieldError::invalid(at("reason"), reason, REASON_RULE));
        }
        _ => {}
    }
    errors.extend(too_long("reason", MAX_REASON));
    errors.extend(too_long("message", MAX_MESSAGE));
    errors
}

fn is_reason(reason: &str) -> bool {
    let is_end = |c: char| c.is_ascii_alphanumeric() || c == '_';
    reason.starts_with(|c: char| c.is_ascii_alphabetic())
        && reason.ends_with(is_end)
        && reason.chars().all(|c| is_end(c) || matches!(c, ',' | ':'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn with(more: Value) -> Value {
        let mut condition = json!({"type": "Ready", "status": "True", "reason": "Given", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let fields = condition.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        condition
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"type": "", "status": "Maybe"}), &["c[0].type", "c[0].type", "c[0].status"])]
    #[case(json!({"observedGeneration": -1, "lastTransitionTime": null}), &["c[0].observedGeneration", "c[0].lastTransitionTime"])]
    #[case(json!({"reason": ""}), &["c[0].reason"])]
    #[case(json!({"reason": "Given:"}), &["c[0].reason"])]
    #[case(json!({"reason": "A,B:c_"}), &[])]
    #[case(json!({"reason": "a".repeat(1025), "message": "m".repeat((32 << 10) + 1)}), &["c[0].reason", "c[0].message"])]
    fn what_is_wrong(#[case] more: Value, #[case] want: &[&str]) {
        let errors = conditions("c", &[with(more)]);
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, want);
    }

    #[test]
    fn one_of_a_type() {
        let errors = conditions("c", &[with(json!({})), with(json!({"status": "False"}))]);
        assert_eq!(
            errors[0].to_string(),
            "c[1].type: Duplicate value: \"Ready\""
        );
    }
}
