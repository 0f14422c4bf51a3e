//! L2Advertisements. They may name pools that are not there yet.

use kedge_machinery::{FieldError, Object};

use super::{distinct, selectors};
use crate::check;
use crate::strategy::Strategy;
use crate::value::{child, field, int, list};

pub(in crate::strategy) struct L2Advertisement;

/// Of a preferred node selector, as of the node affinity of a Pod.
const WEIGHTS: std::ops::RangeInclusive<i64> = 1..=100;

impl Strategy for L2Advertisement {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        const AT: &str = "spec";
        let spec = field(&object.0, "spec");
        let mut errors = distinct(spec, AT, "ipAddressPools");
        for key in [
            "ipAddressPoolSelectors",
            "nodeSelectors",
            "serviceSelectors",
        ] {
            errors.extend(selectors(spec, AT, key));
        }
        for (i, preferred) in list(spec, "preferredNodeSelectors").iter().enumerate() {
            let at = |key| format!("{AT}.preferredNodeSelectors[{i}].{key}");
            let weight = int(preferred, "weight");
            if !WEIGHTS.contains(&weight) {
                errors.push(FieldError::invalid(
                    at("weight"),
                    weight,
                    "must be from 1 to 100",
                ));
            }
            errors.extend(check::selector(
                &at("preference"),
                child(preferred, "preference"),
            ));
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case(json!(null), &[])]
    #[case(json!({"ipAddressPools": ["first", "second"], "interfaces": ["eth0"]}), &[])]
    #[case(json!({"ipAddressPools": ["first", "first"]}), &["spec.ipAddressPools[1]"])]
    #[case(json!({"nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": "a"}}, {"matchLabels": {"kubernetes.io/hostname": "b"}}]}), &[])]
    #[case(json!({"nodeSelectors": [{}, {}]}), &["spec.nodeSelectors[1]"])]
    #[case(json!({"nodeSelectors": [
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}, {"key": "zone", "operator": "In", "values": ["b", "a"]}]},
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}, {"key": "zone", "operator": "NotIn", "values": ["a"]}]},
        {"matchLabels": {"values": "a"}}]}), &["spec.nodeSelectors[0].matchExpressions[1]"])]
    #[case(json!({"serviceSelectors": [
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["b", "a"]}]}]}), &["spec.serviceSelectors[1]"])]
    #[case(json!({"ipAddressPoolSelectors": [{"matchExpressions": [{"key": "zone", "operator": "Near", "values": ["west"]}]}]}),
        &["spec.ipAddressPoolSelectors[0].matchExpressions[0].operator"])]
    #[case(json!({"preferredNodeSelectors": [{"weight": 0, "preference": {}}]}), &["spec.preferredNodeSelectors[0].weight"])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let object = Object::from_value(json!({"spec": spec})).unwrap();
        let errors = L2Advertisement.validate(&object);
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong, "{errors:?}");
    }
}
