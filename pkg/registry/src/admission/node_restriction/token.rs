//! Tokens for Pods that run on the node.

use kedge_machinery::{Object, Status};
use serde_json::Value;

use super::{Refused, pod};
use crate::admission::Attributes;
use crate::value::text;

/// `request` is a TokenRequest for an account of the target's namespace.
pub(super) fn check(
    node: &str,
    attributes: &Attributes<'_>,
    request: &Object,
) -> Result<(), Refused> {
    let bound = request.at(&["spec", "boundObjectRef"]);
    let bound = bound.unwrap_or(&Value::Null);
    let [version, kind, name, uid] =
        ["apiVersion", "kind", "name", "uid"].map(|key| text(bound, key));
    if version != "v1" || kind != "Pod" || name.is_empty() {
        return Err(String::from("node requested token not bound to a pod").into());
    }
    if uid.is_empty() {
        let why = "node requested token with a pod binding without a uid";
        return Err(String::from(why).into());
    }
    let namespace = &attributes.target.namespace;
    let Some(pod) = attributes.view.object("", "pods", namespace, name)? else {
        return Err(Status::not_found("", "pod", name).into());
    };
    if pod.uid() != uid {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(why.into());
    }
    if pod::node_of(&pod) != node {
        let why = "node requested token bound to a pod scheduled on a different node";
        return Err(String::from(why).into());
    }
    Ok(())
}
