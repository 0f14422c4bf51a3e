//! The ranges of a ServiceCIDR (KEP-1880), for everybody who follows them.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use crate::Object;

/// `spec` of a ServiceCIDR.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServiceCidrSpec {
    /// Those that cannot be read are left out: the server validates what it takes in, so another program's server has them.
    #[serde(deserialize_with = "readable")]
    pub cidrs: Vec<IpNet>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ServiceCidr {
    spec: ServiceCidrSpec,
}

/// The ranges of a ServiceCIDR in JSON; none of one that is no ServiceCIDR.
#[must_use]
pub fn ranges(json: &[u8]) -> Vec<IpNet> {
    let read = serde_json::from_slice::<ServiceCidr>(json);
    read.unwrap_or_default().spec.cidrs
}

/// The same of an object that was read already.
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
}
