//! Endpoints, the older form of EndpointSlices.

use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use super::Strategy;
use crate::check;
use crate::value::{default, field, int, list, omit_empty, present, structs_mut, text};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
/// The label of what the controller writes: it cannot help what its Pods say.
const CONTROLLED: (&str, &str) = ("endpoints.kubernetes.io/managed-by", "endpoint-controller");

pub(super) struct Endpoints;

impl Strategy for Endpoints {
    fn default(&self, object: &mut Object) {
        for subset in structs_mut(&mut object.0, "subsets") {
            for port in structs_mut(subset, "ports") {
                omit_empty(port, &["name"]);
                default(port, "protocol", "TCP");
            }
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let subsets = field(&object.0, "subsets").as_array();
        let each = subsets.into_iter().flatten().enumerate();
        each.flat_map(|(i, item)| subset(&format!("subsets[{i}]"), item))
            .collect()
    }

    /// Subsets that stay are right: earlier versions took more.
    fn validate_update(&self, new: &Object, old: &Object, _subresource: &str) -> Vec<FieldError> {
        match are_same(new, old) {
            true => Vec::new(),
            false => self.validate(new),
        }
    }

    fn warnings(&self, new: &Object, _old: Option<&Object>) -> Vec<String> {
        if new.labels().any(|label| label == CONTROLLED) {
            return Vec::new();
        }
        let mut said = Vec::new();
        let all = field(&new.0, "subsets").as_array();
        for (i, subset) in all.into_iter().flatten().enumerate() {
            for key in ["addresses", "notReadyAddresses"] {
                for (j, address) in list(subset, key).iter().enumerate() {
                    let at = format!("subsets[{i}].{key}[{j}].ip");
                    said.extend(check::unusual_ip(&at, text(address, "ip")));
                }
            }
        }
        said
    }
}

fn are_same(new: &Object, old: &Object) -> bool {
    field(&new.0, "subsets") == field(&old.0, "subsets")
}

fn subset(path: &str, subset: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if list(subset, "addresses").is_empty() && list(subset, "notReadyAddresses").is_empty() {
        errors.push(FieldError::required(
            path,
            "must specify `addresses` or `notReadyAddresses`",
        ));
    }
    for key in ["addresses", "notReadyAddresses"] {
        for (i, item) in list(subset, key).iter().enumerate() {
            errors.extend(address(&format!("{path}.{key}[{i}]"), item));
        }
    }
    let ports = list(subset, "ports");
    for (i, item) in ports.iter().enumerate() {
        errors.extend(port(&format!("{path}.ports[{i}]"), item, ports.len() > 1));
    }
    errors
}

/// What is no address at all is said twice, as upstream looks at it twice.
fn address(path: &str, address: &Value) -> Vec<FieldError> {
    let (at, ip) = (format!("{path}.ip"), text(address, "ip"));
    let mut errors = Vec::from_iter(check::ip(&at, ip).err());
    let hostname = text(address, "hostname");
    if !hostname.is_empty() {
        errors.extend(check::label(&format!("{path}.hostname"), hostname));
    }
    if let Some(node) = present(address, "nodeName").and_then(Value::as_str) {
        errors.extend(check::subdomain(&format!("{path}.nodeName"), node));
    }
    match check::loose_ip(ip) {
        Some(address) => errors.extend(check::special_ip(&at, ip, address)),
        None => errors.push(FieldError::invalid(&at, ip, "must be a valid IP address")),
    }
    errors
}

fn port(path: &str, port: &Value, named: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match text(port, "name") {
        "" if named => errors.push(FieldError::required(format!("{path}.name"), "")),
        "" => {}
        name => errors.extend(check::label(&format!("{path}.name"), name)),
    }
    errors.extend(check::port(&format!("{path}.port"), int(port, "port")));
    errors.extend(check::one_of(
        &format!("{path}.protocol"),
        text(port, "protocol"),
        PROTOCOLS,
    ));
    if let Some(protocol) = present(port, "appProtocol").and_then(Value::as_str) {
        errors.extend(check::qualified_name(
            &format!("{path}.appProtocol"),
            protocol,
        ));
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!([{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]), &[])]
    #[case(json!([{"ports": [{"port": 80}]}]), &["subsets[0]"])]
    #[case(
        json!([{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 0}]}]),
        &["subsets[0].addresses[0].ip", "subsets[0].ports[0].port"]
    )]
    #[case(
        json!([{"notReadyAddresses": [{"ip": "x"}], "ports": [{"port": 1, "name": "a"}, {"port": 2}]}]),
        &[
            "subsets[0].notReadyAddresses[0].ip", "subsets[0].notReadyAddresses[0].ip", "subsets[0].ports[1].name",
        ]
    )]
    #[case(
        json!([{"addresses": [{"ip": "0.0.0.0"}, {"ip": "169.254.1.1"}, {"ip": "224.0.0.1"}, {"ip": "0127.0.0.1"}]}]),
        &[
            "subsets[0].addresses[0].ip", "subsets[0].addresses[1].ip", "subsets[0].addresses[2].ip",
            "subsets[0].addresses[3].ip", "subsets[0].addresses[3].ip",
        ]
    )]
    #[case(
        json!([{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80, "protocol": "Icmp", "name": "A_b", "appProtocol": "a b"}]}]),
        &["subsets[0].ports[0].name", "subsets[0].ports[0].protocol", "subsets[0].ports[0].appProtocol"]
    )]
    #[case(
        json!([{"addresses": [{"ip": "127.0.0.1", "hostname": "B", "nodeName": "B"}, {"ip": "01.2.3.4", "hostname": "B"}]}]),
        &[
            "subsets[0].addresses[0].hostname", "subsets[0].addresses[0].nodeName", "subsets[0].addresses[0].ip",
            "subsets[0].addresses[1].ip", "subsets[0].addresses[1].hostname",
        ]
    )]
    fn validation(#[case] subsets: Value, #[case] want: &[&str]) {
        let mut object = Object::from_value(json!({"subsets": subsets})).unwrap();
        Endpoints.default(&mut object);
        let none = Object::default();
        assert!(Endpoints.validate_update(&object, &object, "").is_empty());
        assert_eq!(
            Endpoints.validate_update(&object, &none, "").len(),
            want.len()
        );
        let got: Vec<String> = Endpoints
            .validate(&object)
            .into_iter()
            .map(|e| e.field)
            .collect();
        assert_eq!(got, want);
    }

    /// Those that the controller writes are let be; an update that changes nothing is told again.
    #[test]
    fn warnings() {
        let told = |labels: Value, subset: Value| {
            let object = json!({"metadata": {"labels": labels}, "subsets": [subset]});
            let object = Object::from_value(object).unwrap();
            let said = Endpoints.warnings(&object, None);
            assert_eq!(Endpoints.warnings(&object, Some(&object)), said);
            said.len()
        };
        let odd = json!({"addresses": [{"ip": "2001:DB8::1"}], "notReadyAddresses": [{"ip": "::ffff:1.2.3.4"}]});
        assert_eq!(told(json!({}), odd.clone()), 2);
        assert_eq!(told(json!({CONTROLLED.0: "me"}), odd.clone()), 2);
        assert_eq!(told(json!({CONTROLLED.0: CONTROLLED.1}), odd), 0);
        assert_eq!(
            told(json!({}), json!({"addresses": [{"ip": "2001:db8::1"}]})),
            0
        );
    }
}
