//! OpenAPI documents, as JSON. Each is made anew from the schemas: the caller caches what it wants.
//!
//! Version 3 is a document for each group version (KEP-2896); version 2 is one for all. Both are written as they are
//! gone through, so that no tree of the whole is ever in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use kedge_machinery::json;
use kedge_machinery::schema::{Definitions, Schema, Shape};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::custom::OBJECT_META;
use crate::hash::Fnv1a;
use crate::{Catalog, Kind};

mod custom;
mod descriptions;
mod operations;
mod schemas;

use descriptions::Descriptions;
pub use schemas::DELETE_OPTIONS;
use schemas::Definition;

/// Which OpenAPI a document is of; the two differ in how they refer, and in where bodies stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V2,
    V3,
}

impl Version {
    /// A reference to a definition.
    fn reference(self, name: &str) -> Value {
        match self {
            Self::V2 => json!({ "$ref": format!("#/definitions/{name}") }),
            Self::V3 => json!({ "$ref": format!("#/components/schemas/{name}") }),
        }
    }
}

/// `/openapi/v3`: the group versions, each with the address of its document and a hash in it, which changes
/// with the schemas.
#[must_use]
pub fn v3_index(catalog: &Catalog) -> Vec<u8> {
    let mut paths = Map::new();
    for path in group_versions(catalog) {
        let kinds = of_path(catalog, &path);
        let mut hash = Fnv1a::default();
        // Writing to a hash cannot fail.
        let _ = write!(hash, "{} {kinds:?}", env!("CARGO_PKG_VERSION"));
        for name in reachable(catalog.definitions(), &kinds) {
            let _ = write!(hash, "{name}{:?}", catalog.definitions().0.get(name));
        }
        let url = format!("/openapi/v3/{path}?hash={:016X}", hash.0);
        paths.insert(path, json!({ "serverRelativeURL": url }));
    }
    json!({ "paths": paths }).to_string().into_bytes()
}

/// `/openapi/v3/<path>` for `api/v1` or `apis/<group>/<version>`; `None` for any other path.
#[must_use]
pub fn v3_document(catalog: &Catalog, path: &str) -> Option<Vec<u8>> {
    let kinds = of_path(catalog, path);
    if kinds.is_empty() {
        return None;
    }
    Some(document(catalog, Version::V3, &kinds))
}

/// `/openapi/v2`: one Swagger document for everything.
#[must_use]
pub fn v2_document(catalog: &Catalog) -> Vec<u8> {
    let kinds: Vec<&Kind> = catalog.kinds().iter().map(AsRef::as_ref).collect();
    document(catalog, Version::V2, &kinds)
}

fn document(catalog: &Catalog, version: Version, kinds: &[&Kind]) -> Vec<u8> {
    let inflated = descriptions::inflate();
    let texts = Descriptions::new(&inflated);
    let document = Document {
        definitions: catalog.definitions(),
        version,
        kinds,
        texts: &texts,
    };
    json::bytes(&document)
}

/// Paths below `/openapi/v3/`, in the order of discovery.
fn group_versions(catalog: &Catalog) -> Vec<String> {
    let mut paths = Vec::new();
    for kind in catalog.kinds() {
        let path = path_of(kind);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// `api/v1` or `apis/<group>/<version>`.
fn path_of(kind: &Kind) -> String {
    let prefix = if kind.group.is_empty() { "api" } else { "apis" };
    format!("{prefix}/{}", kind.api_version())
}

fn of_path<'a>(catalog: &'a Catalog, path: &str) -> Vec<&'a Kind> {
    catalog
        .kinds()
        .iter()
        .map(AsRef::as_ref)
        .filter(|kind| path_of(kind) == path)
        .collect()
}

/// Names of every definition that a kind reaches, and of those that every resource needs.
fn reachable<'a>(definitions: &'a Definitions, kinds: &[&'a Kind]) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let every = [schemas::STATUS, schemas::DELETE_OPTIONS, schemas::LIST_META];
    let mut waiting: Vec<&str> = kinds
        .iter()
        .map(|k| k.definition.as_str())
        .chain(every)
        .chain([OBJECT_META])
        .collect();
    while let Some(name) = waiting.pop() {
        if let Some((name, schema)) = definitions.0.get_key_value(name)
            && found.insert(name.as_str())
        {
            references(schema, &mut waiting);
        }
    }
    found
}

fn references<'a>(schema: &'a Schema, found: &mut Vec<&'a str>) {
    match &schema.shape {
        Shape::Reference(name) => found.push(name),
        Shape::Struct { fields, .. } => fields.values().for_each(|field| references(field, found)),
        Shape::Map { value, .. } => references(value, found),
        Shape::List { item, .. } => references(item, found),
        _ => {}
    }
}

/// A whole document, made while it is written.
struct Document<'a> {
    definitions: &'a Definitions,
    version: Version,
    kinds: &'a [&'a Kind],
    texts: &'a Descriptions<'a>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(
            "info",
            &json!({ "title": "Kubernetes", "version": "unversioned" }),
        )?;
        map.serialize_entry("paths", &Paths(self))?;
        match self.version {
            Version::V2 => {
                map.serialize_entry("swagger", "2.0")?;
                map.serialize_entry("definitions", &Schemas(self))?;
            }
            Version::V3 => {
                map.serialize_entry("openapi", "3.0.0")?;
                map.serialize_entry("components", &BTreeMap::from([("schemas", Schemas(self))]))?;
            }
        }
        map.end()
    }
}

struct Paths<'a>(&'a Document<'a>);

impl Serialize for Paths<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let paths = self
            .0
            .kinds
            .iter()
            .flat_map(|kind| operations::paths(kind, self.0.version));
        serializer.collect_map(paths)
    }
}

struct Schemas<'a>(&'a Document<'a>);

impl Serialize for Schemas<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Document {
            definitions,
            version,
            kinds,
            texts,
        } = *self.0;
        let mut map = serializer.serialize_map(None)?;
        for name in reachable(definitions, kinds) {
            let kind = kinds.iter().find(|k| k.definition == name);
            if let Some(schema) = definitions.0.get(name) {
                let definition = Definition::new(name, schema, version, kind.copied(), texts);
                map.serialize_entry(name, &definition)?;
            }
        }
        for kind in kinds {
            if let Some(custom) = &kind.custom {
                let schema = custom::schema(kind, custom, version);
                map.serialize_entry(&kind.definition, &schema)?;
            }
            map.serialize_entry(&schemas::list_name(kind), &schemas::list(kind, version))?;
        }
        for (name, schema) in schemas::primitives(version) {
            map.serialize_entry(name, &schema)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
