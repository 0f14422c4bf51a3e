//! Objects as `meta.k8s.io/v1` shows them: Tables for people, metadata alone for controllers.

use jiff::Timestamp;
use kedge_api::{Kind, columns};
use kedge_machinery::Object;
use serde_json::{Map, Value, json};

/// What a table's rows carry beside their cells (`includeObject`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeObject {
    None,
    /// `PartialObjectMetadata`.
    #[default]
    Metadata,
    Object,
}

/// An object's metadata alone.
#[must_use]
pub fn partial_metadata(object: &Object) -> Value {
    let metadata = object.meta().cloned().unwrap_or_default();
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
}

/// A table of objects, each given as its JSON bytes. `metadata` is the list's (`resourceVersion`, `continue`,
/// `remainingItemCount`); `definitions` false leaves the column definitions out, as a watch does after its first event.
#[must_use]
pub fn table<'a>(
    kind: &Kind,
    objects: impl IntoIterator<Item = &'a [u8]>,
    metadata: Map<String, Value>,
    now: Timestamp,
    include: IncludeObject,
    definitions: bool,
) -> Value {
    let rows: Vec<Value> = objects
        .into_iter()
        .filter_map(|bytes| {
            serde_json::from_slice(bytes)
                .ok()
                .and_then(Object::from_value)
        })
        .map(|object| row(kind, object, now, include))
        .collect();
    let definitions = if definitions {
        json!(columns::definitions(kind))
    } else {
        Value::Null
    };
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn row(kind: &Kind, object: Object, now: Timestamp, include: IncludeObject) -> Value {
    let cells = columns::cells(kind, &object, now);
    let shown = match include {
        IncludeObject::None => Value::Null,
        IncludeObject::Metadata => partial_metadata(&object),
        IncludeObject::Object => object.into_value(),
    };
    let mut row = json!({"cells": cells});
    if let (false, Some(row)) = (shown.is_null(), row.as_object_mut()) {
        row.insert("object".into(), shown);
    }
    row
}
