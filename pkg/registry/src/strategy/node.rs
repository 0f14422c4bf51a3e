//! Nodes.

mod annotations;
mod features;

use std::collections::BTreeSet;

use kedge_machinery::object::child_mut;
use kedge_machinery::quantity::Quantity;
use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, Object, names};
use serde_json::{Value, json};

use super::Strategy;
use crate::check;
use crate::value::{default, field, is_empty, list, pairs, present, structs_mut, text, texts};

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

/// In the order in which upstream tells them.
const TAINT_EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
/// Upstream's path begins so.
const TAINTS: &str = "metadata.taints";

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
        for image in structs_mut(status, "images") {
            image.entry("names").or_insert(Value::Null);
        }
        for handler in structs_mut(status, "runtimeHandlers") {
            handler.entry("name").or_insert("".into());
        }
        // Where both are given and differ, the one stands: who knows no list patches that.
        let spec = child_mut(&mut object.0, "spec");
        let first = field(spec, "podCIDRs").get(0).cloned();
        let only = Some(field(spec, "podCIDR").clone()).filter(|v| !is_empty(v));
        match (first, only) {
            (Some(first), None) => default(spec, "podCIDR", first),
            (first, Some(only)) if first.as_ref() != Some(&only) => {
                spec.insert("podCIDRs".into(), json!([only]));
            }
            _ => {}
        }
    }

    /// Where a kubelet has its configuration from is said elsewhere since 1.24.
    fn prepare_create(&self, new: &mut Object) {
        child_mut(&mut new.0, "spec").remove("configSource");
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        let (part, key) = match subresource {
            "" => ("spec", "configSource"),
            _ => ("status", "config"),
        };
        if old.at(&[part, key]).is_none_or(Value::is_null) {
            child_mut(&mut new.0, part).remove(key);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let mut errors = annotations::annotations(object);
        errors.extend(taints(TAINTS, list(spec, "taints")));
        errors.extend(resources(object));
        let cidrs = texts(spec, "podCIDRs");
        for (i, cidr) in cidrs.iter().enumerate() {
            errors.extend(check::cidr(&format!("spec.podCIDRs[{i}]"), cidr));
        }
        errors.extend(families(&cidrs));
        for (i, cidr) in cidrs.iter().enumerate() {
            if cidrs[..i].contains(cidr) {
                errors.push(FieldError::duplicate(format!("spec.podCIDRs[{i}]"), *cidr));
            }
        }
        errors
    }

    /// Upstream looks at taints and resources once as those of a Node, and once as those of a changed one.
    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = annotations::annotations(new);
        errors.extend(resources(new));
        errors.extend(addresses(new));
        errors.extend(features::features(new));
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
        errors.extend(taints(TAINTS, list(is, "taints")));
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
            errors.extend(check::resource::amount(&path, name, quantity));
        }
    }
    errors
}

/// Two ranges are of two families.
fn families(cidrs: &[&str]) -> Vec<FieldError> {
    const AT: &str = "spec.podCIDRs";
    if cidrs.len() < 2 {
        return Vec::new();
    }
    let mut errors = Vec::new();
    let parsed = cidrs.iter().map(|cidr| check::loose_net(cidr));
    let parsed: Vec<_> = parsed.collect();
    if let Some(broken) = parsed.iter().position(Option::is_none) {
        // The words are those of Go's libraries.
        let why = format!(
            "invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[{broken}]: <nil> (invalid CIDR address: {})",
            cidrs[broken]
        );
        errors.push(FieldError::new(FieldErrorKind::Internal, AT, None, why));
    }
    let ipv6 = parsed.iter().flatten().filter(|net| net.addr().is_ipv6());
    if !errors.is_empty() || cidrs.len() > 2 || ipv6.count() != 1 {
        let detail = "may specify no more than one CIDR for each IP family";
        errors.push(FieldError::invalid(AT, json!(cidrs), detail));
    }
    errors
}

/// What is wrong with taints, which stand at `path`.
fn taints(path: &str, taints: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, taint) in taints.iter().enumerate() {
        let at = |key: &str| format!("{path}[{i}].{key}");
        let [key, value, effect] = ["key", "value", "effect"].map(|name| text(taint, name));
        errors.extend(check::qualified_name(&at("key"), key));
        let wrong = names::label_value(value);
        if !wrong.is_empty() {
            errors.push(FieldError::invalid(at("value"), value, wrong.join(";")));
        }
        errors.extend(check::one_of(&at("effect"), effect, TAINT_EFFECTS));
        if !seen.insert((effect, key)) {
            let added = taint.get("timeAdded").cloned();
            let shown = check::go_struct([
                ("Key", key.into()),
                ("Value", value.into()),
                ("Effect", effect.into()),
                ("TimeAdded", added.unwrap_or_default()),
            ]);
            let detail = format!("{shown}: taints must be unique by key and effect pair");
            let at = format!("{path}[{i}]");
            errors.push(FieldError::new(FieldErrorKind::Duplicate, at, None, detail));
        }
    }
    errors
}

/// Each address once for each of its types.
fn addresses(node: &Object) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    let all = list(field(&node.0, "status"), "addresses");
    for (i, item) in all.iter().enumerate() {
        let [kind, address] = ["type", "address"].map(|key| text(item, key));
        if !seen.insert((kind, address)) {
            let shown = check::go_struct([("Type", kind.into()), ("Address", address.into())]);
            let at = format!("status.addresses[{i}]");
            errors.push(FieldError::new(FieldErrorKind::Duplicate, at, None, shown));
        }
    }
    errors
}

#[cfg(test)]
mod tests;
