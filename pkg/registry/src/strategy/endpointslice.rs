//! EndpointSlices.

use std::collections::BTreeSet;

use kedge_machinery::object::child_mut;
use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, Object, names};
use serde_json::{Value, json};

use super::Strategy;
use crate::check;
use crate::value::{default, field, list, present, structs_mut, text, texts};

const ADDRESS_TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// They cannot help what their Pods and Endpoints say.
const CONTROLLERS: &[&str] = &[
    "endpointslice-controller.k8s.io",
    "endpointslicemirroring-controller.k8s.io",
];
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
        for endpoint in structs_mut(&mut object.0, "endpoints") {
            child_mut(endpoint, "conditions");
        }
        // Go writes these lists even when nobody gave them.
        for key in ["endpoints", "ports"] {
            object.0.entry(key).or_insert(Value::Null);
        }
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({"metadata": {}, "endpoints": null, "ports": null}))
    }

    fn prepare_create(&self, new: &mut Object) {
        forget_topology(new);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, _subresource: &str) {
        if field(&new.0, "endpoints") != field(&old.0, "endpoints") {
            forget_topology(new);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate(object, None)
    }

    fn validate_update(&self, new: &Object, old: &Object, _subresource: &str) -> Vec<FieldError> {
        let mut errors = validate(new, Some(old));
        errors.extend(check::immutable(
            "addressType",
            new.0.get("addressType"),
            old.0.get("addressType"),
        ));
        errors
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let mut said = Vec::new();
        if old.is_none() && field(&new.0, "addressType") == "FQDN" {
            said.push("spec.addressType: FQDN endpoints are deprecated".into());
        }
        let manager = new.labels().find(|(key, _)| *key == MANAGED_BY);
        if manager.is_some_and(|(_, name)| CONTROLLERS.contains(&name)) {
            return said;
        }
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

/// Endpoints that an update leaves as they were are right: earlier versions took more.
fn validate(new: &Object, old: Option<&Object>) -> Vec<FieldError> {
    const ENDPOINTS: &str = "endpoints";
    let items = |key| field(&new.0, key).as_array().map_or(&[][..], Vec::as_slice);
    let kind = field(&new.0, "addressType").as_str().unwrap_or_default();
    let mut errors = Vec::from_iter(check::one_of("addressType", kind, ADDRESS_TYPES));
    if old.is_none_or(|old| field(&old.0, ENDPOINTS) != field(&new.0, ENDPOINTS)) {
        errors.extend(endpoints(items(ENDPOINTS), kind));
    }
    errors.extend(ports(items("ports")));
    errors
}

fn endpoints(endpoints: &[Value], kind: &str) -> Vec<FieldError> {
    if endpoints.len() > MAX_ENDPOINTS {
        return vec![too_many("endpoints", endpoints.len(), MAX_ENDPOINTS)];
    }
    let each = endpoints.iter().enumerate();
    each.flat_map(|(i, item)| endpoint(&format!("endpoints[{i}]"), item, kind))
        .collect()
}

/// What `v1beta1` had is left over at most (`dropTopologyOnV1`).
fn forget_topology(slice: &mut Object) {
    for endpoint in structs_mut(&mut slice.0, "endpoints") {
        endpoint.remove("deprecatedTopology");
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
        errors.extend(address(&at, i, value, kind));
    }
    if let Some(node) = present(endpoint, "nodeName").and_then(Value::as_str) {
        errors.extend(check::subdomain(&format!("{path}.nodeName"), node));
    }
    if let Some(hostname) = present(endpoint, "hostname").and_then(Value::as_str) {
        errors.extend(check::label(&format!("{path}.hostname"), hostname));
    }
    let hints = present(endpoint, "hints").unwrap_or(&Value::Null);
    for (key, what) in [("forZones", "zone"), ("forNodes", "node")] {
        let (at, given) = (format!("{path}.hints.{key}"), list(hints, key));
        errors.extend(hint(&at, given, what));
        if given.len() > MAX_HINTS {
            break;
        }
    }
    errors
}

/// The error about the family names the list, as upstream's does.
fn address(list: &str, i: usize, value: &str, kind: &str) -> Vec<FieldError> {
    let path = format!("{list}[{i}]");
    let of_family = |want_v4: bool, detail: &str| match check::ip(&path, value) {
        Ok(address) => {
            let wrong = address.is_ipv4() != want_v4;
            let mut errors =
                Vec::from_iter(wrong.then(|| FieldError::invalid(list, value, detail)));
            errors.extend(check::ordinary_ip(&path, value));
            errors
        }
        Err(error) => vec![error],
    };
    match kind {
        "IPv4" => of_family(true, "must be an IPv4 address"),
        "IPv6" => of_family(false, "must be an IPv6 address"),
        "FQDN" => domain(&path, value),
        _ => Vec::new(),
    }
}

/// A domain of two labels or more; its last dot may be written (`IsFullyQualifiedDomainName`).
fn domain(path: &str, value: &str) -> Vec<FieldError> {
    if value.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    let name = value.strip_suffix('.').unwrap_or(value);
    let invalid = |what: &str, detail: String| vec![FieldError::invalid(path, what, detail)];
    let wrong = names::dns1123_subdomain(name);
    if !wrong.is_empty() {
        return invalid(name, wrong.join(","));
    }
    if !name.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        return invalid(name, detail.into());
    }
    let mut labels = name
        .split('.')
        .map(|label| (label, names::dns1123_label(label)));
    match labels.find(|(_, wrong)| !wrong.is_empty()) {
        Some((label, wrong)) => invalid(label, wrong.join(",")),
        None => Vec::new(),
    }
}

/// KEP-2433 and KEP-3015: few hints, each with another name.
fn hint(path: &str, hints: &[Value], what: &str) -> Vec<FieldError> {
    if hints.len() > MAX_HINTS {
        return vec![too_many(path, hints.len(), MAX_HINTS)];
    }
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for (i, hint) in hints.iter().enumerate() {
        let (at, name) = (format!("{path}[{i}].name"), text(hint, "name"));
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(&at, name));
        }
        if what == "node" {
            errors.extend(check::subdomain(&at, name));
        } else {
            errors.extend(check::invalid(&at, name, names::label_value(name)));
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
    #[case(json!({"addressType": "IPv6", "endpoints": [{"addresses": ["10.0.0.1"]}]}), &["endpoints[0].addresses"])]
    #[case(json!({"addressType": "IPv4", "endpoints": [{"addresses": ["::1", "010.0.0.1"]}]}), &[
        "endpoints[0].addresses", "endpoints[0].addresses[0]", "endpoints[0].addresses[1]",
    ])]
    #[case(json!({"addressType": "FQDN", "endpoints": [{"addresses": ["example.com.", "a-b.example.com"]}]}), &[])]
    #[case(json!({"addressType": "FQDN", "endpoints": [{"addresses": ["com", "A.com", "*.com", ""]}]}), &[
        "endpoints[0].addresses[0]", "endpoints[0].addresses[1]", "endpoints[0].addresses[2]", "endpoints[0].addresses[3]",
    ])]
    #[case(json!({"addressType": "IPv4", "ports": [{"name": ""}, {}, {"appProtocol": "--"}]}), &[
        "ports[1].name", "ports[2].name", "ports[2].appProtocol",
    ])]
    #[case(
        json!({"addressType": "IPv4", "ports": [{"name": "a", "protocol": "X"}, {"name": "a"}, {"name": "B"}]}),
        &["ports[0].protocol", "ports[1].name", "ports[2].name"]
    )]
    #[case(
        json!({"addressType": "IPv4", "endpoints": [{
            "addresses": ["10.0.0.1"], "hostname": "Bad", "nodeName": "Bad", "hints": {"forZones": [{"name": "a"}, {"name": "a"}]},
        }]}),
        &["endpoints[0].nodeName", "endpoints[0].hostname", "endpoints[0].hints.forZones[1].name"]
    )]
    #[case(
        json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "hints": {
            "forZones": [{"name": "inv@lid"}], "forNodes": [{"name": "n"}, {"name": "n"}, {"name": "inv@lid"}],
        }}]}),
        &["endpoints[0].hints.forZones[0].name", "endpoints[0].hints.forNodes[1].name", "endpoints[0].hints.forNodes[2].name"]
    )]
    #[case(json!({"addressType": "IPv6", "endpoints": [{"addresses": ["123.456.789.012", "2001:4860:4860:defg", "fe80::1"]}]}), &[
        "endpoints[0].addresses[0]", "endpoints[0].addresses[1]", "endpoints[0].addresses[2]",
    ])]
    fn validation(#[case] slice: Value, #[case] want: &[&str]) {
        assert_eq!(wrong(slice), want);
    }

    #[rstest]
    #[case(json!({"addressType": "IPv6", "endpoints": [{"addresses": ["10.0.0.1"]}]}), &["addressType"])]
    #[case(json!({"addressType": "IPv6", "endpoints": [{"addresses": ["10.0.0.2"]}]}), &["endpoints[0].addresses", "addressType"])]
    #[case(json!({"addressType": "IPv4", "endpoints": [{"addresses": []}]}), &["endpoints[0].addresses"])]
    #[case(json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"name": "B"}]}), &["ports[0].name"])]
    fn what_an_update_may_not(#[case] new: Value, #[case] want: &[&str]) {
        let old = json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]});
        let [new, old] = [new, old].map(|value| {
            let mut slice = Object::from_value(value).unwrap();
            EndpointSlice.default(&mut slice);
            slice
        });
        let errors = EndpointSlice.validate_update(&new, &old, "");
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, want);
    }

    /// A new slice and an update of it.
    #[rstest]
    #[case("IPv6", "2001:DB8::1", "", [1, 1])]
    #[case("IPv6", "2001:db8::1", "", [0, 0])]
    #[case("IPv6", "2001:DB8::1", "me", [1, 1])]
    #[case("IPv6", "2001:DB8::1", CONTROLLERS[0], [0, 0])]
    #[case("IPv6", "2001:DB8::1", CONTROLLERS[1], [0, 0])]
    #[case("FQDN", "example.com", "", [1, 0])]
    #[case("FQDN", "example.com", CONTROLLERS[1], [1, 0])]
    fn warnings(
        #[case] kind: &str,
        #[case] address: &str,
        #[case] manager: &str,
        #[case] told: [usize; 2],
    ) {
        let slice = json!({
            "metadata": {"labels": {MANAGED_BY: manager}},
            "addressType": kind, "endpoints": [{"addresses": [address]}],
        });
        let slice = Object::from_value(slice).unwrap();
        let said = [None, Some(&slice)].map(|old| EndpointSlice.warnings(&slice, old).len());
        assert_eq!(said, told);
    }

    #[test]
    fn limits() {
        let endpoints = |count: usize| {
            let endpoint = |i: usize| json!({"addresses": [format!("10.1.2.{}", i % 255)]});
            json!({"endpoints": (0..count).map(endpoint).collect::<Value>()})
        };
        let ports = |count: usize| {
            let port = |i: usize| json!({"name": format!("http-{i}")});
            json!({"ports": (0..count).map(port).collect::<Value>()})
        };
        let addresses = |count: usize| {
            let addresses: Value = (0..count).map(|i| format!("10.1.2.{i}")).collect();
            json!({"endpoints": [{"addresses": addresses}]})
        };
        let hints = |key: &'static str| {
            move |count: usize| {
                let hints: Value = (0..count)
                    .map(|i| json!({"name": format!("a-{i}")}))
                    .collect();
                json!({"endpoints": [{"addresses": ["10.1.2.3"], "hints": {key: hints}}]})
            }
        };
        let check = |path: &str, most: usize, made: &dyn Fn(usize) -> Value| {
            let slice = |count| {
                let mut slice = made(count);
                slice["addressType"] = "IPv4".into();
                slice
            };
            assert!(wrong(slice(most)).is_empty(), "{path}");
            assert_eq!(wrong(slice(most + 1)), [path]);
        };
        check("endpoints", 1000, &endpoints);
        check("ports", 20000, &ports);
        check("endpoints[0].addresses", 100, &addresses);
        check("endpoints[0].hints.forZones", 8, &hints("forZones"));
        check("endpoints[0].hints.forNodes", 8, &hints("forNodes"));
    }

    #[test]
    fn ports_are_defaulted_and_absent_lists_are_null() {
        let mut slice = Object::from_value(json!({"ports": [{"port": 80}]})).unwrap();
        EndpointSlice.default(&mut slice);
        let want =
            json!({"ports": [{"port": 80, "name": "", "protocol": "TCP"}], "endpoints": null});
        assert_eq!(slice.into_value(), want);
        let mut slice = Object::from_value(json!({"endpoints": [{"addresses": []}]})).unwrap();
        EndpointSlice.default(&mut slice);
        assert_eq!(slice.0["endpoints"][0]["conditions"], json!({}));
    }

    #[test]
    fn the_topology_of_the_beta_is_left_over_at_most() {
        let slice = |ready: bool| {
            let topology = json!({"topology.kubernetes.io/region": "a"});
            let endpoint = json!({
                "addresses": ["10.0.0.1"], "conditions": {"ready": ready}, "deprecatedTopology": topology,
            });
            Object::from_value(json!({"endpoints": [endpoint]})).unwrap()
        };
        let has = |slice: &Object| slice.0["endpoints"][0].get("deprecatedTopology").is_some();
        let mut new = slice(true);
        EndpointSlice.prepare_update(&mut new, &slice(true), "");
        assert!(has(&new));
        EndpointSlice.prepare_update(&mut new, &slice(false), "");
        assert!(!has(&new));
        let mut new = slice(true);
        EndpointSlice.prepare_create(&mut new);
        assert!(!has(&new));
    }

    #[test]
    fn the_address_type_stays() {
        let slice = |kind: &str| Object::from_value(json!({"addressType": kind})).unwrap();
        let errors = EndpointSlice.validate_update(&slice("IPv6"), &slice("IPv4"), "");
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].field, "addressType");
    }
}
