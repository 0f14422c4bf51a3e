//! Columns of a Service.

use std::collections::BTreeSet;

use kedge_machinery::Object;
use serde_json::Value;

use super::{AGE, Column, NAME, field, labels, list_at, or, text, text_at, wide};

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    text(
        "Type",
        "How the Service is exposed: ClusterIP, NodePort, LoadBalancer or ExternalName.",
    ),
    text("Cluster-IP", "First of its cluster addresses."),
    text(
        "External-IP",
        "Addresses or name at which it is reached from outside the cluster.",
    ),
    text(
        "Port(s)",
        "Ports, each with its node port, if any, and protocol.",
    ),
    AGE,
    wide("Selector", "Labels of the pods that it sends traffic to."),
];

pub(super) fn cells(service: &Object, age: Value) -> Vec<Value> {
    let cluster_ip = list_at(service, &["spec", "clusterIPs"])
        .first()
        .and_then(Value::as_str)
        .unwrap_or("<none>");
    vec![
        service.name().into(),
        text_at(service, &["spec", "type"]).into(),
        cluster_ip.into(),
        external_ip(service).into(),
        ports(list_at(service, &["spec", "ports"])).into(),
        age,
        labels(service.at(&["spec", "selector"])).into(),
    ]
}

fn external_ip(service: &Object) -> String {
    let mut addresses: Vec<&str> = Vec::new();
    let none = match text_at(service, &["spec", "type"]) {
        "ClusterIP" | "NodePort" => "<none>",
        "LoadBalancer" => {
            let ingress = list_at(service, &["status", "loadBalancer", "ingress"]);
            let points = ingress
                .iter()
                .map(|i| or(field(i, "ip"), field(i, "hostname")))
                .filter(|p| !p.is_empty());
            addresses.extend(points.collect::<BTreeSet<_>>());
            "<pending>"
        }
        "ExternalName" => return text_at(service, &["spec", "externalName"]).into(),
        _ => return "<unknown>".into(),
    };
    addresses.extend(
        list_at(service, &["spec", "externalIPs"])
            .iter()
            .filter_map(Value::as_str),
    );
    if addresses.is_empty() {
        none.into()
    } else {
        addresses.join(",")
    }
}

fn ports(ports: &[Value]) -> String {
    let number =
        |port: &Value, key: &str| port.get(key).and_then(Value::as_i64).unwrap_or_default();
    let ports: Vec<String> = ports
        .iter()
        .map(|port| {
            match (
                number(port, "port"),
                number(port, "nodePort"),
                field(port, "protocol"),
            ) {
                (port, 0, protocol) => format!("{port}/{protocol}"),
                (port, node_port, protocol) => format!("{port}:{node_port}/{protocol}"),
            }
        })
        .collect();
    if ports.is_empty() {
        "<none>".into()
    } else {
        ports.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use serde_json::{Value, json};

    fn service(spec: Value, status: Value) -> Vec<Value> {
        row(json!({
            "apiVersion": "v1", "kind": "Service", "spec": spec, "status": status,
            "metadata": { "name": "web", "creationTimestamp": "2026-01-01T00:06:40Z" },
        }))
    }

    #[test]
    fn a_cluster_ip_service() {
        let spec = json!({
            "type": "ClusterIP", "clusterIP": "10.43.0.7", "clusterIPs": ["10.43.0.7", "fd00::7"], "selector": { "app": "web", "tier": "b" },
            "ports": [{ "port": 80, "protocol": "TCP" }, { "port": 53, "protocol": "UDP" }],
        });
        assert_eq!(
            service(spec, json!({ "loadBalancer": {} })),
            [
                "web",
                "ClusterIP",
                "10.43.0.7",
                "<none>",
                "80/TCP,53/UDP",
                "3m20s",
                "app=web,tier=b"
            ]
        );
    }

    #[test]
    fn a_load_balancer_waits_then_has_addresses() {
        let mut spec = json!({ "type": "LoadBalancer", "clusterIPs": ["10.43.0.7"], "ports": [{ "port": 80, "nodePort": 30080, "protocol": "TCP" }] });
        assert_eq!(
            service(spec.clone(), json!({}))[3..5],
            ["<pending>", "80:30080/TCP"]
        );
        let status = json!({ "loadBalancer": { "ingress": [{ "ip": "192.168.1.9" }, { "hostname": "a.example" }, { "ip": "192.168.1.10" }] } });
        assert_eq!(
            service(spec.clone(), status.clone())[3],
            "192.168.1.10,192.168.1.9,a.example"
        );
        spec["externalIPs"] = json!(["192.0.2.1"]);
        assert_eq!(
            service(spec.clone(), status)[3],
            "192.168.1.10,192.168.1.9,a.example,192.0.2.1"
        );
        assert_eq!(service(spec, json!({}))[3], "192.0.2.1");
    }

    #[test]
    fn an_external_name_and_a_headless_service() {
        let name = json!({ "type": "ExternalName", "externalName": "db.example" });
        assert_eq!(
            service(name, json!({}))[1..5],
            ["ExternalName", "<none>", "db.example", "<none>"]
        );
        let headless = json!({ "type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"] });
        assert_eq!(
            service(headless, json!({}))[1..4],
            ["ClusterIP", "None", "<none>"]
        );
    }
}
