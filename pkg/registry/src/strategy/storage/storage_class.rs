//! StorageClasses (`pkg/apis/storage/v1/defaults.go` and `validation`).

use std::collections::{BTreeMap, BTreeSet};

use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use crate::check;
use crate::strategy::{Strategy, node_labels};
use crate::value::{default, field, list, text, texts};

const RECLAIM_POLICIES: &[&str] = &["Delete", "Retain"];
const BINDING_MODES: &[&str] = &["Immediate", "WaitForFirstConsumer"];
const MAX_PARAMETERS: usize = 512;
const MAX_PARAMETER_BYTES: usize = 256 << 10;

pub(in crate::strategy) struct StorageClass;

impl Strategy for StorageClass {
    fn default(&self, object: &mut Object) {
        default(&mut object.0, "reclaimPolicy", RECLAIM_POLICIES[0]);
        default(&mut object.0, "volumeBindingMode", BINDING_MODES[0]);
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let word = |key: &str| field(&object.0, key).as_str().unwrap_or_default();
        let mut errors = match word("provisioner") {
            "" => vec![FieldError::required("provisioner", "")],
            name => check::annotation_key("provisioner", name),
        };
        errors.extend(parameters(field(&object.0, "parameters")));
        // A word that is empty is one of the modes' no more than another, and none to the policies.
        let policy = word("reclaimPolicy");
        if !policy.is_empty() {
            errors.extend(check::one_of("reclaimPolicy", policy, RECLAIM_POLICIES));
        }
        let mode = word("volumeBindingMode");
        if !BINDING_MODES.contains(&mode) {
            errors.push(FieldError::not_supported(
                "volumeBindingMode",
                mode,
                BINDING_MODES,
            ));
        }
        errors.extend(topologies(field(&object.0, "allowedTopologies")));
        errors
    }

    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let stay = ["parameters", "provisioner", "reclaimPolicy"].into_iter();
        let moved = stay.filter(|key| field(&new.0, key) != field(&old.0, key));
        let mut errors: Vec<_> = moved
            .map(|key| FieldError::forbidden(key, format!("updates to {key} are forbidden.")))
            .collect();
        let mode = |object: &Object| object.at(&["volumeBindingMode"]).cloned();
        errors.extend(check::immutable(
            "volumeBindingMode",
            mode(new).as_ref(),
            mode(old).as_ref(),
        ));
        errors
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let _ = old;
        let terms = field(&new.0, "allowedTopologies").as_array();
        let each = terms.into_iter().flatten().enumerate();
        each.flat_map(|(i, term)| {
            let at = format!("allowedTopologies[{i}]");
            node_labels::of_expressions(&at, term, "matchLabelExpressions")
        })
        .collect()
    }
}

fn parameters(parameters: &Value) -> Vec<FieldError> {
    const AT: &str = "parameters";
    let too_long = |limit: usize| {
        let detail = format!("may not be more than {limit} bytes");
        FieldError::new(FieldErrorKind::TooLong, AT, None, detail)
    };
    let Some(parameters) = parameters.as_object() else {
        return Vec::new();
    };
    if parameters.len() > MAX_PARAMETERS {
        return vec![too_long(MAX_PARAMETERS)];
    }
    let mut errors = Vec::new();
    if parameters.contains_key("") {
        errors.push(FieldError::invalid(AT, "", "field can not be empty."));
    }
    let bytes: usize = parameters
        .iter()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if bytes > MAX_PARAMETER_BYTES {
        errors.push(too_long(MAX_PARAMETER_BYTES));
    }
    errors
}

