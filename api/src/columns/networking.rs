//! Columns of `networking.k8s.io`.

use std::collections::BTreeSet;

use kedge_machinery::Object;
use serde_json::Value;

use super::selector::selector;
use super::{AGE, Column, NAME, field, list_at, or, text, text_at};

pub(super) const INGRESS: &[Column] = &[
    NAME,
    text("Class", "The IngressClass that serves it."),
    text("Hosts", "Hosts that it has rules for."),
    text("Address", "Addresses or names at which it is reached."),
    text("Ports", "Ports at which it is reached."),
    AGE,
];
pub(super) const INGRESS_CLASS: &[Column] = &[
    NAME,
    text("Controller", "Who serves Ingresses of this class."),
    text("Parameters", "An object with settings of the controller."),
    AGE,
];
pub(super) const IP_ADDRESS: &[Column] = &[NAME, text("ParentRef", "Who holds the address."), AGE];
pub(super) const SERVICE_CIDR: &[Column] = &[NAME, text("CIDRs", "Ranges of ClusterIPs."), AGE];
pub(super) const NETWORK_POLICY: &[Column] = &[
    NAME,
    text("Pod-Selector", "Labels of the pods that it is about."),
    AGE,
];

/// Hosts that are shown by name.
const HOSTS: usize = 3;

pub(super) fn ingress(ingress: &Object, age: Value) -> Vec<Value> {
    let class = text_at(ingress, &["spec", "ingressClassName"]);
    let points = list_at(ingress, &["status", "loadBalancer", "ingress"]);
    let addresses: BTreeSet<&str> = points
        .iter()
        .map(|point| or(field(point, "ip"), field(point, "hostname")))
        .filter(|address| !address.is_empty())
        .collect();
    let addresses = Vec::from_iter(addresses).join(",");
    let ports = match list_at(ingress, &["spec", "tls"]) {
        [] => "80",
        _ => "80, 443",
    };
    vec![
        ingress.name().into(),
        or(class, "<none>").into(),
        hosts(list_at(ingress, &["spec", "rules"])).into(),
        addresses.into(),
        ports.into(),
        age,
    ]
}

/// Rules after the last host that is shown count as more, hosts or not, as upstream counts.
fn hosts(rules: &[Value]) -> String {
    let named = |(_, rule): &(usize, &Value)| !field(rule, "host").is_empty();
    let shown: Vec<_> = rules.iter().enumerate().filter(named).take(HOSTS).collect();
    let full = shown
        .get(HOSTS - 1)
        .is_some_and(|(i, _)| i + 1 < rules.len());
    let text: Vec<&str> = shown.iter().map(|(_, rule)| field(rule, "host")).collect();
    match text.join(",") {
        none if none.is_empty() => "*".into(),
        some if full => format!("{some} + {} more...", rules.len() - HOSTS),
        some => some,
    }
}

pub(super) fn ingress_class(class: &Object, age: Value) -> Vec<Value> {
    let parameters = match class.at(&["spec", "parameters"]) {
        None | Some(Value::Null) => "<none>".to_string(),
        Some(parameters) => {
            let (kind, name) = (field(parameters, "kind"), field(parameters, "name"));
            match field(parameters, "apiGroup") {
                "" => format!("{kind}/{name}"),
                group => format!("{kind}.{group}/{name}"),
            }
        }
    };
    vec![
        class.name().into(),
        text_at(class, &["spec", "controller"]).into(),
        parameters.into(),
        age,
    ]
}

pub(super) fn network_policy(policy: &Object, age: Value) -> Vec<Value> {
    let selector = policy.at(&["spec", "podSelector"]).unwrap_or(&Value::Null);
    vec![policy.name().into(), self::selector(selector).into(), age]
}

