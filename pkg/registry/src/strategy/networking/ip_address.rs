//! IPAddresses (KEP-1880; `pkg/apis/networking/validation`): an address that somebody holds.

use kedge_machinery::{FieldError, Object};

use crate::check;
use crate::strategy::Strategy;
use crate::value::{field, present, text};

pub(in crate::strategy) struct IpAddress;

impl Strategy for IpAddress {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        const AT: &str = "spec.parentRef";
        let Some(parent) = present(field(&object.0, "spec"), "parentRef") else {
            return vec![FieldError::required(AT, "")];
        };
        let mut errors = match text(parent, "group") {
            "" => Vec::new(),
            group => check::subdomain(&format!("{AT}.group"), group),
        };
        for (key, required) in [("resource", true), ("name", true), ("namespace", false)] {
            let (at, value) = (format!("{AT}.{key}"), text(parent, key));
            if !value.is_empty() {
                errors.extend(check::path_segment(&at, value));
            } else if required {
                errors.push(FieldError::required(at, ""));
            }
        }
        errors
    }

    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let parent = |object: &Object| object.at(&["spec", "parentRef"]).cloned();
        let moved = check::immutable("spec.parentRef", parent(new).as_ref(), parent(old).as_ref());
        Vec::from_iter(moved)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn address(spec: Value) -> Object {
        Object::from_value(json!({"metadata": {"name": "10.0.0.1"}, "spec": spec})).unwrap()
    }

    #[rstest]
    #[case(json!({"parentRef": {"resource": "services", "namespace": "n", "name": "web"}}), &[])]
    #[case(json!({}), &["spec.parentRef"])]
    #[case(json!({"parentRef": {}}), &["spec.parentRef.resource", "spec.parentRef.name"])]
    #[case(json!({"parentRef": {"group": "A_b", "resource": "a/b", "name": "..", "namespace": "%"}}), &[
        "spec.parentRef.group", "spec.parentRef.resource", "spec.parentRef.name", "spec.parentRef.namespace",
    ])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let errors = IpAddress.validate(&address(spec));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn the_parent_stays() {
        let of = |name: &str| address(json!({"parentRef": {"resource": "services", "name": name}}));
        let said = |new: &Object| -> Vec<String> {
            let errors = IpAddress.validate_change(new, &of("b"));
            errors.iter().map(ToString::to_string).collect()
        };
        assert!(said(&of("b")).is_empty());
        assert_eq!(said(&of("a")).len(), 1);
        let gone = ["spec.parentRef: Invalid value: null: field is immutable"];
        assert_eq!(said(&address(json!({}))), gone);
    }
}
