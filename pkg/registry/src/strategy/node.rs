//! Nodes.

use std::collections::BTreeSet;

use kedge_machinery::object::child_mut;
use kedge_machinery::quantity::Quantity;
use kedge_machinery::{FieldError, Object, names};
use serde_json::{Value, json};

use super::Strategy;
use crate::check;
use crate::value::{default, field, list, pairs, present, structs_mut, text, texts};

/// `NodeSystemInfo`: Go writes each, empty or not.
const SYSTEM_INFO: &[&str] = &[
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
];

const TAINT_EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "PreferNoSchedule"];

pub(super) struct Node;

impl Strategy for Node {
    fn default(&self, object: &mut Object) {
        child_mut(&mut object.0, "spec");
        let status = child_mut(&mut object.0, "status");
        let capacity = field(status, "capacity").clone();
        if field(status, "allocatable").is_null() && !capacity.is_null() {
            status.insert("allocatable".into(), capacity);
        }
        status
            .entry("daemonEndpoints")
            .or_insert_with(|| json!({"kubeletEndpoint": {"Port": 0}}));
        let info = child_mut(status, "nodeInfo");
        for key in SYSTEM_INFO {
            info.entry(*key).or_insert("".into());
        }
        for condition in structs_mut(status, "conditions") {
            for key in ["lastHeartbeatTime", "lastTransitionTime"] {
                condition.entry(key).or_insert(Value::Null);
            }
        }
        if let Some(first) = list(field(&object.0, "spec"), "podCIDRs").first().cloned() {
            default(child_mut(&mut object.0, "spec"), "podCIDR", first);
        } else if let Some(only) = object
            .at(&["spec", "podCIDR"])
            .filter(|v| v.as_str() != Some(""))
            .cloned()
        {
            child_mut(&mut object.0, "spec").insert("podCIDRs".into(), json!([only]));
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let mut errors = taints(spec);
        errors.extend(resources(object));
        let cidrs = texts(spec, "podCIDRs");
        for (i, cidr) in cidrs.iter().enumerate() {
            errors.extend(check::cidr(&format!("spec.podCIDRs[{i}]"), cidr));
        }
        let of_ipv6 = |cidr: &&&str| cidr.contains(':');
        let ipv6 = cidrs.iter().filter(of_ipv6).count();
        if cidrs.len() > 2 || (cidrs.len() == 2 && ipv6 != 1) {
            errors.push(FieldError::invalid(
                "spec.podCIDRs",
                json!(cidrs),
                "may specify no more than one CIDR for each IP family",
            ));
        }
        for (i, cidr) in cidrs.iter().enumerate() {
            if cidrs[..i].contains(cidr) {
                errors.push(FieldError::duplicate(format!("spec.podCIDRs[{i}]"), *cidr));
            }
        }
        errors
    }

    /// Upstream looks at taints and resources once as those of a Node, and once as those of a changed one.
    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        let mut errors = match subresource {
            "" => self.validate(new),
            _ => Vec::new(),
        };
        errors.extend(resources(new));
        errors.extend(addresses(new));
        let (is, was) = (field(&new.0, "spec"), field(&old.0, "spec"));
        let [before, after] = [was, is].map(|spec| texts(spec, "podCIDRs"));
        let moved = match before.len() == after.len() {
            true => before.iter().zip(&after).filter(|(a, b)| a != b).count(),
            false => usize::from(!before.is_empty()),
        };
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        errors.extend((0..moved).map(|_| FieldError::forbidden("spec.podCIDRs", detail)));
        let provider = text(was, "providerID");
        if !provider.is_empty() && provider != text(is, "providerID") {
            let detail = "node updates may not change providerID except from \"\" to valid";
            errors.push(FieldError::forbidden("spec.providerID", detail));
        }
        errors.extend(taints(is));
        if text(was, "externalID") != text(is, "externalID") {
            errors.push(FieldError::forbidden(
                "spec.externalID",
                "may not be updated",
            ));
        }
        errors
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let _ = old;
        let spec = field(&new.0, "spec");
        let mut said = Vec::new();
        if present(spec, "configSource").is_some() {
            said.push("spec.configSource: the feature is removed".to_string());
        }
        if !text(spec, "externalID").is_empty() {
            said.push(
                "spec.externalID: this field is deprecated, and is unused by Kubernetes".into(),
            );
        }
        for (i, cidr) in texts(spec, "podCIDRs").into_iter().enumerate() {
            said.extend(check::unusual_cidr(&format!("spec.podCIDRs[{i}]"), cidr));
        }
        said
    }
}

/// Resources of a node: never less than none, and what is counted is whole (`ValidateNodeResources`).
fn resources(node: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for list in ["capacity", "allocatable"] {
        for (name, value) in pairs(field(&node.0, "status"), list) {
            let Ok(quantity) = Quantity::parse(value.as_str().unwrap_or_default()) else {
                continue;
            };
            let path = format!("status.{list}.{name}");
            let mut wrong = |detail| {
                errors.push(FieldError::invalid(&path, quantity.to_string(), detail));
            };
            if quantity.is_negative() {
                wrong("must be greater than or equal to 0");
            }
            let is_extended = name.contains('/') && !name.contains("kubernetes.io/");
            if (name == "pods" || is_extended) && !quantity.is_whole() {
                wrong("must be an integer");
            }
        }
    }
    errors
}

