//! PodDisruptionBudgets (`pkg/apis/policy/validation`): stored and checked; who evicts Pods reads them here.

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::{Map, Value, json};

use crate::check;
use crate::strategy::Strategy;
use crate::value::{child, default, field, int, list, present, text};

const EVICTION_POLICIES: &[&str] = &["AlwaysAllow", "IfHealthyBudget"];
const COUNTS: [&str; 4] = [
    "disruptionsAllowed",
    "currentHealthy",
    "desiredHealthy",
    "expectedPods",
];

pub(super) struct PodDisruptionBudget;

impl Strategy for PodDisruptionBudget {
    fn default(&self, object: &mut Object) {
        child_mut(&mut object.0, "spec");
        let status = child_mut(&mut object.0, "status");
        COUNTS.iter().for_each(|key| default(status, key, 0));
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({"metadata": {}, "spec": {}, "status": empty_status()}))
    }

    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), empty_status());
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let bounds = ["minAvailable", "maxUnavailable"];
        let mut errors = Vec::new();
        if bounds.iter().all(|key| present(spec, key).is_some()) {
            let detail = "minAvailable and maxUnavailable cannot be both set";
            errors.push(FieldError::invalid("spec", spec.clone(), detail));
        }
        for key in bounds {
            let at = format!("spec.{key}");
            if let Some(value) = present(spec, key) {
                errors.extend(check::int_or_percent(&at, value));
                errors.extend(check::at_most_100_percent(&at, value));
            }
        }
        errors.extend(check::selector("spec.selector", child(spec, "selector")));
        let policy = text(spec, "unhealthyPodEvictionPolicy");
        let at = "spec.unhealthyPodEvictionPolicy";
        if present(spec, "unhealthyPodEvictionPolicy").is_some()
            && !EVICTION_POLICIES.contains(&policy)
        {
            errors.push(FieldError::not_supported(at, policy, EVICTION_POLICIES));
        }
        errors
    }

    fn validate_update(&self, new: &Object, _old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource != "status" {
            return self.validate(new);
        }
        let status = field(&new.0, "status");
        let mut errors = check::conditions("status.conditions", list(status, "conditions"));
        let counts = COUNTS.iter();
        errors.extend(
            counts
                .filter_map(|key| check::non_negative(&format!("status.{key}"), int(status, key))),
        );
        errors
    }
}

fn empty_status() -> Value {
    let zero = |key: &&str| ((*key).to_string(), json!(0));
    Value::Object(COUNTS.iter().map(zero).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn what_is_filled_in() {
        let mut new = Object::from_value(json!({"status": {"expectedPods": 3}})).unwrap();
        PodDisruptionBudget.default(&mut new);
        assert_eq!(new.0["spec"], json!({}));
        assert_eq!(new.0["status"]["expectedPods"], 3);
        assert_eq!(new.0["status"]["currentHealthy"], 0);
        PodDisruptionBudget.prepare_create(&mut new);
        assert_eq!(
            new,
            PodDisruptionBudget
                .blank()
                .map(|mut blank| {
                    blank.0.remove("metadata");
                    blank
                })
                .unwrap()
        );
    }

    #[rstest]
    #[case(json!({"minAvailable": 1}), &[])]
    #[case(json!({"maxUnavailable": "50%"}), &[])]
    #[case(json!({"minAvailable": 1, "maxUnavailable": 1}), &["spec"])]
    #[case(json!({"minAvailable": -1}), &["spec.minAvailable"])]
    #[case(json!({"maxUnavailable": "101%"}), &["spec.maxUnavailable"])]
    #[case(json!({"maxUnavailable": "half"}), &["spec.maxUnavailable"])]
    #[case(json!({"selector": {"matchLabels": {"a b": "c"}}}), &["spec.selector.matchLabels"])]
    #[case(json!({"unhealthyPodEvictionPolicy": "AlwaysAllow"}), &[])]
    #[case(json!({"unhealthyPodEvictionPolicy": "Never"}), &["spec.unhealthyPodEvictionPolicy"])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let object = Object::from_value(json!({"spec": spec})).unwrap();
        let errors = PodDisruptionBudget.validate(&object);
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn a_status_is_whole_and_counts_right() {
        let object =
            Object::from_value(json!({"status": {"currentHealthy": -1, "expectedPods": 2, "conditions": [{"type": "DisruptionAllowed"}]}}))
                .unwrap();
        let errors = PodDisruptionBudget.validate_update(&object, &object, "status");
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        let condition = ["status", "lastTransitionTime", "reason"];
        let condition = condition.map(|key| format!("status.conditions[0].{key}"));
        assert_eq!(found[..3], condition);
        assert_eq!(found[3..], ["status.currentHealthy"]);
    }
}
