//! When a container that has ended is run again (KEP-5307).

use kedge_machinery::FieldError;
use kedge_machinery::status::FieldErrorKind;
use serde_json::Value;

use crate::value::{list, present, text};

const POLICIES: &[&str] = &["Always", "Never", "OnFailure"];
const ACTIONS: &[&str] = &["Restart"];
const OPERATORS: &[&str] = &["In", "NotIn"];
const MOST_RULES: usize = 20;
const MOST_CODES: usize = 255;

pub(super) fn restart(path: &str, container: &Value) -> Vec<FieldError> {
    let rules_at = format!("{path}.restartPolicyRules");
    let policy_at = format!("{path}.restartPolicy");
    let rules = list(container, "restartPolicyRules");
    let mut errors = Vec::new();
    match present(container, "restartPolicy").and_then(Value::as_str) {
        None if rules.is_empty() => {}
        None => {
            let detail = "must specify restartPolicy when restart rules are used";
            errors.push(FieldError::required(policy_at, detail));
        }
        Some(policy) if !POLICIES.contains(&policy) => {
            errors.push(FieldError::not_supported(policy_at, policy, POLICIES))
        }
        Some(_) => {}
    }
    errors.extend(too_many(&rules_at, rules.len(), MOST_RULES));
    for (i, rule) in rules.iter().enumerate() {
        let at = |key: &str| format!("{rules_at}[{i}].{key}");
        let action = text(rule, "action");
        if !ACTIONS.contains(&action) {
            errors.push(FieldError::not_supported(at("action"), action, ACTIONS));
        }
        let Some(codes) = present(rule, "exitCodes") else {
            errors.push(FieldError::required(at("exitCodes"), "must be specified"));
            continue;
        };
        let operator = text(codes, "operator");
        if !OPERATORS.contains(&operator) {
            let at = at("exitCodes.operator");
            errors.push(FieldError::not_supported(at, operator, OPERATORS));
        }
        let count = list(codes, "values").len();
        errors.extend(too_many(&at("exitCodes.values"), count, MOST_CODES));
    }
    errors
}

fn too_many(at: &str, count: usize, most: usize) -> Option<FieldError> {
    let detail = format!("must have at most {most} items");
    (count > most).then(|| FieldError::new(FieldErrorKind::TooMany, at, Some(count.into()), detail))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn check(container: Value, want: &[&str]) {
        let errors = restart("c", &container);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), want.len(), "{found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.starts_with(want), "{found}");
        }
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"restartPolicy": "OnFailure"}), &[])]
    #[case(json!({"restartPolicy": "Often"}), &["c.restartPolicy: Unsupported value: \"Often\": supported values: \"Always\", "])]
    #[case(json!({"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]}), &[
        "c.restartPolicy: Required value: must specify restartPolicy when restart rules are used",
    ])]
    #[case(json!({"restartPolicy": "Never", "restartPolicyRules": [{"action": "Stop"}, {"action": "Restart", "exitCodes": {"operator": "Is"}}]}), &[
        "c.restartPolicyRules[0].action: Unsupported value: ", "c.restartPolicyRules[0].exitCodes: Required value",
        "c.restartPolicyRules[1].exitCodes.operator: Unsupported value: ",
    ])]
    fn what_is_wrong(#[case] container: Value, #[case] want: &[&str]) {
        check(container, want);
    }

    #[test]
    fn rules_and_codes_are_few() {
        let codes = vec![1; MOST_CODES + 1];
        let rule = json!({"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}});
        let long = json!({"action": "Restart", "exitCodes": {"operator": "In", "values": codes}});
        let with =
            |rules: Vec<Value>| json!({"restartPolicy": "Never", "restartPolicyRules": rules});
        check(with(vec![rule.clone(); MOST_RULES]), &[]);
        let wrong = "c.restartPolicyRules: Too many: 21: must have at most 20 items";
        check(with(vec![rule; MOST_RULES + 1]), &[wrong]);
        let wrong = "c.restartPolicyRules[0].exitCodes.values: Too many: 256: ";
        check(with(vec![long]), &[wrong]);
    }
}
