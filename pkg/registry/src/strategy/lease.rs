//! Leases (`pkg/apis/coordination/validation`).

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use crate::check;
use crate::strategy::Strategy;
use crate::value::{field, present, text};

/// The strategies that have a bare name; others are `domain/name`.
const STRATEGIES: &[&str] = &["OldestEmulationVersion"];

pub(super) struct Lease;

impl Strategy for Lease {
    fn default(&self, object: &mut Object) {
        child_mut(&mut object.0, "spec");
    }

    fn prepare_create(&self, new: &mut Object) {
        drop_disabled(new, None);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, _subresource: &str) {
        drop_disabled(new, Some(old));
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let number = |key: &str| present(spec, key).and_then(Value::as_i64);
        let mut errors = Vec::new();
        if let Some(seconds) = number("leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
            let detail = "must be greater than 0";
            errors.push(FieldError::invalid(
                "spec.leaseDurationSeconds",
                seconds,
                detail,
            ));
        }
        if let Some(transitions) = number("leaseTransitions") {
            errors.extend(check::non_negative("spec.leaseTransitions", transitions));
        }
        let strategy = text(spec, "strategy");
        if present(spec, "strategy").is_some() {
            errors.extend(self::strategy(strategy));
        }
        if strategy.is_empty() && !text(spec, "preferredHolder").is_empty() {
            let detail = "may only be specified if `strategy` is defined";
            errors.push(FieldError::forbidden("spec.preferredHolder", detail));
        }
        errors
    }
}

/// How a leader is chosen is behind a gate that is closed by default in 1.36 (`CoordinatedLeaderElection`).
fn drop_disabled(lease: &mut Object, old: Option<&Object>) {
    let has = |key| old.is_some_and(|old| present(field(&old.0, "spec"), key).is_some());
    let spec = child_mut(&mut lease.0, "spec");
    for key in ["strategy", "preferredHolder"] {
        if !has(key) {
            spec.remove(key);
        }
    }
}

fn strategy(strategy: &str) -> Vec<FieldError> {
    // Upstream's path names the field twice where it is a bare name.
    const TWICE: &str = "spec.strategy.strategy";
    if strategy.contains('/') {
        check::qualified_name(TWICE, strategy)
    } else if STRATEGIES.contains(&strategy) {
        Vec::new()
    } else {
        vec![FieldError::not_supported(TWICE, strategy, STRATEGIES)]
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn lease(spec: Value) -> Object {
        Object::from_value(json!({"spec": spec})).unwrap()
    }

    #[test]
    fn the_strategy_stays_out() {
        let given = lease(
            json!({"strategy": "example.com/mine", "preferredHolder": "me", "holderIdentity": "me"}),
        );
        let left = lease(json!({"holderIdentity": "me"}));
        let mut new = given.clone();
        Lease.prepare_create(&mut new);
        assert_eq!(new, left);
        let mut new = given.clone();
        Lease.prepare_update(&mut new, &left, "");
        assert_eq!(new, left);
        let mut new = given.clone();
        Lease.prepare_update(&mut new, &given, "");
        assert_eq!(new, given);
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"leaseDurationSeconds": 15, "leaseTransitions": 0, "holderIdentity": "me"}), &[])]
    #[case(json!({"leaseDurationSeconds": 0, "leaseTransitions": -1}), &["spec.leaseDurationSeconds", "spec.leaseTransitions"])]
    #[case(json!({"preferredHolder": "me"}), &["spec.preferredHolder"])]
    #[case(json!({"strategy": "OldestEmulationVersion", "preferredHolder": "me"}), &[])]
    #[case(json!({"strategy": "Newest"}), &["spec.strategy.strategy"])]
    #[case(json!({"strategy": "example.com/mine"}), &[])]
    #[case(json!({"strategy": "example.com/a b"}), &["spec.strategy.strategy"])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let object = lease(spec);
        let found: Vec<String> = Lease
            .validate(&object)
            .into_iter()
            .map(|e| e.field)
            .collect();
        assert_eq!(found, wrong);
    }
}
