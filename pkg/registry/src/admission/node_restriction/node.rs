//! Of Nodes, its own alone, and of that neither taints nor labels that steer work.

use std::collections::BTreeMap;

use kedge_machinery::Object;
use serde_json::Value;

use crate::admission::{Attributes, Operation};

/// Labels that nodes set of themselves (`staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go`).
const OWN_LABELS: [&str; 11] = [
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "kubernetes.io/os",
    "kubernetes.io/arch",
];
/// Prefixes under which they set any.
const OWN_PREFIXES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];
/// The prefix that is kept from them.
const KEPT_PREFIX: &str = "node-restriction.kubernetes.io";

pub(super) fn check(
    name: &str,
    attributes: &Attributes<'_>,
    object: Option<&Object>,
) -> Result<(), String> {
    let asked = &attributes.target.name;
    if asked != name {
        return Err(format!(
            "node {name:?} is not allowed to modify node {asked:?}"
        ));
    }
    let Some(node) = object else { return Ok(()) };
    match (attributes.operation, attributes.old) {
        (Operation::Create, _) => create(name, node),
        (Operation::Update, Some(old)) => update(name, node, old),
        _ => Ok(()),
    }
}

fn create(name: &str, node: &Object) -> Result<(), String> {
    if part(node, &["spec", "configSource"]).is_some() {
        return Err(format!(
            "node {name:?} is not allowed to create pods with a non-nil configSource"
        ));
    }
    let none = Object::default();
    let labels = forbidden(&changed(node, &none));
    if labels.is_empty() {
        return Ok(());
    }
    Err(format!(
        "node {name:?} is not allowed to set the following labels: {}",
        labels.join(", ")
    ))
}

fn update(name: &str, node: &Object, old: &Object) -> Result<(), String> {
    let source = ["spec", "configSource"];
    if part(node, &source).is_some() && part(node, &source) != part(old, &source) {
        return Err(format!(
            "node {name:?} is not allowed to update configSource to a new non-nil configSource"
        ));
    }
    let owners = ["metadata", "ownerReferences"];
    if part(node, &owners) != part(old, &owners) {
        return Err(format!(
            "node {name:?} is not allowed to modify ownerReferences"
        ));
    }
    let taints = ["spec", "taints"];
    if part(node, &taints) != part(old, &taints) {
        return Err(format!("node {name:?} is not allowed to modify taints"));
    }
    let labels = forbidden(&changed(node, old));
    if labels.is_empty() {
        return Ok(());
    }
    Err(format!(
        "is not allowed to modify labels: {}",
        labels.join(", ")
    ))
}

/// A field that says something: an empty list is as good as none.
fn part<'a>(object: &'a Object, path: &[&str]) -> Option<&'a Value> {
    object
        .at(path)
        .filter(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
}

/// The keys of labels that one has and the other has not, or otherwise; sorted.
fn changed<'a>(new: &'a Object, old: &'a Object) -> Vec<&'a str> {
    let (new, old): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (new.labels().collect(), old.labels().collect());
    let mut keys: Vec<&str> = new.keys().chain(old.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| new.get(key) != old.get(key));
    keys
}

fn forbidden<'a>(labels: &[&'a str]) -> Vec<&'a str> {
    let prefix = |label: &'a str| label.split_once('/').map_or("", |(prefix, _)| prefix);
    let mut labels = labels.to_vec();
    labels.retain(|label| {
        let prefix = prefix(label);
        let kubernetes = is_below(prefix, "kubernetes.io") || is_below(prefix, "k8s.io");
        let own = OWN_LABELS.contains(label) || OWN_PREFIXES.iter().any(|p| is_below(prefix, p));
        is_below(prefix, KEPT_PREFIX) || (kubernetes && !own)
    });
    labels
}

/// A domain, or one in it.
fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn node(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    #[rstest]
    #[case("mine", true)]
    #[case("example.com/mine", true)]
    #[case("kubernetes.io/hostname", true)]
    #[case("node.kubernetes.io/anything", true)]
    #[case("sub.kubelet.kubernetes.io/anything", true)]
    #[case("node-role.kubernetes.io/control-plane", false)]
    #[case("node-restriction.kubernetes.io/pci", false)]
    #[case("a.node-restriction.kubernetes.io/pci", false)]
    #[case("kubernetes.io/other", false)]
    #[case("x.k8s.io/other", false)]
    #[case("notk8s.io/other", true)]
    fn labels(#[case] label: &str, #[case] allowed: bool) {
        let new = node(json!({"metadata": {"labels": {label: "x"}}}));
        assert_eq!(create("n", &new).is_ok(), allowed);
        assert_eq!(update("n", &new, &Object::default()).is_ok(), allowed);
        assert_eq!(update("n", &Object::default(), &new).is_ok(), allowed);
        assert!(update("n", &new, &new).is_ok());
    }

    #[rstest]
    #[case(json!({"spec": {"taints": [{"key": "a"}]}}), "node \"n\" is not allowed to modify taints")]
    #[case(json!({"metadata": {"ownerReferences": [{"name": "a"}]}}), "node \"n\" is not allowed to modify ownerReferences")]
    #[case(json!({"metadata": {"labels": {"k8s.io/b": "", "k8s.io/a": ""}}}), "is not allowed to modify labels: k8s.io/a, k8s.io/b")]
    fn what_stays(#[case] changed: Value, #[case] expected: &str) {
        let (old, new) = (node(json!({"spec": {"taints": []}})), node(changed));
        assert_eq!(update("n", &new, &old).unwrap_err(), expected);
        assert!(update("n", &new, &new).is_ok());
    }
}
