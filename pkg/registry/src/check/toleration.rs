//! Tolerations (`ValidateTolerations`).

use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, names};
use serde_json::Value;

use crate::value::{present, text};

const OPERATORS: &[&str] = &["Equal", "Exists"];
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// A list of tolerations.
pub(crate) fn tolerations(path: &str, tolerations: &[Value]) -> Vec<FieldError> {
    tolerations
        .iter()
        .enumerate()
        .flat_map(|(i, toleration)| self::toleration(&format!("{path}[{i}]"), toleration))
        .collect()
}

fn toleration(path: &str, toleration: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let [key, operator, value, effect] =
        ["key", "operator", "value", "effect"].map(|name| text(toleration, name));
    let mut errors = Vec::new();
    if !key.is_empty() {
        errors.extend(super::qualified_name(&at("key"), key));
    } else if operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        errors.push(FieldError::invalid(at("operator"), operator, detail));
    }
    if present(toleration, "tolerationSeconds").is_some() && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.push(FieldError::invalid(at("effect"), effect, detail));
    }
    match operator {
        "" | "Equal" => {
            let wrong = names::label_value(value);
            if !wrong.is_empty() {
                errors.push(FieldError::invalid(at("operator"), value, wrong.join(";")));
            }
        }
        "Exists" if !value.is_empty() => {
            let seconds = toleration.get("tolerationSeconds").cloned();
            let shown = super::go_struct([
                ("Key", key.into()),
                ("Operator", operator.into()),
                ("Value", value.into()),
                ("Effect", effect.into()),
                ("TolerationSeconds", seconds.unwrap_or_default()),
            ]);
            let detail = format!("{shown}: value must be empty when `operator` is 'Exists'");
            errors.push(FieldError::new(
                FieldErrorKind::Invalid,
                at("operator"),
                None,
                detail,
            ));
        }
        "Exists" => {}
        other => errors.push(FieldError::not_supported(at("operator"), other, OPERATORS)),
    }
    if !effect.is_empty() && !EFFECTS.contains(&effect) {
        errors.push(FieldError::not_supported(at("effect"), effect, EFFECTS));
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({"operator": "Exists"}), &[])]
    #[case(json!({"key": "a", "value": "b", "effect": "NoExecute", "tolerationSeconds": 5}), &[])]
    #[case(json!({}), &["t[0].operator"])]
    #[case(json!({"key": "a b"}), &["t[0].key"])]
    #[case(json!({"key": "a", "operator": "In"}), &["t[0].operator"])]
    #[case(json!({"key": "a", "operator": "Exists", "value": "b"}), &["t[0].operator"])]
    #[case(json!({"key": "a", "effect": "No"}), &["t[0].effect"])]
    #[case(json!({"key": "a", "tolerationSeconds": 5}), &["t[0].effect"])]
    fn what_is_wrong(#[case] toleration: Value, #[case] wrong: &[&str]) {
        let errors = tolerations("t", &[toleration]);
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn the_whole_is_shown_as_upstream_shows_its_own_structs() {
        let both = json!({"key": "a", "operator": "Exists", "value": "b"});
        let shown =
            r#"{"Key":"a","Operator":"Exists","Value":"b","Effect":"","TolerationSeconds":null}"#;
        let said = format!(
            "t[0].operator: Invalid value: {shown}: value must be empty when `operator` is 'Exists'"
        );
        assert_eq!(tolerations("t", &[both])[0].to_string(), said);
    }
}
