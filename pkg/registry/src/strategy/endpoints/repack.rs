//! Subsets in the one form in which they are kept (upstream: `pkg/api/endpoints`, `RepackSubsets`): each address of a port
//! once, not ready where any subset says so; ports that have the same addresses together; and all of it in order. The
//! order of ports and subsets is that of hashes of how Go prints them.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::md5::md5;
use crate::value::{child, int, list, present, text};

/// An address, by its place among all that are different.
type Address = usize;

/// The canonical form of the subsets of Endpoints that are right.
pub(super) fn repack(subsets: &[Value]) -> Vec<Value> {
    let mut known: Vec<&Value> = Vec::new();
    // Ports that say no protocol of an application are the same wherever they stand; others each have their own.
    let mut ports: Vec<(Option<&Value>, BTreeMap<Address, bool>)> = Vec::new();
    for subset in subsets {
        let given: Vec<Option<&Value>> = match list(subset, "ports") {
            [] => vec![None],
            given => given.iter().map(Some).collect(),
        };
        for port in given {
            let is_shared = port.is_none_or(|port| present(port, "appProtocol").is_none());
            let place = ports.iter().position(|(own, _)| is_shared && *own == port);
            let place = place.unwrap_or_else(|| {
                ports.push((port, BTreeMap::new()));
                ports.len() - 1
            });
            for (key, ready) in [("addresses", true), ("notReadyAddresses", false)] {
                for address in list(subset, key) {
                    let at = place_of(&mut known, address);
                    let state = ports[place].1.entry(at).or_insert(ready);
                    *state &= ready;
                }
            }
        }
    }
    let mut together: BTreeMap<BTreeMap<Address, bool>, Vec<&Value>> = BTreeMap::new();
    for (port, addresses) in ports {
        together.entry(addresses).or_default().extend(port);
    }
    let mut packed: Vec<Value> = together
        .into_iter()
        .map(|(addresses, ports)| packed(&known, &addresses, ports))
        .collect();
    packed.sort_by_cached_key(|subset| md5(&subset_text(subset)));
    packed
}

/// An address is known by what it is and whose it is.
fn place_of<'a>(known: &mut Vec<&'a Value>, address: &'a Value) -> Address {
    let own = |address: &'a Value| (text(address, "ip"), uid(address).unwrap_or_default());
    let found = known.iter().position(|other| own(other) == own(address));
    found.unwrap_or_else(|| {
        known.push(address);
        known.len() - 1
    })
}

fn uid(address: &Value) -> Option<&str> {
    present(address, "targetRef").map(|target| text(target, "uid"))
}

fn packed(known: &[&Value], addresses: &BTreeMap<Address, bool>, mut ports: Vec<&Value>) -> Value {
    let of_state = |wanted: bool| {
        let own = addresses.iter().filter(|(_, ready)| **ready == wanted);
        let mut own: Vec<&Value> = own.map(|(at, _)| known[*at]).collect();
        own.sort_by_key(|&address| (text(address, "ip"), uid(address)));
        own
    };
    ports.sort_by_cached_key(|port| md5(&format!("({PACKAGE}EndpointPort){}", port_text(port))));
    let lists = [
        ("addresses", of_state(true)),
        ("notReadyAddresses", of_state(false)),
        ("ports", ports),
    ];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    let lists = lists.map(|(key, list)| (key.to_string(), list.into_iter().cloned().collect()));
    Value::Object(lists.collect::<Map<_, _>>())
}

/// The package of upstream's inner types.
const PACKAGE: &str = "core.";

fn subset_text(subset: &Value) -> String {
    let all = |key: &str, kind: &str, print: fn(&Value) -> String| {
        let printed: Vec<String> = list(subset, key).iter().map(print).collect();
        let printed = match &printed[..] {
            [] => "<nil>".to_string(),
            printed => format!("[{}]", printed.join(" ")),
        };
        format!("([]{PACKAGE}{kind}){printed}")
    };
    format!(
        "({PACKAGE}EndpointSubset){{Addresses:{} NotReadyAddresses:{} Ports:{}}}",
        all("addresses", "EndpointAddress", address_text),
        all("notReadyAddresses", "EndpointAddress", address_text),
        all("ports", "EndpointPort", port_text),
    )
}

fn port_text(port: &Value) -> String {
    format!(
        "{{Name:(string){} Port:(int32){} Protocol:({PACKAGE}Protocol){} AppProtocol:{}}}",
        text(port, "name"),
        int(port, "port"),
        text(port, "protocol"),
        pointer_text(child(port, "appProtocol")),
    )
}

fn address_text(address: &Value) -> String {
    let mut target = format!("(*{PACKAGE}ObjectReference)");
    match present(address, "targetRef") {
        None => target.push_str("<nil>"),
        Some(reference) => {
            let parts = REFERENCE.map(|(name, kind, key)| {
                let value = text(reference, key);
                format!("{name}:({kind}){value}")
            });
            let _ = write!(target, "{{{}}}", parts.join(" "));
        }
    }
    format!(
        "{{IP:(string){} Hostname:(string){} NodeName:{} TargetRef:{target}}}",
        text(address, "ip"),
        text(address, "hostname"),
        pointer_text(child(address, "nodeName")),
    )
}

