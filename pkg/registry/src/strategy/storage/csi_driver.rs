//! CSIDrivers (`pkg/apis/storage/v1/defaults.go` and `validation`).

use std::collections::BTreeSet;

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::{Value, json};

use crate::check;
use crate::strategy::Strategy;
use crate::value::{default, field, list, present, text, texts};

const GROUP_POLICIES: &[&str] = &["File", "None", "ReadWriteOnceWithFSType"];
const LIFECYCLES: &[&str] = &["Persistent", "Ephemeral"];
/// Seconds that a token for a driver may live.
const TOKEN_SECONDS: [i64; 2] = [600, 1 << 32];
const MIN_UPDATE_SECONDS: i64 = 10;
/// Upstream's name of `spec.attachRequired` in errors.
const ATTACH_REQUIRED: &str = "spec.attachedRequired";

pub(in crate::strategy) struct CsiDriver;

impl Strategy for CsiDriver {
    fn default(&self, object: &mut Object) {
        let spec = child_mut(&mut object.0, "spec");
        default(spec, "attachRequired", true);
        for key in [
            "podInfoOnMount",
            "storageCapacity",
            "requiresRepublish",
            "seLinuxMount",
        ] {
            default(spec, key, false);
        }
        default(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
        let modes = field(spec, "volumeLifecycleModes").as_array();
        if modes.is_none_or(Vec::is_empty) {
            spec.insert("volumeLifecycleModes".into(), json!([LIFECYCLES[0]]));
        }
    }

    /// Changes count, though what is new has no number.
    fn prepare_update(&self, new: &mut Object, old: &Object, _subresource: &str) {
        if field(&new.0, "spec") != field(&old.0, "spec") {
            let before = old.at(&["metadata", "generation"]).and_then(Value::as_i64);
            let generation = json!(before.unwrap_or(0) + 1);
            new.meta_mut().insert("generation".into(), generation);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let mut errors = Vec::new();
        let policy = text(spec, "fsGroupPolicy");
        if present(spec, "fsGroupPolicy").is_some() && !GROUP_POLICIES.contains(&policy) {
            let at = "spec.fsGroupPolicy";
            errors.push(FieldError::not_supported(at, policy, GROUP_POLICIES));
        }
        errors.extend(token_requests(list(spec, "tokenRequests")));
        for mode in texts(spec, "volumeLifecycleModes") {
            if !LIFECYCLES.contains(&mode) {
                let at = "spec.volumeLifecycleModes";
                errors.push(FieldError::not_supported(at, mode, LIFECYCLES));
            }
        }
        const PERIOD: &str = "nodeAllocatableUpdatePeriodSeconds";
        let period = present(spec, PERIOD).and_then(Value::as_i64);
        if let Some(seconds) = period.filter(|seconds| *seconds < MIN_UPDATE_SECONDS) {
            let detail = format!("must be greater than or equal to {MIN_UPDATE_SECONDS} seconds");
            errors.push(FieldError::invalid(
                format!("spec.{PERIOD}"),
                seconds,
                detail,
            ));
        }
        const IN_SECRETS: &str = "serviceAccountTokenInSecrets";
        if let Some(told) = present(spec, IN_SECRETS)
            && list(spec, "tokenRequests").is_empty()
        {
            let detail = format!("{IN_SECRETS} is set but no tokenRequests are specified");
            let at = format!("spec.{IN_SECRETS}");
            errors.push(FieldError::invalid(at, told.clone(), detail));
        }
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, _subresource: &str) -> Vec<FieldError> {
        let mut errors = self.validate(new);
        for (key, at) in [
            ("attachRequired", ATTACH_REQUIRED),
            ("volumeLifecycleModes", "spec.volumeLifecycleModes"),
        ] {
            let value = |object: &Object| object.at(&["spec", key]).cloned();
            errors.extend(check::immutable(
                at,
                value(new).as_ref(),
                value(old).as_ref(),
            ));
        }
        errors
    }
}

fn token_requests(requests: &[Value]) -> Vec<FieldError> {
    let mut audiences = BTreeSet::new();
    let mut errors = Vec::new();
    for (i, request) in requests.iter().enumerate() {
        let path = format!("spec.tokenRequests[{i}]");
        let audience = text(request, "audience");
        if !audiences.insert(audience) {
            errors.push(FieldError::duplicate(format!("{path}.audience"), audience));
            continue;
        }
        let Some(seconds) = present(request, "expirationSeconds").and_then(Value::as_i64) else {
            continue;
        };
        let detail = if seconds < TOKEN_SECONDS[0] {
            "may not specify a duration less than 10 minutes"
        } else if seconds > TOKEN_SECONDS[1] {
            "may not specify a duration larger than 2^32 seconds"
        } else {
            continue;
        };
        let at = format!("{path}.expirationSeconds");
        errors.push(FieldError::invalid(at, seconds, detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn driver(spec: Value) -> Object {
        let mut object = Object::from_value(json!({"spec": spec})).unwrap();
        CsiDriver.default(&mut object);
        object
    }

    #[test]
    fn what_is_filled_in() {
        assert_eq!(
            driver(json!({})).into_value()["spec"],
            json!({
                "attachRequired": true, "podInfoOnMount": false, "storageCapacity": false,
                "requiresRepublish": false, "seLinuxMount": false,
                "fsGroupPolicy": "ReadWriteOnceWithFSType", "volumeLifecycleModes": ["Persistent"],
            })
        );
    }

    #[rstest]
    #[case(json!({"fsGroupPolicy": "File", "volumeLifecycleModes": ["Ephemeral"]}), &[])]
    #[case(json!({"fsGroupPolicy": "Any", "volumeLifecycleModes": ["Forever"]}), &["spec.fsGroupPolicy", "spec.volumeLifecycleModes"])]
    #[case(json!({"tokenRequests": [{"audience": ""}, {"audience": ""}]}), &["spec.tokenRequests[1].audience"])]
    #[case(json!({"tokenRequests": [{"audience": "a", "expirationSeconds": 599}]}), &["spec.tokenRequests[0].expirationSeconds"])]
    #[case(json!({"serviceAccountTokenInSecrets": true, "tokenRequests": [{"audience": ""}]}), &[])]
    #[case(json!({"serviceAccountTokenInSecrets": false, "tokenRequests": []}), &["spec.serviceAccountTokenInSecrets"])]
    #[case(json!({"nodeAllocatableUpdatePeriodSeconds": 9}), &["spec.nodeAllocatableUpdatePeriodSeconds"])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let errors = CsiDriver.validate(&driver(spec));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn changes_are_counted() {
        let old = driver(json!({}));
        let mut new = old.clone();
        CsiDriver.prepare_update(&mut new, &old, "");
        assert_eq!(new.at(&["metadata", "generation"]), None);
        for generation in [1, 2] {
            let old = new.clone();
            new.0["spec"]["requiresRepublish"] = json!(generation == 1);
            CsiDriver.prepare_update(&mut new, &old, "");
            assert_eq!(
                new.at(&["metadata", "generation"]),
                Some(&json!(generation))
            );
        }
    }

    #[test]
    fn what_stays() {
        let (old, new) = (
            driver(json!({})),
            driver(json!({"attachRequired": false, "podInfoOnMount": true})),
        );
        let errors = CsiDriver.validate_update(&new, &old, "");
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, [ATTACH_REQUIRED]);
    }
}