fn topologies(terms: &Value) -> Vec<FieldError> {
    let terms = terms.as_array().map_or(&[][..], Vec::as_slice);
    let mut errors = Vec::new();
    // Upstream begins with as many terms that say nothing.
    let mut before: Vec<BTreeMap<&str, BTreeSet<&str>>> = vec![BTreeMap::new(); terms.len()];
    for (i, term) in terms.iter().enumerate() {
        let mut keys = BTreeMap::new();
        for (j, expression) in list(term, "matchLabelExpressions").iter().enumerate() {
            let path = format!("allowedTopologies[{i}].matchLabelExpressions[{j}]");
            let (at_key, at_values) = (format!("{path}.key"), format!("{path}.values"));
            let (key, values) = (text(expression, "key"), texts(expression, "values"));
            if values.is_empty() {
                errors.push(FieldError::required(&at_values, ""));
            }
            let mut seen = BTreeSet::new();
            for (k, value) in values.into_iter().enumerate() {
                if !seen.insert(value) {
                    errors.push(FieldError::duplicate(format!("{at_values}[{k}]"), value));
                }
            }
            errors.extend(check::qualified_name(&at_key, key));
            if keys.insert(key, seen).is_some() {
                errors.push(FieldError::duplicate(at_key, key));
            }
        }
        for _ in before.iter().filter(|other| **other == keys) {
            let at = format!("allowedTopologies[{i}].matchLabelExpressions");
            errors.push(FieldError::duplicate(at, ""));
        }
        before.push(keys);
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn class(body: Value) -> Object {
        let mut object = Object::from_value(body).unwrap();
        StorageClass.default(&mut object);
        object
    }

    #[rstest]
    #[case(json!({"provisioner": "Example.com/disk"}), &[])]
    #[case(json!({}), &["provisioner"])]
    #[case(json!({"provisioner": "a b"}), &["provisioner"])]
    #[case(json!({"provisioner": "a", "reclaimPolicy": "Recycle", "volumeBindingMode": "Later"}), &["reclaimPolicy", "volumeBindingMode"])]
    #[case(json!({"provisioner": "a", "parameters": {"": "x"}}), &["parameters"])]
    #[case(json!({"provisioner": "a", "parameters": {"k": "x".repeat(256 << 10)}}), &["parameters"])]
    #[case(
        json!({"provisioner": "a", "allowedTopologies": [{"matchLabelExpressions": [
            {"key": "zone", "values": ["a", "a"]}, {"key": "zone", "values": []},
        ]}]}),
        &[
            "allowedTopologies[0].matchLabelExpressions[0].values[1]",
            "allowedTopologies[0].matchLabelExpressions[1].values",
            "allowedTopologies[0].matchLabelExpressions[1].key",
        ]
    )]
    #[case(
        json!({"provisioner": "a", "allowedTopologies": [
            {"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]},
            {"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]},
            {"matchLabelExpressions": [{"key": "zone", "values": ["b", "a"]}]},
        ]}),
        &["allowedTopologies[2].matchLabelExpressions"]
    )]
    #[case(json!({"provisioner": "a", "allowedTopologies": [{}]}), &["allowedTopologies[0].matchLabelExpressions"])]
    fn what_is_wrong(#[case] body: Value, #[case] wrong: &[&str]) {
        let errors = StorageClass.validate(&class(body));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn an_update_is_looked_at_as_a_class_too() {
        let old = class(json!({"provisioner": "a"}));
        let topology = json!([{"matchLabelExpressions": [{"key": "zone", "values": []}]}]);
        let new = class(json!({"provisioner": "a", "allowedTopologies": topology}));
        let errors = StorageClass.validate_update(&new, &old, "");
        let at = "allowedTopologies[0].matchLabelExpressions[0].values";
        assert_eq!(errors[0].field, at);
    }

    #[rstest]
    #[case("reclaimPolicy", &[])]
    #[case("volumeBindingMode", &["volumeBindingMode: Unsupported value: \"\": supported values: \"Immediate\", \"WaitForFirstConsumer\""])]
    fn words_that_are_empty(#[case] key: &str, #[case] wrong: &[&str]) {
        let mut class = class(json!({"provisioner": "a"}));
        class.0.insert(key.into(), "".into());
        let errors = StorageClass.validate(&class);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn what_stays() {
        let old = class(json!({"provisioner": "a", "allowVolumeExpansion": true}));
        let new = class(
            json!({"provisioner": "b", "parameters": {"a": "b"}, "reclaimPolicy": "Retain",
                "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": false}),
        );
        let errors = StorageClass.validate_change(&new, &old);
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(
            found,
            [
                "parameters",
                "provisioner",
                "reclaimPolicy",
                "volumeBindingMode"
            ]
        );
    }
}
