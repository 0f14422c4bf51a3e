//! How Pods spread over the parts of a cluster.

use kedge_machinery::FieldError;
use serde_json::Value;

use super::affinity::{in_both, without_selector};
use crate::check;
use crate::value::{int, list, pairs, present, text, texts};

const UNSATISFIABLE: &[&str] = &["DoNotSchedule", "ScheduleAnyway"];
const INCLUSION: &[&str] = &["Honor", "Ignore"];

pub(super) fn all(path: &str, constraints: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, constraint) in constraints.iter().enumerate() {
        let rest = &constraints[i + 1..];
        errors.extend(constraint_errors(&format!("{path}[{i}]"), constraint, rest));
    }
    errors
}

fn constraint_errors(path: &str, constraint: &Value, rest: &[Value]) -> Vec<FieldError> {
    const POSITIVE: &str = "must be greater than zero";
    let at = |key: &str| format!("{path}.{key}");
    let kind = |constraint| {
        let [key, action] =
            ["topologyKey", "whenUnsatisfiable"].map(|field| text(constraint, field));
        (key, action)
    };
    let (key, action) = kind(constraint);
    let mut errors = Vec::new();
    let skew = int(constraint, "maxSkew");
    if skew <= 0 {
        errors.push(FieldError::invalid(at("maxSkew"), skew, POSITIVE));
    }
    if key.is_empty() {
        errors.push(FieldError::required(at("topologyKey"), "can not be empty"));
    }
    if !UNSATISFIABLE.contains(&action) {
        let at = at("whenUnsatisfiable");
        errors.push(FieldError::not_supported(at, action, UNSATISFIABLE));
    }
    if rest.iter().any(|other| kind(other) == (key, action)) {
        let shown = format!("{{{key}, {action}}}");
        let at = at("{topologyKey, whenUnsatisfiable}");
        errors.push(FieldError::duplicate(at, shown));
    }
    if let Some(domains) = present(constraint, "minDomains").and_then(Value::as_i64) {
        let mut wrong = |detail: String| {
            errors.push(FieldError::invalid(at("minDomains"), domains, detail));
        };
        if domains <= 0 {
            wrong(POSITIVE.into());
        }
        if action != UNSATISFIABLE[0] {
            wrong(format!(
                "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            ));
        }
    }
    for key in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
        let policy = present(constraint, key).and_then(Value::as_str);
        if let Some(policy) = policy.filter(|policy| !INCLUSION.contains(policy)) {
            errors.push(FieldError::not_supported(at(key), policy, INCLUSION));
        }
    }
    errors.extend(spread_keys(&at("matchLabelKeys"), constraint));
    if let Some(selector) = present(constraint, "labelSelector") {
        errors.extend(check::selector(&at("labelSelector"), selector));
    }
    errors
}

/// The same keys here. What the selector says of one besides is told, where that comes from the Pod's labels alone.
fn spread_keys(path: &str, constraint: &Value) -> Vec<FieldError> {
    let keys = texts(constraint, "matchLabelKeys");
    let Some(selector) = present(constraint, "labelSelector") else {
        let wrong = (!keys.is_empty()).then(|| without_selector(path.to_string()));
        return Vec::from_iter(wrong);
    };
    let mut errors = Vec::new();
    for (i, key) in keys.into_iter().enumerate() {
        let at = format!("{path}[{i}]");
        errors.extend(check::qualified_name(&at, key));
        let expressions = list(selector, "matchExpressions").iter();
        let said = pairs(selector, "matchLabels")
            .filter(|(own, _)| *own == key)
            .count()
            + expressions.filter(|own| text(own, "key") == key).count();
        if said > 1 {
            errors.push(in_both(at, key, "labelSelector"));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn check(errors: &[FieldError], want: &[&str]) {
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), want.len(), "{found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.starts_with(want), "{found}");
        }
    }

    fn constraint(more: Value) -> Value {
        let mut constraint =
            json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"});
        let fields = constraint.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        constraint
    }

    #[rstest]
    #[case(json!({"minDomains": 2, "nodeAffinityPolicy": "Honor", "nodeTaintsPolicy": "Ignore"}), &[])]
    #[case(json!({"maxSkew": 0}), &["s[0].maxSkew: Invalid value: 0: must be greater than zero"])]
    #[case(json!({"topologyKey": "", "whenUnsatisfiable": "Never"}), &["s[0].topologyKey: Required value", "s[0].whenUnsatisfiable: Unsupported value"])]
    #[case(json!({"minDomains": 0, "whenUnsatisfiable": "ScheduleAnyway"}), &["s[0].minDomains: Invalid value: 0: must be", "s[0].minDomains: Invalid value: 0: can only use"])]
    #[case(json!({"nodeTaintsPolicy": ""}), &["s[0].nodeTaintsPolicy: Unsupported value: \"\""])]
    #[case(json!({"matchLabelKeys": ["a"]}), &["s[0].matchLabelKeys: Forbidden"])]
    #[case(json!({"matchLabelKeys": ["a"], "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}}), &[])]
    #[case(
        json!({"matchLabelKeys": ["a"], "labelSelector": {
            "matchLabels": {"a": "x"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}],
        }}),
        &["s[0].matchLabelKeys[0]: Invalid value: \"a\": exists in both"]
    )]
    #[case(json!({"labelSelector": {"matchLabels": {"a": "b c"}}}), &["s[0].labelSelector.matchLabels: Invalid value: \"b c\""])]
    fn spreading(#[case] more: Value, #[case] want: &[&str]) {
        check(&all("s", &[constraint(more)]), want);
    }

    #[test]
    fn one_constraint_of_a_kind() {
        let twice = [constraint(json!({})), constraint(json!({"maxSkew": 2}))];
        check(
            &all("s", &twice),
            &["s[0].{topologyKey, whenUnsatisfiable}: Duplicate value: \"{zone, DoNotSchedule}\""],
        );
        let other = [
            constraint(json!({})),
            constraint(json!({"whenUnsatisfiable": "ScheduleAnyway"})),
        ];
        assert!(all("s", &other).is_empty());
    }
}
