//! Roles and ClusterRoles.

use kedge_machinery::selector::LabelSelector;
use kedge_machinery::{FieldError, Object};
use serde_json::{Value, json};

use crate::check;
use crate::strategy::Strategy;
use crate::value::{field, list};

pub(in crate::strategy) struct Role;

pub(in crate::strategy) struct ClusterRole;

impl Strategy for Role {
    fn default(&self, object: &mut Object) {
        default(object);
    }

    fn blank(&self) -> Option<Object> {
        blank()
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        rules(object, true)
    }
}

impl Strategy for ClusterRole {
    fn default(&self, object: &mut Object) {
        default(object);
    }

    fn blank(&self) -> Option<Object> {
        blank()
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = rules(object, false);
        let Some(aggregation) = object.0.get("aggregationRule").filter(|v| !v.is_null()) else {
            return errors;
        };
        let path = "aggregationRule.clusterRoleSelectors";
        let selectors = list(aggregation, "clusterRoleSelectors");
        if selectors.is_empty() {
            let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            errors.push(FieldError::required(path, detail));
        }
        for (i, selector) in selectors.iter().enumerate() {
            let at = format!("{path}[{i}]");
            errors.extend(check::selector(&at, selector));
            if LabelSelector::from_json(selector).is_err() {
                errors.push(FieldError::invalid(at, "null", "invalid label selector."));
            }
        }
        errors
    }
}

/// A role without rules says so.
fn default(object: &mut Object) {
    object.0.entry("rules").or_insert(Value::Null);
}

fn blank() -> Option<Object> {
    Object::from_value(json!({"metadata": {}, "rules": null}))
}

fn rules(object: &Object, namespaced: bool) -> Vec<FieldError> {
    let rules = field(&object.0, "rules").as_array().into_iter().flatten();
    rules
        .enumerate()
        .flat_map(|(i, rule)| self::rule(&format!("rules[{i}]"), rule, namespaced))
        .collect()
}

fn rule(path: &str, rule: &Value, namespaced: bool) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let [verbs, groups, resources, names, paths] = [
        "verbs",
        "apiGroups",
        "resources",
        "resourceNames",
        "nonResourceURLs",
    ]
    .map(|key| list(rule, key));
    let mut errors = Vec::new();
    if verbs.is_empty() {
        let detail = "verbs must contain at least one value";
        errors.push(FieldError::required(at("verbs"), detail));
    }
    if !paths.is_empty() {
        let mut wrong = |detail: &str| {
            errors.push(FieldError::invalid(at("nonResourceURLs"), paths, detail));
        };
        if namespaced {
            wrong("namespaced rules cannot apply to non-resource URLs");
        }
        if !groups.is_empty() || !resources.is_empty() || !names.is_empty() {
            wrong("rules cannot apply to both regular resources and non-resource URLs");
        }
        return errors;
    }
    if groups.is_empty() {
        let detail = "resource rules must supply at least one api group";
        errors.push(FieldError::required(at("apiGroups"), detail));
    }
    if resources.is_empty() {
        let detail = "resource rules must supply at least one resource";
        errors.push(FieldError::required(at("resources"), detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn role(rule: Value) -> Object {
        Object::from_value(json!({"rules": [rule]})).unwrap()
    }

    fn fields(errors: &[FieldError]) -> Vec<&str> {
        errors.iter().map(|e| e.field.as_str()).collect()
    }

    #[rstest]
    #[case(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}), &[], &[])]
    #[case(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]}), &[], &[])]
    #[case(json!({}), &["verbs", "apiGroups", "resources"], &["verbs", "apiGroups", "resources"])]
    #[case(json!({"verbs": ["get"], "nonResourceURLs": ["/a"]}), &[], &["nonResourceURLs"])]
    #[case(json!({"verbs": ["get"], "nonResourceURLs": ["/a"], "resources": ["pods"]}),
        &["nonResourceURLs"], &["nonResourceURLs", "nonResourceURLs"])]
    #[case(json!({"nonResourceURLs": ["/a"]}), &["verbs"], &["verbs", "nonResourceURLs"])]
    fn what_is_wrong(#[case] rule: Value, #[case] cluster: &[&str], #[case] namespaced: &[&str]) {
        let role = role(rule);
        let named = |keys: &[&str]| -> Vec<String> {
            keys.iter().map(|key| format!("rules[0].{key}")).collect()
        };
        assert_eq!(fields(&ClusterRole.validate(&role)), named(cluster));
        assert_eq!(fields(&Role.validate(&role)), named(namespaced));
    }

    #[rstest]
    #[case(json!({}), &["aggregationRule.clusterRoleSelectors"])]
    #[case(json!({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}), &[])]
    #[case(json!({"clusterRoleSelectors": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]}),
        &["aggregationRule.clusterRoleSelectors[0].matchExpressions[0].values", "aggregationRule.clusterRoleSelectors[0]"])]
    fn selectors(#[case] aggregation: Value, #[case] wrong: &[&str]) {
        let role = Object::from_value(json!({"aggregationRule": aggregation})).unwrap();
        assert_eq!(fields(&ClusterRole.validate(&role)), wrong);
    }
}
