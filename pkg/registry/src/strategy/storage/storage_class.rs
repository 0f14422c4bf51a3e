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
        for (key, words) in [
            ("reclaimPolicy", RECLAIM_POLICIES),
            ("volumeBindingMode", BINDING_MODES),
        ] {
            errors.extend(check::one_of(key, word(key), words));
        }
        errors.extend(topologies(field(&object.0, "allowedTopologies")));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, _subresource: &str) -> Vec<FieldError> {
        let mut errors: Vec<FieldError> = ["parameters", "provisioner", "reclaimPolicy"]
            .into_iter()
            .filter(|key| field(&new.0, key) != field(&old.0, key))
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
    fn what_stays() {
        let old = class(json!({"provisioner": "a", "allowVolumeExpansion": true}));
        let new = class(
            json!({"provisioner": "b", "parameters": {"a": "b"}, "reclaimPolicy": "Retain",
                "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": false}),
        );
        let errors = StorageClass.validate_update(&new, &old, "");
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
