//! Field selectors: which fields of a kind may be selected on, and their values. The lists are those of the
//! conversions and strategies of kube-apiserver 1.36 (`pkg/apis/core/v1/conversion.go`, `pkg/registry/core`).

use kedge_machinery::Object;
use serde_json::Value;

use crate::Kind;
use crate::json_path::JsonPath;

/// What clients of the first v1 call `spec.nodeName`.
const OLD_NODE_NAME: &str = "spec.host";
/// May be asked for, but no Pod has a value of it.
const POD_ADDRESSES: &str = "status.podIPs";

/// True for a field that a selector may name.
#[must_use]
pub fn is_selectable(kind: &Kind, field: &str) -> bool {
    builtin(kind).contains(&field) || custom_path(kind, field).is_some()
}

/// True where upstream knows more of the kind's fields than that all have a name and may have a namespace: other kinds are refused in other
/// words, and asked for a namespace though they have none.
#[must_use]
pub fn has_own_labels(kind: &Kind) -> bool {
    let is_foreign = kind.custom.is_some() || kind.group == "metallb.io";
    let mut fields = builtin(kind).iter();
    is_foreign || fields.any(|field| !field.starts_with("metadata."))
}

/// Where a definition says that a field is (KEP-4358).
fn custom_path<'a>(kind: &'a Kind, field: &str) -> Option<&'a JsonPath> {
    let mut paths = kind.custom.as_ref()?.selectable.iter();
    paths.find(|path| path.text().strip_prefix('.') == Some(field))
}

/// Field labels of a kind, `metadata.name` first.
fn builtin(kind: &Kind) -> &'static [&'static str] {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Pod") => &[
            "metadata.name",
            "metadata.namespace",
            "spec.nodeName",
            OLD_NODE_NAME,
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            POD_ADDRESSES,
            "status.nominatedNodeName",
        ],
        ("", "Event") => &[
            "metadata.name",
            "metadata.namespace",
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "Event") => &[
            "metadata.name",
            "metadata.namespace",
            "reason",
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reportingController",
            "type",
        ],
        ("apps", "ReplicaSet") => &["metadata.name", "metadata.namespace", "status.replicas"],
        ("batch", "Job") => &["metadata.name", "metadata.namespace", "status.successful"],
        ("certificates.k8s.io", "CertificateSigningRequest") => {
            &["metadata.name", "spec.signerName"]
        }
        ("", "Secret") => &["metadata.name", "metadata.namespace", "type"],
        ("", "Service") => &[
            "metadata.name",
            "metadata.namespace",
            "spec.clusterIP",
            "spec.type",
        ],
        ("", "Node") => &["metadata.name", "spec.unschedulable"],
        ("", "Namespace") => &["metadata.name", "status.phase"],
        _ if kind.namespaced => &["metadata.name", "metadata.namespace"],
        _ => &["metadata.name"],
    }
}

/// The value that a selector compares, empty where the object has none; `None` when the kind does not know the field.
#[must_use]
pub fn field_value(kind: &Kind, object: &Object, field: &str) -> Option<String> {
    if let Some(path) = custom_path(kind, field) {
        let names = path.fields().unwrap_or_default();
        return Some(match object.at(&names) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        });
    }
    if !builtin(kind).contains(&field) {
        return None;
    }
    let path = |field: &str| object.at(&field.split('.').collect::<Vec<_>>());
    let text = |field: &str| {
        path(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_string()
    };
    let number = |field: &str| {
        path(field)
            .and_then(Value::as_i64)
            .unwrap_or_default()
            .to_string()
    };
    Some(match (kind.kind.as_str(), field) {
        ("Event", "source") => match text("source.component") {
            component if component.is_empty() => text("reportingComponent"),
            component => component,
        },
        ("Pod", OLD_NODE_NAME) => text("spec.nodeName"),
        ("Pod", POD_ADDRESSES) => String::new(),
        // Upstream's names for what has another name elsewhere.
        (_, "status.replicas") => number("status.replicas"),
        (_, "status.successful") => number("status.succeeded"),
        // Not said is false.
        (_, "spec.hostNetwork" | "spec.unschedulable") => path(field)
            .and_then(Value::as_bool)
            .unwrap_or_default()
            .to_string(),
        _ => text(field),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;
    use serde_json::json;

    fn value(kind: &str, object: Value, field: &str) -> Option<String> {
        let catalog = Catalog::builtin();
        let kind = catalog.find_kind("", "v1", kind).unwrap();
        field_value(kind, &Object::from_value(object).unwrap(), field)
    }

    #[test]
    fn a_field_that_is_not_said_is_empty_and_an_unknown_one_is_none() {
        let pod =
            json!({ "metadata": { "name": "a", "namespace": "b" }, "spec": { "nodeName": "n" } });
        assert_eq!(
            value("Pod", pod.clone(), "metadata.namespace").as_deref(),
            Some("b")
        );
        assert_eq!(
            value("Pod", pod.clone(), "spec.nodeName").as_deref(),
            Some("n")
        );
        assert_eq!(value("Pod", pod.clone(), "spec.host").as_deref(), Some("n"));
        assert_eq!(
            value("Pod", pod.clone(), "status.podIPs").as_deref(),
            Some("")
        );
        assert_eq!(
            value("Pod", pod.clone(), "status.phase").as_deref(),
            Some("")
        );
        assert_eq!(
            value("Pod", pod.clone(), "spec.hostNetwork").as_deref(),
            Some("false")
        );
        assert_eq!(value("Pod", pod, "spec.containers"), None);
        assert_eq!(value("ConfigMap", json!({}), "data.a"), None);
        assert_eq!(value("Node", json!({}), "metadata.namespace"), None);
    }

    #[test]
    fn the_source_of_an_event_is_its_component() {
        let old = json!({ "source": { "component": "kubelet" } });
        let new = json!({ "reportingComponent": "kubelet", "source": {} });
        assert_eq!(value("Event", old, "source").as_deref(), Some("kubelet"));
        assert_eq!(value("Event", new, "source").as_deref(), Some("kubelet"));
    }
}
