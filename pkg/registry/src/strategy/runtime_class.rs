//! RuntimeClasses (`pkg/apis/node/validation`).

use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use crate::check;
use crate::strategy::pod::validate_overhead;
use crate::strategy::{Strategy, node_labels};
use crate::value::{child, field, list, pairs};

pub(super) struct RuntimeClass;

impl Strategy for RuntimeClass {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let handler = field(&object.0, "handler").as_str().unwrap_or_default();
        let scheduling = field(&object.0, "scheduling");
        let mut errors = check::label("handler", handler);
        let overhead = child(field(&object.0, "overhead"), "podFixed");
        errors.extend(validate_overhead("overhead", overhead));
        errors.extend(check::labels(
            "scheduling.nodeSelector",
            pairs(scheduling, "nodeSelector"),
        ));
        errors.extend(check::tolerations(
            "scheduling.tolerations",
            list(scheduling, "tolerations"),
        ));
        errors
    }

    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let handler = |object: &Object| -> Option<Value> { object.at(&["handler"]).cloned() };
        let (is, was) = (handler(new), handler(old));
        Vec::from_iter(check::immutable("handler", is.as_ref(), was.as_ref()))
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let _ = old;
        let labels = pairs(field(&new.0, "scheduling"), "nodeSelector");
        labels
            .filter_map(|(key, _)| node_labels::deprecated(key))
            .map(|why| format!("scheduling.nodeSelector: {why}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({"handler": "kata"}), &[])]
    #[case(json!({"handler": ""}), &["handler"])]
    #[case(json!({"handler": "a.b"}), &["handler"])]
    #[case(json!({"handler": "a", "scheduling": {"nodeSelector": {"a b": "c"}}}), &["scheduling.nodeSelector"])]
    #[case(json!({"handler": "a", "scheduling": {"tolerations": [{}]}}), &["scheduling.tolerations[0].operator"])]
    #[case(json!({"handler": "a", "overhead": {"podFixed": {"cpu": "100m", "memory": "1Gi"}}}), &[])]
    #[case(json!({"handler": "a", "overhead": {"podFixed": {"cpu": "-1", "disk": "1"}}}), &["overhead.limits[cpu]", "overhead.limits[disk]"])]
    fn what_is_wrong(#[case] class: Value, #[case] wrong: &[&str]) {
        let errors = RuntimeClass.validate(&Object::from_value(class).unwrap());
        let mut found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        found.dedup();
        assert_eq!(found, wrong);
    }

    #[test]
    fn the_handler_stays() {
        let class = |handler| Object::from_value(json!({"handler": handler})).unwrap();
        let errors = RuntimeClass.validate_change(&class("a"), &class("b"));
        assert_eq!(errors[0].field, "handler");
        // What has changed is looked at as a new class is.
        let errors = RuntimeClass.validate_update(&class(""), &class(""), "");
        assert_eq!(errors[0].field, "handler");
    }
}
