//! What the Pods of a node lead to.

use kedge_registry::pod_references::{Named, names};
use kedge_registry::{ListOptions, Registry};
use kedge_store::Entry;
use serde_json::Value;

/// On a Pod: a kubelet's own. What it names does not count, or a node could name what it wants to read.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// A kind of object that a node reads for its Pods' sake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Related {
    Pod,
    Secret,
    ConfigMap,
    ServiceAccount,
}

impl Related {
    /// Whether an object is a Pod of the node, or is named by one.
    pub(super) fn is_on(
        self,
        registry: &Registry,
        node: &str,
        namespace: &str,
        name: &str,
    ) -> bool {
        if self == Self::Pod {
            let pod = registry.entry("", "pods", namespace, name);
            return pod.is_some_and(|pod| on(&pod, node).is_some());
        }
        let catalog = registry.catalog();
        let Some(kind) = catalog.find("", "v1", "pods") else {
            return false;
        };
        let Ok(pods) = registry.list(kind, namespace, &ListOptions::default()) else {
            return false;
        };
        pods.items
            .iter()
            .any(|pod| says(pod, name) && self.is_named(pod, node, name))
    }

    fn is_named(self, pod: &Entry, node: &str, name: &str) -> bool {
        let Some(pod) = on(pod, node) else {
            return false;
        };
        if !pod["metadata"]["annotations"][MIRROR].is_null() {
            return false;
        }
        let spec = &pod["spec"];
        match self {
            Self::Pod => false,
            Self::Secret => names(spec, Named::Secret).contains(&name),
            Self::ConfigMap => names(spec, Named::ConfigMap).contains(&name),
            Self::ServiceAccount => spec["serviceAccountName"] == name,
        }
    }
}

/// The Pod, where it runs on the node.
fn on(pod: &Entry, node: &str) -> Option<Value> {
    if !says(pod, node) {
        return None;
    }
    let pod: Value = serde_json::from_slice(&pod.value()).ok()?;
    (pod["spec"]["nodeName"] == node).then_some(pod)
}

/// Whether an object has a text anywhere: most Pods need not be parsed. Names have nothing in them that JSON would escape.
fn says(object: &Entry, text: &str) -> bool {
    object.contains(format!("\"{text}\"").as_bytes())
}
