//! The ranges of a ServiceCIDR (KEP-1880), for everybody who follows them.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::Object;

/// `spec` of a ServiceCIDR.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServiceCidrSpec {
    /// Those that cannot be read are left out: the server validates what it takes in, so another program's server has them.
    #[serde(deserialize_with = "readable")]
    pub cidrs: Vec<IpNet>,
}

/// Why a range's condition `Ready` is `False`: this machine itself has an address of it (see [`crate::Clash`]).
pub const OVERLAPS: &str = "OverlapsNodeNetwork";

#[derive(Deserialize, Default)]
#[serde(default)]
struct ServiceCidr {
    spec: ServiceCidrSpec,
    status: Value,
}

/// The ranges of a ServiceCIDR in JSON, for who does something about them; none of one that must not be used ([`OVERLAPS`]), or
/// that is no ServiceCIDR.
#[must_use]
pub fn ranges(json: &[u8]) -> Vec<IpNet> {
    let read = serde_json::from_slice::<ServiceCidr>(json);
    let ServiceCidr { spec, status } = read.unwrap_or_default();
    let conditions = status.get("conditions").and_then(Value::as_array);
    let overlaps =
        |condition: &Value| condition["status"] == "False" && condition["reason"] == OVERLAPS;
    match conditions.into_iter().flatten().any(overlaps) {
        true => Vec::new(),
        false => spec.cidrs,
    }
}

/// Those of an object that was read already, used or not.
#[must_use]
pub fn ranges_of(object: &Object) -> Vec<IpNet> {
    let spec = object.0.get("spec").map(ServiceCidrSpec::deserialize);
    spec.and_then(Result::ok).unwrap_or_default().cidrs
}

/// `null` is as good as absent.
fn readable<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Option::<Vec<String>>::deserialize(from)?.unwrap_or_default();
    Ok(texts.iter().filter_map(|text| text.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_that_can_be_read() {
        for (json, expected) in [
            (
                r#"{"metadata":{"name":"a"},"spec":{"cidrs":["10.44.0.0/24","fd00:44::/112"]}}"#,
                &["10.44.0.0/24", "fd00:44::/112"][..],
            ),
            (
                r#"{"spec":{"cidrs":["10.44.0.0","10.45.0.0\/24"]}}"#,
                &["10.45.0.0/24"],
            ),
            (r#"{"spec":{"cidrs":null}}"#, &[]),
            (r#"{"spec":{"cidrs":"10.44.0.0/24"}}"#, &[]),
            (r#"{"spec":{}}"#, &[]),
            (r#"{}"#, &[]),
        ] {
            let texts = |all: Vec<IpNet>| all.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(texts(ranges(json.as_bytes())), expected, "{json}");
            let object = Object::from_value(serde_json::from_str(json).unwrap()).unwrap();
            assert_eq!(texts(ranges_of(&object)), expected, "{json}");
        }
        assert_eq!(ranges(b"10.44.0.0/24"), []);
    }

    #[test]
    fn a_range_that_the_machine_is_in_is_not_for_use() {
        for (status, reason, count) in [
            ("True", "", 1),
            ("False", "Terminating", 1),
            ("False", OVERLAPS, 0),
            ("True", OVERLAPS, 1),
        ] {
            let object = serde_json::json!({"spec": {"cidrs": ["10.44.0.0/24"]},
                "status": {"conditions": [{"type": "Ready", "status": status, "reason": reason}]}});
            let used = ranges(object.to_string().as_bytes());
            assert_eq!(used.len(), count, "{status} {reason}");
            let object = Object::from_value(object).unwrap();
            assert_eq!(ranges_of(&object).len(), 1);
        }
    }
}
