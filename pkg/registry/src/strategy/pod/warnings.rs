//! What is taken and may surprise (upstream: `pkg/api/pod/warnings.go`), in a Pod or in a template at a path.

mod overlaps;
mod ports;

use std::collections::BTreeSet;

use kedge_machinery::quantity::Quantity;
use serde_json::Value;

use super::CONTAINERS;
use crate::strategy::node_labels;
use crate::value::{child, int, list, pairs, present, text};

/// Annotations that say nothing any more.
const ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];
/// Sources of volumes that are on their way out, or gone.
const VOLUMES: [(&str, &str); 9] = [
    (
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    ("gitRepo", "deprecated in v1.11"),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
];
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
/// Of these a byte is the least.
const BYTES: [&str; 2] = ["memory", "ephemeral-storage"];

/// The warnings about metadata and spec of `pod`; `at` is empty for a Pod and the path of a template with a dot after it.
pub(in crate::strategy) fn warnings(at: &str, pod: &Value) -> Vec<String> {
    let (metadata, spec) = (child(pod, "metadata"), child(pod, "spec"));
    let annotated = |key: &str| child(metadata, "annotations").get(key).is_some();
    let annotation = |key: &str, said: &str| format!("{at}metadata.annotations[{key}]: {said}");
    let path = format!("{at}spec");
    let mut said = placement(&path, spec);
    for (key, why) in ANNOTATIONS.iter().filter(|(key, _)| annotated(key)) {
        said.push(annotation(key, why));
    }
    said.extend(volumes(&path, spec));
    said.extend(twice(&path, spec, "hostAliases", "ip"));
    said.extend(twice(&path, spec, "imagePullSecrets", "name"));
    for (i, secret) in list(spec, "imagePullSecrets").iter().enumerate() {
        if text(secret, "name").is_empty() {
            said.push(format!(
                "{path}.imagePullSecrets[{i}].name: invalid empty name \"\""
            ));
        }
    }
    said.extend(fractions(
        &format!("{path}.overhead"),
        child(spec, "overhead"),
    ));
    let context = child(spec, "securityContext");
    if present(context, "seccompProfile").is_none() && annotated(SECCOMP_POD) {
        said.push(annotation(SECCOMP_POD, SECCOMP));
    }
    for (place, item) in containers(&path, spec) {
        let own = child(item, "securityContext");
        let name = text(item, "name");
        let seccomp = format!("{SECCOMP_CONTAINER}{name}");
        if present(own, "seccompProfile").is_none() && annotated(&seccomp) {
            said.push(annotation(&seccomp, SECCOMP));
        }
        let armor = format!("{APP_ARMOR}{name}");
        let has_field = [context, own]
            .iter()
            .any(|c| present(c, "appArmorProfile").is_some());
        if !has_field && annotated(&armor) {
            let why = "deprecated since v1.30; use the \"appArmorProfile\" field instead";
            said.push(annotation(&armor, why));
        }
        for part in ["limits", "requests"] {
            let amounts = child(child(item, "resources"), part);
            said.extend(fractions(&format!("{place}.resources.{part}"), amounts));
        }
        said.extend(hidden_variables(&place, item));
    }
    let all = containers(&path, spec);
    said.extend(ports::ports(&all));
    said.extend(ports::names(&path, &all));
    if int(spec, "terminationGracePeriodSeconds") < 0 {
        said.push(format!(
            "{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        ));
    }
    said.extend(affinity_terms(&path, spec));
    said
}

/// Containers of every sort with their paths, in the order that upstream visits them.
fn containers<'a>(at: &str, spec: &'a Value) -> Vec<(String, &'a Value)> {
    let order = [CONTAINERS[1], CONTAINERS[0], CONTAINERS[2]];
    let all = order.iter().flat_map(|key| {
        let items = list(spec, key).iter().enumerate();
        items.map(move |(i, item)| (format!("{at}.{key}[{i}]"), item))
    });
    all.collect()
}

/// Labels of nodes by their older names, and selectors that are null.
fn placement(at: &str, spec: &Value) -> Vec<String> {
    let mut said = Vec::new();
    for (key, _) in pairs(spec, "nodeSelector") {
        said.extend(
            node_labels::deprecated(key).map(|why| format!("{at}.nodeSelector[{key}]: {why}")),
        );
    }
    let nodes = child(child(spec, "affinity"), "nodeAffinity");
    let at_nodes = format!("{at}.affinity.nodeAffinity");
    let required = list(child(nodes, REQUIRED), "nodeSelectorTerms")
        .iter()
        .enumerate();
    for (i, term) in required {
        let at = format!("{at_nodes}.{REQUIRED}.nodeSelectorTerms[{i}]");
        said.extend(node_labels::of_term(&at, term));
    }
    for (i, term) in list(nodes, PREFERRED).iter().enumerate() {
        let at = format!("{at_nodes}.{PREFERRED}[{i}].preference");
        said.extend(node_labels::of_term(&at, child(term, "preference")));
    }
    for (i, spread) in list(spec, "topologySpreadConstraints").iter().enumerate() {
        let at = format!("{at}.topologySpreadConstraints[{i}]");
        let key = text(spread, "topologyKey");
        said.extend(
            node_labels::deprecated(key).map(|why| format!("{at}.topologyKey: {key} is {why}")),
        );
        said.extend(null_selector(&at, spread));
    }
    said
}

fn null_selector(at: &str, term: &Value) -> Option<String> {
    let why = "a null labelSelector results in matching no pod";
    let absent = present(term, "labelSelector").is_none();
    absent.then(|| format!("{at}.labelSelector: {why}"))
}

fn affinity_terms(at: &str, spec: &Value) -> Vec<String> {
    let mut said = Vec::new();
    for kind in ["podAffinity", "podAntiAffinity"] {
        let affinity = child(child(spec, "affinity"), kind);
        let at = format!("{at}.affinity.{kind}");
        for (i, term) in list(affinity, REQUIRED).iter().enumerate() {
            said.extend(null_selector(&format!("{at}.{REQUIRED}[{i}]"), term));
        }
        for (i, term) in list(affinity, PREFERRED).iter().enumerate() {
            let at = format!("{at}.{PREFERRED}[{i}].podAffinityTerm");
            said.extend(null_selector(&at, child(term, "podAffinityTerm")));
        }
    }
    said
}

fn volumes(at: &str, spec: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let all = list(spec, "volumes");
    for (i, volume) in all.iter().enumerate() {
        for (source, why) in VOLUMES.iter().filter(|(s, _)| present(volume, s).is_some()) {
            // Upstream spells one of them otherwise.
            let shown = source.replace("storageos", "storageOS");
            said.push(format!("{at}.volumes[{i}].{shown}: {why}"));
        }
        let template = child(child(volume, "ephemeral"), "volumeClaimTemplate");
        let asked = child(child(child(template, "spec"), "resources"), "requests");
        let at = format!("{at}.volumes[{i}].ephemeral.volumeClaimTemplate.spec");
        said.extend(fraction(
            &format!("{at}.resources.requests"),
            asked,
            "storage",
        ));
    }
    said.extend(overlaps::overlaps(all));
    said
}

/// Items of a list whose key an earlier one has.
fn twice(at: &str, spec: &Value, field: &str, key: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let again = list(spec, field)
        .iter()
        .enumerate()
        .filter_map(|(i, item)| {
            let value = text(item, key);
            (!seen.insert(value))
                .then(|| format!("{at}.{field}[{i}].{key}: duplicate {key} \"{value}\""))
        });
    again.collect()
}

/// Parts of a byte.
fn fractions(at: &str, amounts: &Value) -> Vec<String> {
    let bytes = BYTES.iter();
    bytes
        .filter_map(|name| fraction(at, amounts, name))
        .collect()
}

fn fraction(at: &str, amounts: &Value, name: &str) -> Option<String> {
    let amount = text(amounts, name);
    let broken = Quantity::parse(amount).is_ok_and(|amount| !amount.is_whole());
    broken.then(|| {
        format!("{at}[{name}]: fractional byte value \"{amount}\" is invalid, must be an integer")
    })
}

/// A variable that is set again hides the first, unless it builds on it.
fn hidden_variables(at: &str, container: &Value) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let hiding = list(container, "env").iter().enumerate().filter_map(|(i, variable)| {
        let (name, value) = (text(variable, "name"), text(variable, "value"));
        if seen.insert(name) {
            return None;
        }
        let reference = format!("$({name})");
        let builds = present(variable, "valueFrom").is_none()
            && value != reference
            && value.contains(&reference);
        (!builds).then(|| {
            format!("{at}.env[{i}]: hides previous definition of \"{name}\", which may be dropped when using apply")
        })
    });
    hiding.collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn with(more: Value) -> Value {
        let mut spec = json!({"containers": [{"name": "c", "image": "i"}]});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"metadata": {}, "spec": spec})
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"nodeSelector": {"beta.kubernetes.io/os": "linux"}}), &["nodeSelector[beta.kubernetes.io/os]"])]
    #[case(json!({"topologySpreadConstraints": [{"topologyKey": "beta.kubernetes.io/arch"}]}), &[
        "topologySpreadConstraints[0].topologyKey", "topologySpreadConstraints[0].labelSelector",
    ])]
    #[case(json!({"volumes": [{"name": "v", "gitRepo": {}}]}), &["volumes[0].gitRepo"])]
    #[case(json!({"hostAliases": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}]}), &["hostAliases[1].ip"])]
    #[case(json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}, {}]}), &["imagePullSecrets[1].name", "imagePullSecrets[2].name"])]
    #[case(json!({"overhead": {"memory": "100m"}}), &["overhead[memory]"])]
    #[case(json!({"terminationGracePeriodSeconds": -1}), &["terminationGracePeriodSeconds"])]
    #[case(
        json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "k"}]}}}),
        &["affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector"]
    )]
    #[case(json!({"volumes": [{"name": "v", "storageos": {}}]}), &["volumes[0].storageOS"])]
    #[case(
        json!({"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {"resources": {"requests": {"storage": "200m"}}}}}}]}),
        &["volumes[0].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]"]
    )]
    fn about_the_spec(#[case] more: Value, #[case] about: &[&str]) {
        let said = warnings("", &with(more));
        let found: Vec<&str> = said
            .iter()
            .filter_map(|s| {
                s.split_once(": ")
                    .map(|(path, _)| path.trim_start_matches("spec."))
            })
            .collect();
        assert_eq!(found, about);
    }

    #[rstest]
    #[case(json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]}), None)]
    #[case(json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)"}]}), Some("hides previous definition of \"A\""))]
    #[case(json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "valueFrom": {}}]}), Some("hides previous"))]
    #[case(json!({"resources": {"limits": {"memory": "0.5"}}}), Some("fractional byte value \"0.5\""))]
    fn about_a_container(#[case] container: Value, #[case] about: Option<&str>) {
        let said = warnings("", &with(json!({"containers": [container]})));
        match about {
            Some(text) => assert!(said.len() == 1 && said[0].contains(text), "{said:?}"),
            None => assert!(said.is_empty(), "{said:?}"),
        }
    }

    #[test]
    fn annotations_of_a_template() {
        let mut template = with(json!({}));
        template["metadata"] = json!({"annotations": {
            "scheduler.alpha.kubernetes.io/critical-pod": "", SECCOMP_POD: "x",
            "container.apparmor.security.beta.kubernetes.io/c": "y",
        }});
        let said = warnings("spec.template.", &template);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(
            said.iter()
                .all(|s| s.starts_with("spec.template.metadata.annotations["))
        );
    }
}