/// The path begins with `metadata`, as upstream's does.
fn taints(spec: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, taint) in list(spec, "taints").iter().enumerate() {
        let at = |key: &str| format!("metadata.taints[{i}].{key}");
        let [key, value, effect] = ["key", "value", "effect"].map(|name| text(taint, name));
        errors.extend(check::qualified_name(&at("key"), key));
        let wrong = names::label_value(value);
        if !wrong.is_empty() {
            errors.push(FieldError::invalid(at("value"), value, wrong.join(";")));
        }
        errors.extend(check::one_of(&at("effect"), effect, TAINT_EFFECTS));
        if !seen.insert((effect, key)) {
            let path = format!("metadata.taints[{i}]");
            errors.push(FieldError::duplicate(path, taint.clone()));
        }
    }
    errors
}

/// Each address once for each of its types.
fn addresses(node: &Object) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    let all = list(field(&node.0, "status"), "addresses");
    let fresh = |address: &Value| {
        seen.insert((
            text(address, "type").to_string(),
            text(address, "address").to_string(),
        ))
    };
    let new: Vec<bool> = all.iter().map(fresh).collect();
    let again = all.iter().enumerate().filter(|(i, _)| !new[*i]);
    again
        .map(|(i, address)| {
            FieldError::duplicate(format!("status.addresses[{i}]"), address.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(value: Value) -> Object {
        let mut node = Object::from_value(value).unwrap();
        Node.default(&mut node);
        node
    }

    fn fields(errors: Vec<FieldError>) -> Vec<String> {
        errors.into_iter().map(|e| e.field).collect()
    }

    #[test]
    fn a_bare_node_is_filled() {
        let node = node(
            json!({"spec": {"podCIDR": "10.42.0.0/24"}, "status": {"capacity": {"cpu": "2"}}}),
        );
        assert_eq!(
            node.at(&["spec", "podCIDRs"]),
            Some(&json!(["10.42.0.0/24"]))
        );
        assert_eq!(
            node.at(&["status", "allocatable", "cpu"]),
            Some(&json!("2"))
        );
        assert_eq!(
            node.at(&["status", "nodeInfo", "architecture"]),
            Some(&json!(""))
        );
        assert!(Node.validate(&node).is_empty());
    }

    #[test]
    fn what_is_wrong() {
        let twice = json!({"type": "InternalIP", "address": "10.0.0.1"});
        let taint = json!({"key": "a", "effect": "NoSchedule"});
        let bad = node(json!({
            "spec": {
                "podCIDRs": ["x", "10.0.0.0/24", "10.0.0.0/24"],
                "taints": [{"key": "a", "effect": "Never"}, taint, taint, {"key": "", "value": "b c", "effect": ""}],
            },
            "status": {"addresses": [twice, twice]},
        }));
        let taints = [
            "metadata.taints[0].effect",
            "metadata.taints[2]",
            "metadata.taints[3].key",
            "metadata.taints[3].key",
            "metadata.taints[3].value",
            "metadata.taints[3].effect",
        ];
        let ranges = ["spec.podCIDRs[0]", "spec.podCIDRs", "spec.podCIDRs[2]"];
        assert_eq!(fields(Node.validate(&bad)), [&taints[..], &ranges].concat());
        assert_eq!(
            fields(Node.validate_update(&bad, &bad, "")),
            [&taints[..], &ranges, &["status.addresses[1]"], &taints].concat()
        );
        assert_eq!(
            fields(Node.validate_update(&bad, &bad, "status"))[0],
            "status.addresses[1]"
        );
    }

    #[test]
    fn resources_are_counted() {
        let capacity =
            json!({"cpu": "-1", "memory": "1500m", "pods": "1500m", "example.com/gpu": "1.5"});
        let bad = node(json!({"status": {"capacity": capacity, "allocatable": {"cpu": "1500m"}}}));
        let wrong =
            ["cpu", "example.com/gpu", "pods"].map(|name| format!("status.capacity.{name}"));
        assert_eq!(fields(Node.validate(&bad)), wrong);
        assert_eq!(fields(Node.validate_update(&bad, &bad, "status")), wrong);
    }

    #[test]
    fn what_is_set_once() {
        let spec = |cidr: &str, provider: &str| {
            node(json!({"spec": {"podCIDR": cidr, "providerID": provider}}))
        };
        let empty = node(json!({}));
        let set = spec("10.42.0.0/24", "kedge://a");
        assert!(Node.validate_update(&set, &empty, "").is_empty());
        let errors = Node.validate_update(&spec("10.42.1.0/24", "kedge://b"), &set, "");
        assert_eq!(fields(errors), ["spec.podCIDRs", "spec.providerID"]);
    }
}