/// Fields of a reference in the order of Go's type: name, type, key.
const REFERENCE: [(&str, &str, &str); 7] = [
    ("Kind", "string", "kind"),
    ("Namespace", "string", "namespace"),
    ("Name", "string", "name"),
    ("UID", "types.UID", "uid"),
    ("APIVersion", "string", "apiVersion"),
    ("ResourceVersion", "string", "resourceVersion"),
    ("FieldPath", "string", "fieldPath"),
];

fn pointer_text(value: &Value) -> String {
    let shown = value.as_str().unwrap_or("<nil>");
    format!("(*string){shown}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn port(name: &str, number: u16, protocol: &str) -> Value {
        json!({"name": name, "port": number, "protocol": protocol})
    }

    fn addresses(ips: &[&str]) -> Value {
        ips.iter().map(|ip| json!({"ip": ip})).collect()
    }

    fn repacked(subsets: Value) -> Value {
        repack(subsets.as_array().unwrap()).into()
    }

    fn web() -> Value {
        json!([port("", 80, "TCP")])
    }

    /// As the DNS of a cluster has them.
    #[test]
    fn ports_are_in_the_order_of_their_hashes() {
        let (dns, tcp, metrics) = (
            port("dns", 53, "UDP"),
            port("dns-tcp", 53, "TCP"),
            port("metrics", 9153, "TCP"),
        );
        let subsets =
            |ports: [&Value; 3]| json!([{"addresses": addresses(&["10.0.0.1"]), "ports": ports}]);
        assert_eq!(
            repacked(subsets([&dns, &tcp, &metrics])),
            subsets([&tcp, &metrics, &dns])
        );
    }

    #[rstest]
    #[case::addresses_in_order(
        json!([{"addresses": addresses(&["10.0.0.9", "10.0.0.10"]), "ports": web()}]),
        json!([{"addresses": addresses(&["10.0.0.10", "10.0.0.9"]), "ports": web()}])
    )]
    #[case::together_by_port(
        json!([{"addresses": addresses(&["2.2.2.2"]), "ports": web()}, {"addresses": addresses(&["1.1.1.1"]), "ports": web()}]),
        json!([{"addresses": addresses(&["1.1.1.1", "2.2.2.2"]), "ports": web()}])
    )]
    #[case::once(
        json!([{"addresses": addresses(&["1.1.1.1", "1.1.1.1"]), "ports": web()}]),
        json!([{"addresses": addresses(&["1.1.1.1"]), "ports": web()}])
    )]
    #[case::not_ready_wins(
        json!([{"addresses": addresses(&["1.1.1.1"]), "ports": web()}, {"notReadyAddresses": addresses(&["1.1.1.1"]), "ports": web()}]),
        json!([{"notReadyAddresses": addresses(&["1.1.1.1"]), "ports": web()}])
    )]
    #[case::without_ports(
        json!([{"addresses": addresses(&["2.2.2.2"])}, {"addresses": addresses(&["1.1.1.1"])}]),
        json!([{"addresses": addresses(&["1.1.1.1", "2.2.2.2"])}])
    )]
    #[case::nothing(json!([]), json!([]))]
    fn one_form(#[case] given: Value, #[case] kept: Value) {
        assert_eq!(repacked(given), kept);
        assert_eq!(repacked(kept.clone()), kept);
    }

    #[test]
    fn ports_with_other_addresses_are_apart() {
        let (http, https) = (port("http", 80, "TCP"), port("https", 443, "TCP"));
        let kept = repacked(json!([
            {"addresses": addresses(&["1.1.1.1"]), "ports": [http, https]},
            {"addresses": addresses(&["2.2.2.2"]), "ports": [http]},
        ]));
        let mut found: Vec<(usize, Value)> = kept
            .as_array()
            .unwrap()
            .iter()
            .map(|subset| (list(subset, "addresses").len(), subset["ports"].clone()))
            .collect();
        found.sort_by_key(|(count, _)| *count);
        assert_eq!(found, [(1, json!([https])), (2, json!([http]))]);
    }

    #[test]
    fn one_address_of_two_pods_is_two() {
        let of = |uid: &str| json!({"ip": "1.1.1.1", "targetRef": {"kind": "Pod", "uid": uid}});
        let given = json!([{"addresses": [of("b"), {"ip": "1.1.1.1"}, of("a")], "ports": web()}]);
        let kept = json!([{"addresses": [{"ip": "1.1.1.1"}, of("a"), of("b")], "ports": web()}]);
        assert_eq!(repacked(given), kept);
    }

    #[test]
    fn as_go_prints_it() {
        let subset = json!({
            "addresses": [{"ip": "1.1.1.1", "nodeName": "n", "targetRef": {"kind": "Pod", "name": "p", "uid": "u"}}],
            "ports": [{"name": "a", "port": 1, "protocol": "TCP", "appProtocol": "h2c"}],
        });
        assert_eq!(
            subset_text(&subset),
            "(core.EndpointSubset){Addresses:([]core.EndpointAddress)[{IP:(string)1.1.1.1 Hostname:(string) NodeName:(*string)n \
             TargetRef:(*core.ObjectReference){Kind:(string)Pod Namespace:(string) Name:(string)p UID:(types.UID)u APIVersion:(string) \
             ResourceVersion:(string) FieldPath:(string)}}] NotReadyAddresses:([]core.EndpointAddress)<nil> \
             Ports:([]core.EndpointPort)[{Name:(string)a Port:(int32)1 Protocol:(core.Protocol)TCP AppProtocol:(*string)h2c}]}"
        );
    }
}
