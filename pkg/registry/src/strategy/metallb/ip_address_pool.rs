//! IPAddressPools. That no two of them share an address is for admission to see.

use kedge_machinery::{AddressRange, FieldError, Object};
use serde_json::Value;

use super::{distinct, selectors};
use crate::check;
use crate::strategy::Strategy;
use crate::value::{child, default, field, int, texts};

pub(in crate::strategy) struct IpAddressPool;

impl Strategy for IpAddressPool {
    fn default(&self, object: &mut Object) {
        if let Some(spec) = object.0.get_mut("spec").and_then(Value::as_object_mut) {
            default(spec, "autoAssign", true);
            default(spec, "avoidBuggyIPs", false);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let mut errors = addresses(&texts(spec, "addresses"));
        const AT: &str = "spec.serviceAllocation";
        let allocation = child(spec, "serviceAllocation");
        errors.extend(check::non_negative(
            &format!("{AT}.priority"),
            int(allocation, "priority"),
        ));
        errors.extend(distinct(allocation, AT, "namespaces"));
        errors.extend(selectors(allocation, AT, "namespaceSelectors"));
        errors.extend(selectors(allocation, AT, "serviceSelectors"));
        errors
    }
}

fn addresses(texts: &[&str]) -> Vec<FieldError> {
    const AT: &str = "spec.addresses";
    if texts.is_empty() {
        return vec![FieldError::required(
            AT,
            "give a CIDR or a range such as 192.168.1.240-192.168.1.250",
        )];
    }
    let mut errors = Vec::new();
    let mut ranges: Vec<AddressRange> = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        let at = format!("{AT}[{i}]");
        match range(text) {
            Err(why) => errors.push(FieldError::invalid(at, *text, why)),
            Ok(range) => {
                if let Some(other) = ranges.iter().find(|other| other.overlaps(&range)) {
                    let why = format!("overlaps with {other} of the same pool");
                    errors.push(FieldError::invalid(at, *text, why));
                }
                ranges.push(range);
            }
        }
    }
    errors
}

/// A CIDR or a range: one address alone is written `192.168.1.5/32`.
fn range(text: &str) -> Result<AddressRange, String> {
    if !text.contains(['-', '/']) {
        return Err("must be a CIDR, or a range such as 192.168.1.240-192.168.1.250".into());
    }
    text.parse().map_err(|error| format!("{error}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn pool(spec: Value) -> Object {
        Object::from_value(json!({"spec": spec})).unwrap()
    }

    #[rstest]
    #[case(json!({"addresses": ["192.168.1.240/28", "192.168.9.1-192.168.9.5", "fc00:f853:0ccd:e799::/124"]}), &[])]
    #[case(json!({}), &["spec.addresses"])]
    #[case(json!({"addresses": []}), &["spec.addresses"])]
    #[case(json!({"addresses": ["192.168.1.0/33", "10.0.0.9-10.0.0.1", "10.0.0.1-fd00::1", "a-b", "10.0.0.1", ""]}), &[
        "spec.addresses[0]", "spec.addresses[1]", "spec.addresses[2]", "spec.addresses[3]", "spec.addresses[4]", "spec.addresses[5]",
    ])]
    #[case(json!({"addresses": ["10.0.0.0/24", "10.0.0.9-10.0.1.9"]}), &["spec.addresses[1]"])]
    #[case(json!({"addresses": ["10.0.0.0/24"], "serviceAllocation": {"priority": 50, "namespaces": ["a", "b"],
        "namespaceSelectors": [{"matchLabels": {"foo": "bar"}}],
        "serviceSelectors": [{"matchExpressions": [{"key": "app", "operator": "In", "values": ["bar"]}]}]}}), &[])]
    #[case(json!({"addresses": ["10.0.0.0/24"], "serviceAllocation": {"priority": -1, "namespaces": ["a", "a"],
        "namespaceSelectors": [{"matchLabels": {"a b": "c"}}],
        "serviceSelectors": [{"matchLabels": {"a": "b"}}, {"matchLabels": {"a": "b"}}]}}), &[
        "spec.serviceAllocation.priority", "spec.serviceAllocation.namespaces[1]",
        "spec.serviceAllocation.namespaceSelectors[0].matchLabels", "spec.serviceAllocation.serviceSelectors[1]",
    ])]
    #[case(json!({"addresses": ["10.0.0.210 - 10.0.0.240"], "serviceAllocation": {
        "serviceSelectors": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c", "b"]}]}]}}), &[
        "spec.serviceAllocation.serviceSelectors[0].matchExpressions[0].values[2]",
    ])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let errors = IpAddressPool.validate(&pool(spec));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong, "{errors:?}");
    }

    #[test]
    fn defaults() {
        let mut pool = pool(json!({"addresses": ["10.0.0.0/24"], "avoidBuggyIPs": true}));
        IpAddressPool.default(&mut pool);
        assert_eq!(pool.0["spec"]["autoAssign"], true);
        assert_eq!(pool.0["spec"]["avoidBuggyIPs"], true);
    }
}
