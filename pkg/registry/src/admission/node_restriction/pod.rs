//! Of Pods, the mirrors of its own, and the status and end of those that run on it.

use kedge_machinery::{Object, Status};
use serde_json::Value;

use super::Refused;
use crate::admission::{Attributes, Operation};
use crate::pod_references::{Named, names};
use crate::strategy::pod::MIRROR;
use crate::value::{flag, list, text};

pub(super) fn check(
    node: &str,
    attributes: &Attributes<'_>,
    object: Option<&Object>,
) -> Result<(), Refused> {
    match (
        attributes.target.subresource.as_str(),
        object,
        attributes.old,
    ) {
        ("", Some(pod), None) => create(node, attributes, pod),
        ("", None, Some(old)) if node_of(old) != node => {
            let why =
                format!("node {node:?} can only delete pods with spec.nodeName set to itself");
            Err(why.into())
        }
        ("", None, _) => Ok(()),
        ("", _, _) => Err(format!(
            "unexpected operation {:?}, node {node:?} can only create and delete mirror pods",
            name(attributes.operation)
        )
        .into()),
        ("status", Some(new), Some(old)) => status(node, new, old).map_err(Into::into),
        ("eviction", ..) => match attributes.old {
            Some(old) if node_of(old) != node => Err(format!(
                "node {node} can only evict pods with spec.nodeName set to itself"
            )
            .into()),
            _ => Ok(()),
        },
        (other, ..) => Err(format!(
            "unexpected pod subresource {other:?}, only 'status' and 'eviction' are allowed"
        )
        .into()),
    }
}

fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
    }
}

pub(super) fn node_of(pod: &Object) -> &str {
    pod.at(&["spec", "nodeName"])
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn create(node: &str, attributes: &Attributes<'_>, pod: &Object) -> Result<(), Refused> {
    if !pod.annotations().any(|(key, _)| key == MIRROR) {
        let why = format!(
            "pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods"
        );
        return Err(why.into());
    }
    if node_of(pod) != node {
        let why = format!("node {node:?} can only create pods with spec.nodeName set to itself");
        return Err(why.into());
    }
    owner(node, attributes, pod)?;
    match foreign(pod) {
        Some(what) => {
            Err(format!("node {node:?} can not create pods that reference {what}").into())
        }
        None => Ok(()),
    }
}

/// The mirror belongs to the Node itself.
fn owner(node: &str, attributes: &Attributes<'_>, pod: &Object) -> Result<(), Refused> {
    let owners = pod.at(&["metadata", "ownerReferences"]);
    let owners = owners.and_then(Value::as_array).map(Vec::as_slice);
    let owner = match owners.unwrap_or_default() {
        [] => None,
        [one] => Some(one),
        _ => {
            let why = format!(
                "node {node:?} can only create pods with a single owner reference set to itself"
            );
            return Err(why.into());
        }
    };
    let of_node = |owner: &&Value| {
        text(owner, "apiVersion") == "v1"
            && text(owner, "kind") == "Node"
            && text(owner, "name") == node
    };
    let Some(owner) = owner.filter(of_node) else {
        let why =
            format!("node {node:?} can only create pods with an owner reference set to itself");
        return Err(why.into());
    };
    if !flag(owner, "controller") {
        let why = format!(
            "node {node:?} can only create pods with a controller owner reference set to itself"
        );
        return Err(why.into());
    }
    if flag(owner, "blockOwnerDeletion") {
        let why = format!("node {node:?} must not set blockOwnerDeletion on an owner reference");
        return Err(why.into());
    }
    let uid = text(owner, "uid");
    match attributes.view.object("", "nodes", "", node)? {
        None => Err(Status::not_found("", "node", node).into()),
        Some(own) if own.uid() != uid => {
            Err(format!("node {node} UID mismatch: expected {uid} got {}", own.uid()).into())
        }
        Some(_) => Ok(()),
    }
}

/// What a mirror names beside itself: a node must not come to read an object by naming it.
fn foreign(pod: &Object) -> Option<&'static str> {
    let spec = pod.0.get("spec").unwrap_or(&Value::Null);
    let volumes = list(spec, "volumes");
    let bundle = |source: &Value| {
        source
            .get("clusterTrustBundle")
            .is_some_and(|v| !v.is_null())
    };
    let projected = |volume: &Value| {
        let projected = volume.get("projected").unwrap_or(&Value::Null);
        list(projected, "sources").iter().any(bundle)
    };
    if !text(spec, "serviceAccountName").is_empty() {
        Some("a service account")
    } else if !names(spec, Named::Secret).is_empty() {
        Some("secrets")
    } else if !names(spec, Named::ConfigMap).is_empty() {
        Some("configmaps")
    } else if volumes.iter().any(projected) {
        Some("clustertrustbundles")
    } else if volumes.iter().any(|volume| {
        volume
            .get("persistentVolumeClaim")
            .is_some_and(|v| !v.is_null())
    }) {
        Some("persistentvolumeclaims")
    } else {
        None
    }
}

fn status(node: &str, new: &Object, old: &Object) -> Result<(), String> {
    if node_of(old) != node {
        return Err(format!(
            "node {node:?} can only update pod status for pods with spec.nodeName set to itself"
        ));
    }
    if !new.labels().eq(old.labels()) {
        return Err(format!(
            "node {node:?} cannot update labels through pod status"
        ));
    }
    let claims = ["status", "resourceClaimStatuses"];
    if new.at(&claims) != old.at(&claims) {
        return Err(format!(
            "node {node:?} cannot update resource claim statues"
        ));
    }
    Ok(())
}
