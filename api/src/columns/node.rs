//! Columns of a Node.

use std::collections::BTreeSet;

use kedge_machinery::Object;
use serde_json::Value;

use super::{AGE, Column, NAME, field, list_at, or, text, text_at, wide};

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    text(
        "Status",
        "Whether the node is ready, and whether new pods may come.",
    ),
    text("Roles", "Roles, from its labels."),
    AGE,
    text("Version", "Version of the agent on the node."),
    wide("Internal-IP", "First of its addresses inside the cluster."),
    wide("External-IP", "First of its addresses seen from outside."),
    wide("OS-Image", "The operating system, in its own words."),
    wide("Kernel-Version", "Version of its kernel."),
    wide(
        "Container-Runtime",
        "The container runtime, with its version.",
    ),
];

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
const ROLE_LABEL: &str = "kubernetes.io/role";

pub(super) fn cells(node: &Object, age: Value) -> Vec<Value> {
    let info = |key| text_at(node, &["status", "nodeInfo", key]);
    vec![
        node.name().into(),
        status(node).into(),
        or(&roles(node), "<none>").into(),
        age,
        info("kubeletVersion").into(),
        address(node, "InternalIP").into(),
        address(node, "ExternalIP").into(),
        or(info("osImage"), "<unknown>").into(),
        or(info("kernelVersion"), "<unknown>").into(),
        or(info("containerRuntimeVersion"), "<unknown>").into(),
    ]
}

fn status(node: &Object) -> String {
    let ready = list_at(node, &["status", "conditions"])
        .iter()
        .rfind(|c| field(c, "type") == "Ready");
    let status = match ready.map(|c| field(c, "status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    match node.at(&["spec", "unschedulable"]).and_then(Value::as_bool) {
        Some(true) => format!("{status},SchedulingDisabled"),
        _ => status.into(),
    }
}

fn roles(node: &Object) -> String {
    let roles: BTreeSet<&str> = node
        .labels()
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
            Some(role) => Some(role),
            None => (key == ROLE_LABEL).then_some(value),
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.into_iter().collect::<Vec<_>>().join(",")
}

fn address<'a>(node: &'a Object, kind: &str) -> &'a str {
    let found = list_at(node, &["status", "addresses"])
        .iter()
        .find(|a| field(a, "type") == kind);
    found.map_or("<none>", |a| field(a, "address"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use serde_json::json;

    #[test]
    fn a_node_that_is_ready() {
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": "edge", "labels": { "node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "x" } },
            "spec": { "unschedulable": true },
            "status": {
                "conditions": [{ "type": "MemoryPressure", "status": "False" }, { "type": "Ready", "status": "True" }],
                "addresses": [{ "type": "Hostname", "address": "edge" }, { "type": "InternalIP", "address": "10.0.0.1" }],
                "nodeInfo": { "kubeletVersion": "v1.36.0", "osImage": "Debian GNU/Linux 12" },
            },
        });
        assert_eq!(
            row(node),
            [
                "edge",
                "Ready,SchedulingDisabled",
                "control-plane,worker,x",
                "<unknown>",
                "v1.36.0",
                "10.0.0.1",
                "<none>",
                "Debian GNU/Linux 12",
                "<unknown>",
                "<unknown>"
            ]
        );
    }

    #[test]
    fn a_node_that_says_nothing_is_unknown() {
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "edge" } });
        assert_eq!(row(node.clone())[1..3], ["Unknown", "<none>"]);
        let mut stale = node;
        stale["status"] = json!({ "conditions": [{ "type": "Ready", "status": "Unknown" }] });
        assert_eq!(row(stale)[1], "NotReady");
    }
}
