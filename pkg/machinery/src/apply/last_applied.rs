//! The annotation of client-side apply, and the way from it to server-side apply without conflicts.

use serde_json::Value;

use super::Context;
use crate::Object;
use crate::meta_validate::ANNOTATIONS_MAX;
use crate::object::child_mut;

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The only manager that goes this way; another one keeps its conflicts.
const KUBECTL: &str = "kubectl";

/// The fields that kubectl applied from the client's side, where they still have the value that it gave them.
pub(super) fn fields(context: &Context<'_>, live: &Object) -> Vec<String> {
    let applied = live
        .annotations()
        .find(|(key, _)| *key == ANNOTATION)
        .map(|(_, text)| text);
    let Some(applied) = applied.filter(|_| context.manager == KUBECTL) else {
        return Vec::new();
    };
    let applied = serde_json::from_str::<Value>(applied).unwrap_or_default();
    if applied.get("apiVersion").and_then(Value::as_str) != Some(context.api_version.as_str()) {
        return Vec::new();
    }
    let (typed, schema) = (context.typed(), context.schema);
    let set = typed.fields(schema, &applied);
    // Laid over the live object, what is still as it was applied changes nothing.
    let live = super::tree(live.clone());
    let difference = typed.compare(schema, &live, &typed.merge(Some(schema), &live, &applied));
    set.difference(&difference.modified)
        .difference(&difference.added)
        .paths()
}

/// Keeps the annotation in step, for whoever goes back to client-side apply. It goes when it has become too large to keep.
pub(super) fn refresh(context: &Context<'_>, object: &mut Object, config: &Object) {
    let there = object
        .annotations()
        .any(|(key, text)| key == ANNOTATION && !text.is_empty());
    if !there || context.manager != KUBECTL || !context.subresource.is_empty() {
        return;
    }
    let mut config = config.clone();
    if let Some(Value::Object(annotations)) = config.meta_mut().get_mut("annotations") {
        annotations.remove(ANNOTATION);
    }
    // The newline is what Kubernetes' encoder ends a document with, and kubectl compares the text.
    let text = format!("{}\n", config.into_value());
    let others = object.annotations().filter(|(key, _)| *key != ANNOTATION);
    let size: usize = others.map(|(key, value)| key.len() + value.len()).sum();
    let annotations = child_mut(object.meta_mut(), "annotations");
    if size + ANNOTATION.len() + text.len() > ANNOTATIONS_MAX {
        annotations.remove(ANNOTATION);
    } else {
        annotations.insert(ANNOTATION.into(), text.into());
    }
}
