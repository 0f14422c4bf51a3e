//! What a list holds: objects as they are, their metadata alone, or rows of a Table. Each is made from the stored
//! bytes of one object at a time.

use std::sync::Arc;

use kedge_api::Kind;
use kedge_machinery::json;
use kedge_registry::table::table;
use kedge_registry::{MetaVersion, Page, TableOptions};
use serde_json::{Map, Value};

use crate::members;

/// The form of a list's items.
#[derive(Clone)]
pub(crate) enum Items {
    Whole,
    Partial(MetaVersion),
    Rows {
        kind: Arc<Kind>,
        options: TableOptions,
    },
}

impl Items {
    /// The list but for its items.
    pub(super) fn envelope(&self, kind: &Kind, page: &Page) -> Map<String, Value> {
        let typed = |kind: String, version: String| {
            Map::from_iter([
                ("apiVersion".to_string(), version.into()),
                ("kind".to_string(), kind.into()),
                ("metadata".to_string(), Value::Object(metadata(page))),
            ])
        };
        match self {
            Self::Whole => typed(kind.list_kind(), kind.api_version()),
            Self::Partial(version) => typed(
                "PartialObjectMetadataList".into(),
                version.api_version().into(),
            ),
            Self::Rows { kind, options } => {
                let mut table = table(kind, [], metadata(page), *options, true);
                table
                    .as_object_mut()
                    .map(std::mem::take)
                    .unwrap_or_default()
            }
        }
    }

    /// Where the items stand in it.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Rows { .. } => "rows",
            _ => "items",
        }
    }

    /// Appends one item, made of an object's JSON.
    pub(super) fn push(&self, out: &mut Vec<u8>, object: &[u8]) {
        match self {
            Self::Whole => members::push_without_type(out, object),
            Self::Partial(version) => members::push_partial(out, object, *version),
            Self::Rows { kind, options } => {
                let table = table(kind, [object], Map::new(), *options, false);
                match table.pointer("/rows/0") {
                    Some(row) => json::append(out, row),
                    None => out.extend_from_slice(b"{}"),
                }
            }
        }
    }
}

/// `metadata` of a list.
pub(super) fn metadata(page: &Page) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), page.revision.to_string().into());
    if !page.continue_token.is_empty() {
        metadata.insert("continue".into(), page.continue_token.as_str().into());
    }
    if let Some(remaining) = page.remaining {
        metadata.insert("remainingItemCount".into(), remaining.into());
    }
    metadata
}
