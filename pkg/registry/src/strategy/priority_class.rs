//! PriorityClasses (`pkg/apis/scheduling/v1/defaults.go` and `validation`).

use kedge_machinery::{FieldError, Object};
use serde_json::json;

use crate::check;
use crate::strategy::Strategy;
use crate::value::{default, field};

const POLICIES: &[&str] = &["PreemptLowerPriority", "Never"];
/// The beginning of names that are the system's.
const SYSTEM: &str = "system-";
/// The largest value that a class of a user may have.
const HIGHEST: i64 = 1_000_000_000;

/// The classes that every cluster has: name, value, description.
pub(crate) const SYSTEM_CLASSES: [(&str, i64, &str); 2] = [
    (
        "system-node-critical",
        2 * HIGHEST + 1000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2 * HIGHEST,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
];

/// True for the name of a class that every cluster has.
pub(crate) fn is_system(name: &str) -> bool {
    SYSTEM_CLASSES.iter().any(|(known, ..)| *known == name)
}

pub(super) struct PriorityClass;

impl Strategy for PriorityClass {
    fn default(&self, object: &mut Object) {
        default(&mut object.0, "preemptionPolicy", POLICIES[0]);
    }

    /// Of generation 1 for good: nothing that counts may change.
    fn prepare_create(&self, new: &mut Object) {
        new.meta_mut().insert("generation".into(), json!(1));
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let (name, value) = (object.name(), value(object));
        let mut errors = Vec::new();
        if name.starts_with(SYSTEM) {
            errors.extend(system(object, name, value));
        } else if value > HIGHEST {
            let detail = format!("maximum allowed value of a user defined priority is {HIGHEST}");
            errors.push(FieldError::forbidden("value", detail));
        }
        match field(&object.0, "preemptionPolicy").as_str() {
            Some(policy) if !POLICIES.contains(&policy) => {
                errors.push(FieldError::not_supported(
                    "preemptionPolicy",
                    policy,
                    POLICIES,
                ));
            }
            _ => {}
        }
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, _subresource: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if value(new) != value(old) {
            let detail = "may not be changed in an update.";
            errors.push(FieldError::forbidden("value", detail));
        }
        let policy = |object: &Object| object.at(&["preemptionPolicy"]).cloned();
        errors.extend(check::immutable(
            "preemptionPolicy",
            policy(new).as_ref(),
            policy(old).as_ref(),
        ));
        errors
    }
}

fn value(object: &Object) -> i64 {
    field(&object.0, "value").as_i64().unwrap_or_default()
}

/// A name of the system's is for its own classes, as they are.
fn system(object: &Object, name: &str, value: i64) -> Option<FieldError> {
    let known = SYSTEM_CLASSES.iter().find(|(known, ..)| *known == name);
    let why = match known {
        None => format!("{name} is not a known system priority class"),
        Some((_, right, _)) if *right != value => {
            format!("value of {name} PriorityClass must be {right}")
        }
        Some(_) if field(&object.0, "globalDefault") == &json!(true) => {
            format!("globalDefault of {name} PriorityClass must be false")
        }
        Some(_) => return None,
    };
    let detail = format!(
        "priority class names with '{SYSTEM}' prefix are reserved for system use only. error: {why}"
    );
    Some(FieldError::forbidden("metadata.name", detail))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn class(name: &str, value: i64, policy: &str) -> Object {
        let body = json!({"metadata": {"name": name}, "value": value, "preemptionPolicy": policy});
        Object::from_value(body).unwrap()
    }

    #[rstest]
    #[case("mine", 1_000_000_000, "Never", &[])]
    #[case("mine", 1_000_000_001, "Never", &["value"])]
    #[case("mine", -5, "Sometimes", &["preemptionPolicy"])]
    #[case("system-mine", 1, "Never", &["metadata.name"])]
    #[case("system-node-critical", 2_000_001_000, "Never", &[])]
    #[case("system-node-critical", 2_000_000_000, "Never", &["metadata.name"])]
    fn what_is_wrong(
        #[case] name: &str,
        #[case] value: i64,
        #[case] policy: &str,
        #[case] wrong: &[&str],
    ) {
        let errors = PriorityClass.validate(&class(name, value, policy));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn value_and_policy_stay() {
        let (old, new) = (
            class("a", 1, "Never"),
            class("a", 2, "PreemptLowerPriority"),
        );
        let errors = PriorityClass.validate_update(&new, &old, "");
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, ["value", "preemptionPolicy"]);
    }
}