pub(super) fn ip_address(address: &Object, age: Value) -> Vec<Value> {
    let parent = match address.at(&["spec", "parentRef"]) {
        None | Some(Value::Null) => "<none>".to_string(),
        Some(parent) => {
            let mut words = vec![match field(parent, "group") {
                "" => field(parent, "resource").to_lowercase(),
                group => format!("{}.{group}", field(parent, "resource")).to_lowercase(),
            }];
            words.extend(
                ["namespace", "name"]
                    .map(|key| field(parent, key).to_string())
                    .into_iter()
                    .filter(|word| !word.is_empty()),
            );
            words.join("/")
        }
    };
    vec![address.name().into(), parent.into(), age]
}

pub(super) fn service_cidr(range: &Object, age: Value) -> Vec<Value> {
    let cidrs: Vec<&str> = list_at(range, &["spec", "cidrs"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    vec![range.name().into(), cidrs.join(",").into(), age]
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use serde_json::{Value, json};

    fn cells(kind: &str, spec: Value, status: Value) -> Vec<Value> {
        row(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": kind, "spec": spec, "status": status,
            "metadata": { "name": "x", "creationTimestamp": "2026-01-01T00:06:40Z" },
        }))
    }

    #[test]
    fn addresses_and_their_ranges() {
        let parent =
            json!({ "parentRef": { "resource": "services", "namespace": "n", "name": "web" } });
        assert_eq!(
            cells("IPAddress", parent, json!({})),
            ["x", "services/n/web", "3m20s"]
        );
        let range = json!({ "cidrs": ["10.0.0.0/16", "2001:db8::/112"] });
        assert_eq!(
            cells("ServiceCIDR", range, json!({})),
            ["x", "10.0.0.0/16,2001:db8::/112", "3m20s"]
        );
    }

    #[test]
    fn an_ingress() {
        let status = json!({ "loadBalancer": { "ingress": [{ "hostname": "lb" }, { "ip": "10.0.0.1" }, { "hostname": "lb" }] } });
        let rules = |n: usize| {
            (0..n)
                .map(|i| json!({ "host": format!("h{i}") }))
                .collect::<Value>()
        };
        let spec = json!({ "ingressClassName": "kedge", "rules": rules(2), "tls": [{}] });
        assert_eq!(
            cells("Ingress", spec, status),
            ["x", "kedge", "h0,h1", "10.0.0.1,lb", "80, 443", "3m20s"]
        );
        assert_eq!(
            cells("Ingress", json!({ "rules": rules(5) }), json!({}))[1..5],
            ["<none>", "h0,h1,h2 + 2 more...", "", "80"]
        );
        assert_eq!(cells("Ingress", json!({}), json!({}))[2], "*");
        let mut mixed = rules(4);
        mixed[3] = json!({});
        assert_eq!(
            cells("Ingress", json!({ "rules": mixed }), json!({}))[2],
            "h0,h1,h2 + 1 more..."
        );
        mixed.as_array_mut().unwrap().rotate_right(1);
        assert_eq!(
            cells("Ingress", json!({ "rules": mixed }), json!({}))[2],
            "h0,h1,h2"
        );
    }

    #[test]
    fn an_ingress_class() {
        let spec = json!({ "controller": "a/b", "parameters": { "apiGroup": "g", "kind": "K", "name": "n" } });
        assert_eq!(
            cells("IngressClass", spec, json!({})),
            ["x", "a/b", "K.g/n", "3m20s"]
        );
        assert_eq!(
            cells("IngressClass", json!({ "controller": "a/b" }), json!({}))[2],
            "<none>"
        );
    }

    #[test]
    fn a_network_policy() {
        let selector = |selector: Value| {
            cells(
                "NetworkPolicy",
                json!({ "podSelector": selector }),
                json!({}),
            )[1]
            .clone()
        };
        assert_eq!(selector(json!({})), "<none>");
        let expressions = json!([
            { "key": "c", "operator": "In", "values": ["y", "x"] },
            { "key": "d", "operator": "Exists" }, { "key": "e", "operator": "DoesNotExist" },
        ]);
        let all = json!({ "matchLabels": { "b": "2", "a": "1" }, "matchExpressions": expressions });
        assert_eq!(selector(all), "a=1,b=2,c in (x,y),d,!e");
    }
}
