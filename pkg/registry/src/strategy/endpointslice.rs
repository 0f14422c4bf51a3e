//! EndpointSlices.

use std::collections::BTreeSet;
use std::net::IpAddr;

use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use super::Strategy;
use crate::check;
use crate::value::{default, field, list, present, structs_mut, text, texts};

const ADDRESS_TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const MAX_ENDPOINTS: usize = 1000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20000;
const MAX_HINTS: usize = 8;

pub(super) struct EndpointSlice;

impl Strategy for EndpointSlice {
    fn default(&self, object: &mut Object) {
        for port in structs_mut(&mut object.0, "ports") {
            if field(port, "name").is_null() {
                port.insert("name".into(), "".into());
            }
            default(port, "protocol", "TCP");
        }
        // Go writes these lists even when nobody gave them.
        for key in ["endpoints", "ports"] {
            object.0.entry(key).or_insert(Value::Null);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let kind = field(&object.0, "addressType").as_str().unwrap_or_default();
        let mut errors: Vec<_> = check::one_of("addressType", kind, ADDRESS_TYPES)
            .into_iter()
            .collect();
        let endpoints = field(&object.0, "endpoints")
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        if endpoints.len() > MAX_ENDPOINTS {
            errors.push(too_many("endpoints", endpoints.len(), MAX_ENDPOINTS));
            return errors;
        }
        for (i, item) in endpoints.iter().enumerate() {
            errors.extend(endpoint(&format!("endpoints[{i}]"), item, kind));
        }
        errors.extend(ports(
            field(&object.0, "ports")
                .as_array()
                .map_or(&[][..], Vec::as_slice),
        ));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, _subresource: &str) -> Vec<FieldError> {
        let mut errors = self.validate(new);
        errors.extend(check::immutable(
            "addressType",
            new.0.get("addressType"),
            old.0.get("addressType"),
        ));
        errors
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let _ = old;
        let kind = field(&new.0, "addressType").as_str();
        if kind == Some("FQDN") {
            return vec!["spec.addressType: FQDN endpoints are deprecated".into()];
        }
        let mut said = Vec::new();
        let all = field(&new.0, "endpoints").as_array();
        for (i, endpoint) in all.into_iter().flatten().enumerate() {
            for (j, address) in texts(endpoint, "addresses").into_iter().enumerate() {
                let at = format!("endpoints[{i}].addresses[{j}]");
                said.extend(check::unusual_ip(&at, address));
            }
        }
        said
    }
}

fn too_many(path: &str, count: usize, most: usize) -> FieldError {
    let detail = format!("must have at most {most} items");
    FieldError::new(FieldErrorKind::TooMany, path, Some(count.into()), detail)
}

fn endpoint(path: &str, endpoint: &Value, kind: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let addresses = texts(endpoint, "addresses");
    let at = format!("{path}.addresses");
    if addresses.is_empty() {
        errors.push(FieldError::required(&at, "must contain at least 1 address"));
    } else if addresses.len() > MAX_ADDRESSES {
        errors.push(too_many(&at, addresses.len(), MAX_ADDRESSES));
    }
    for (i, value) in addresses.into_iter().enumerate() {
        errors.extend(address(&format!("{at}[{i}]"), value, kind));
    }
    if let Some(hostname) = present(endpoint, "hostname").and_then(Value::as_str) {
        errors.extend(check::label(&format!("{path}.hostname"), hostname));
    }
    if let Some(node) = present(endpoint, "nodeName").and_then(Value::as_str) {
        errors.extend(check::subdomain(&format!("{path}.nodeName"), node));
    }
    let hints = present(endpoint, "hints").unwrap_or(&Value::Null);
    for (key, what) in [("forZones", "zone"), ("forNodes", "node")] {
        errors.extend(hint(&format!("{path}.hints.{key}"), list(hints, key), what));
    }
    errors
}

fn address(path: &str, value: &str, kind: &str) -> Vec<FieldError> {
    let of_family = |want_v4: bool, detail: &str| match value.parse::<IpAddr>() {
        Ok(address) if address.is_ipv4() == want_v4 => check::ordinary_ip(path, value),
        _ => vec![FieldError::invalid(path, value, detail)],
    };
    match kind {
        "IPv4" => of_family(true, "must be a valid IPv4 address"),
        "IPv6" => of_family(false, "must be a valid IPv6 address"),
        "FQDN" => check::subdomain(path, value),
        _ => Vec::new(),
    }
}

/// KEP-2433 and KEP-3015: few hints, each with another name.
fn hint(path: &str, hints: &[Value], what: &str) -> Vec<FieldError> {
    if hints.len() > MAX_HINTS {
        return vec![too_many(path, hints.len(), MAX_HINTS)];
    }
    let mut names = BTreeSet::new();
    let mut errors = Vec::new();
    for (i, hint) in hints.iter().enumerate() {
        let (at, name) = (format!("{path}[{i}].name"), text(hint, "name"));
        if !names.insert(name) {
            errors.push(FieldError::duplicate(&at, name));
        }
        if what == "node" {
            errors.extend(check::subdomain(&at, name));
        } else {
            errors.extend(check::invalid(
                &at,
                name,
                kedge_machinery::names::label_value(name),
            ));
        }
    }
    errors
}

fn ports(ports: &[Value]) -> Vec<FieldError> {
    if ports.len() > MAX_PORTS {
        return vec![too_many("ports", ports.len(), MAX_PORTS)];
    }
    let mut names = BTreeSet::new();
    let mut errors = Vec::new();
    for (i, port) in ports.iter().enumerate() {
        let at = |key: &str| format!("ports[{i}].{key}");
        let name = text(port, "name");
        if !name.is_empty() {
            errors.extend(check::label(&at("name"), name));
        }
        if !names.insert(name) {
            errors.push(FieldError::duplicate(at("name"), name));
        }
        errors.extend(check::one_of(
            &at("protocol"),
            text(port, "protocol"),
            PROTOCOLS,
        ));
        if let Some(protocol) = present(port, "appProtocol").and_then(Value::as_str) {
            errors.extend(check::qualified_name(&at("appProtocol"), protocol));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn wrong(value: Value) -> Vec<String> {
        let mut slice = Object::from_value(value).unwrap();
        EndpointSlice.default(&mut slice);
        EndpointSlice
            .validate(&slice)
            .into_iter()
            .map(|e| e.field)
            .collect()
    }

    #[rstest]
    #[case(json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.42.0.5"]}], "ports": [{"port": 80}]}), &[])]
    #[case(json!({"addressType": "FQDN", "endpoints": [{"addresses": ["a.example.com"]}]}), &[])]
    #[case(json!({}), &["addressType"])]
    #[case(json!({"addressType": "Bogus", "endpoints": [{"addresses": ["?"]}]}), &["addressType"])]
    #[case(json!({"addressType": "IPv4", "endpoints": [{"addresses": []}]}), &["endpoints[0].addresses"])]
    #[case(json!({"addressType": "IPv4", "endpoints": [{"addresses": ["nope"]}]}), &["endpoints[0].addresses[0]"])]
    #[case(json!({"addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}]}), &["endpoints[0].addresses[0]"])]
    #[case(json!({"addressType": "IPv6", "endpoints": [{"addresses": ["10.0.0.1"]}]}), &["endpoints[0].addresses[0]"])]
    #[case(
        json!({"addressType": "IPv4", "ports": [{"name": "a", "protocol": "X"}, {"name": "a"}, {"name": "B"}]}),
        &["ports[0].protocol", "ports[1].name", "ports[2].name"]
    )]
    #[case(
        json!({"addressType": "IPv4", "endpoints": [{
            "addresses": ["10.0.0.1"], "hostname": "Bad", "nodeName": "Bad", "hints": {"forZones": [{"name": "a"}, {"name": "a"}]},
        }]}),
        &["endpoints[0].hostname", "endpoints[0].nodeName", "endpoints[0].hints.forZones[1].name"]
    )]
    fn validation(#[case] slice: Value, #[case] want: &[&str]) {
        assert_eq!(wrong(slice), want);
    }

    #[test]
    fn ports_are_defaulted_and_absent_lists_are_null() {
        let mut slice = Object::from_value(json!({"ports": [{"port": 80}]})).unwrap();
        EndpointSlice.default(&mut slice);
        let want =
            json!({"ports": [{"port": 80, "name": "", "protocol": "TCP"}], "endpoints": null});
        assert_eq!(slice.into_value(), want);
    }

    #[test]
    fn the_address_type_stays() {
        let slice = |kind: &str| Object::from_value(json!({"addressType": kind})).unwrap();
        let errors = EndpointSlice.validate_update(&slice("IPv6"), &slice("IPv4"), "");
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].field, "addressType");
    }
}
