//! The subresource `ephemeralcontainers`: containers that are added to a Pod to look into it, and stay (KEP-277; upstream:
//! `ValidatePodEphemeralContainersUpdate`).

use kedge_machinery::{FieldError, Object};

use super::{MIRROR, NOWHERE, update, validate};
use crate::value::{field, list, text};

const PATH: &str = "spec.ephemeralContainers";

pub(super) fn validate(new: &Object, old: &Object) -> Vec<FieldError> {
    if old.annotations().any(|(key, _)| key == MIRROR) {
        let detail = "static pods do not support ephemeral containers";
        return vec![FieldError::forbidden(NOWHERE, detail)];
    }
    let mut errors = validate::pod(new);
    errors.extend(update::annotations(new, old));
    let [is, was] = [new, old].map(|pod| list(field(&pod.0, "spec"), "ephemeralContainers"));
    for before in was {
        let name = text(before, "name");
        // Patches do not keep the order.
        let now = is.iter().rfind(|container| text(container, "name") == name);
        let detail = match now {
            None => format!("existing ephemeral containers {name:?} may not be removed\n"),
            Some(now) if now != before => {
                format!("existing ephemeral containers {name:?} may not be changed\n")
            }
            Some(_) => continue,
        };
        errors.push(FieldError::forbidden(PATH, detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::defaults;
    use super::*;

    fn pod(ephemeral: Value, annotations: Value) -> Object {
        let spec = json!({
            "containers": [{"name": "main", "image": "i"}], "ephemeralContainers": ephemeral,
        });
        let metadata = json!({"name": "p", "annotations": annotations});
        let mut pod = Object::from_value(json!({"metadata": metadata, "spec": spec})).unwrap();
        defaults::apply(&mut pod);
        pod
    }

    #[rstest]
    #[case(json!([{"name": "a", "image": "i"}]), &[])]
    #[case(json!([{"name": "b", "image": "i"}, {"name": "a", "image": "i"}]), &[])]
    #[case(json!([]), &["spec.ephemeralContainers: Forbidden: existing ephemeral containers \"a\" may not be removed\n"])]
    #[case(json!([{"name": "a", "image": "j"}]), &["spec.ephemeralContainers: Forbidden: existing ephemeral containers \"a\" may not be changed\n"])]
    #[case(
        json!([{"name": "a", "image": "i"}, {"name": "main", "image": "i"}]),
        &["spec.ephemeralContainers[1].name: Duplicate value: \"main\""]
    )]
    #[case(
        json!([{"name": "a", "image": "i"}, {"name": "b", "image": "i", "targetContainerName": "none"}]),
        &["spec.ephemeralContainers[1].targetContainerName: Not found: \"none\""]
    )]
    fn what_may_be_added(#[case] ephemeral: Value, #[case] expected: &[&str]) {
        let old = pod(json!([{"name": "a", "image": "i"}]), json!({}));
        let errors = validate(&pod(ephemeral, json!({})), &old);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_mirror_is_not_looked_into() {
        let mirror = json!({(MIRROR): "x"});
        let new = pod(json!([{"name": "a", "image": "i"}]), mirror.clone());
        let errors = validate(&new, &pod(json!([]), mirror));
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["[]: Forbidden: static pods do not support ephemeral containers"]
        );
    }
}
