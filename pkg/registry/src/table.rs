//! Objects as `meta.k8s.io` shows them: Tables for people, metadata alone for controllers.

use jiff::Timestamp;
use kedge_api::{Kind, columns};
use kedge_machinery::Object;
use serde_json::{Map, Value, json};

/// The versions that Tables and partial metadata have: one form under two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetaVersion {
    #[default]
    V1,
    V1Beta1,
}

impl MetaVersion {
    /// Reads `v1` or `v1beta1`.
    #[must_use]
    pub fn parse(version: &str) -> Option<Self> {
        match version {
            "v1" => Some(Self::V1),
            "v1beta1" => Some(Self::V1Beta1),
            _ => None,
        }
    }

    /// The `apiVersion` of what is made in it.
    #[must_use]
    pub fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "meta.k8s.io/v1",
            Self::V1Beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

/// What a table's rows carry beside their cells (`includeObject`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeObject {
    None,
    /// `PartialObjectMetadata`.
    #[default]
    Metadata,
    Object,
}

/// How a table is made.
#[derive(Debug, Clone, Copy)]
pub struct TableOptions {
    pub version: MetaVersion,
    pub include: IncludeObject,
    /// Ages are told as of then.
    pub now: Timestamp,
}

/// A table of objects, each given as its JSON bytes. `metadata` is the list's (`resourceVersion`, `continue`,
/// `remainingItemCount`); `definitions` false leaves the column definitions out, as a watch does after its first event.
#[must_use]
pub fn table<'a>(
    kind: &Kind,
    objects: impl IntoIterator<Item = &'a [u8]>,
    metadata: Map<String, Value>,
    options: TableOptions,
    definitions: bool,
) -> Value {
    let rows: Vec<Value> = objects
        .into_iter()
        .filter_map(|bytes| {
            serde_json::from_slice(bytes)
                .ok()
                .and_then(Object::from_value)
        })
        .map(|object| row(kind, object, options))
        .collect();
    let definitions = if definitions {
        json!(columns::definitions(kind))
    } else {
        Value::Null
    };
    json!({
        "kind": "Table", "apiVersion": options.version.api_version(), "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn row(kind: &Kind, object: Object, options: TableOptions) -> Value {
    let cells = columns::cells(kind, &object, options.now);
    let conditions = columns::conditions(kind, &object);
    let shown = match options.include {
        IncludeObject::None => Value::Null,
        IncludeObject::Metadata => json!({
            "kind": "PartialObjectMetadata", "apiVersion": options.version.api_version(),
            "metadata": object.meta().cloned().unwrap_or_default(),
        }),
        IncludeObject::Object => object.into_value(),
    };
    let mut row = Map::from_iter([("cells".to_string(), cells.into())]);
    row.extend(conditions.map(|conditions| ("conditions".to_string(), conditions)));
    if !shown.is_null() {
        row.insert("object".into(), shown);
    }
    row.into()
}
