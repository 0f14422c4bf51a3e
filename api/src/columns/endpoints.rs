//! Columns of Endpoints and EndpointSlices.

use kedge_machinery::Object;
use serde_json::Value;

use super::{AGE, Column, NAME, abbreviated, field, list, list_at, or, text, text_at};

pub(super) const ENDPOINTS: &[Column] = &[
    NAME,
    text("Endpoints", "The first of its addresses and ports."),
    AGE,
];

pub(super) const ENDPOINT_SLICE: &[Column] = &[
    NAME,
    text("AddressType", "What its addresses are: IPv4, IPv6 or FQDN."),
    text("Ports", "The first of its ports."),
    text("Endpoints", "The first of its addresses."),
    AGE,
];

pub(super) fn endpoints(object: &Object, age: Value) -> Vec<Value> {
    let mut found = Vec::new();
    for subset in list_at(object, &["subsets"]) {
        let addresses = list(subset.get("addresses"));
        let ports = list(subset.get("ports"));
        if ports.is_empty() {
            found.extend(addresses.iter().map(|a| field(a, "ip").to_string()));
        }
        for port in ports {
            let number = port.get("port").and_then(Value::as_i64).unwrap_or_default();
            found.extend(addresses.iter().map(|a| host_port(field(a, "ip"), number)));
        }
    }
    let shown = abbreviated(found.into_iter());
    // Without subsets nothing is known; with empty ones nothing is there.
    let none = if list_at(object, &["subsets"]).is_empty() {
        "<none>"
    } else {
        ""
    };
    vec![object.name().into(), or(&shown, none).into(), age]
}

pub(super) fn endpoint_slice(object: &Object, age: Value) -> Vec<Value> {
    let ports = list_at(object, &["ports"]).iter().map(|port| {
        match port.get("port").and_then(Value::as_i64) {
            Some(number) => number.to_string(),
            None => port
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or("*")
                .to_string(),
        }
    });
    let addresses = list_at(object, &["endpoints"])
        .iter()
        .flat_map(|endpoint| list(endpoint.get("addresses")))
        .filter_map(Value::as_str)
        .map(ToString::to_string);
    vec![
        object.name().into(),
        text_at(object, &["addressType"]).into(),
        or(&abbreviated(ports), "<unset>").into(),
        or(&abbreviated(addresses), "<unset>").into(),
        age,
    ]
}

fn host_port(host: &str, port: i64) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use serde_json::json;

    #[test]
    fn endpoints_are_addresses_with_ports() {
        let mut object =
            json!({ "apiVersion": "v1", "kind": "Endpoints", "metadata": { "name": "web" } });
        assert_eq!(row(object.clone())[1], "<none>");
        let ips = json!([{ "ip": "10.0.0.1" }, { "ip": "fd00::1" }]);
        object["subsets"] =
            json!([{ "addresses": ips, "ports": [{ "port": 80 }, { "port": 443 }] }]);
        assert_eq!(
            row(object.clone())[1],
            "10.0.0.1:80,[fd00::1]:80,10.0.0.1:443 + 1 more..."
        );
        object["subsets"] = json!([{ "addresses": ips }]);
        assert_eq!(row(object.clone())[1], "10.0.0.1,fd00::1");
        object["subsets"] = json!([{ "notReadyAddresses": ips, "ports": [{ "port": 80 }] }]);
        assert_eq!(row(object)[1], "");
    }

    #[test]
    fn slices_are_abbreviated() {
        let mut object = json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": { "name": "web-1" }, "endpoints": null, "ports": null });
        assert_eq!(
            row(object.clone()),
            ["web-1", "IPv4", "<unset>", "<unset>", "<unknown>"]
        );
        object["ports"] = json!([{ "name": "", "port": 8080 }, { "name": "any" }, {}]);
        object["endpoints"] = json!([{ "addresses": ["10.0.0.1"] }, { "addresses": ["10.0.0.2", "10.0.0.3"] }, { "addresses": ["10.0.0.4"] }]);
        assert_eq!(
            row(object)[2..4],
            ["8080,any,*", "10.0.0.1,10.0.0.2,10.0.0.3 + 1 more..."]
        );
    }
}
