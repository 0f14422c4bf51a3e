//! Schemas in OpenAPI's words.

use kedge_machinery::schema::{ListType, PatchStrategy, Schema, Shape};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::Version;
use super::descriptions::Descriptions;
use crate::Kind;

pub(super) const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
/// Options of a deletion in its body.
pub const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
pub(super) const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
pub(super) const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

/// A schema being written: a definition, or a part of one.
pub(super) struct Definition<'a> {
    schema: &'a Schema,
    version: Version,
    /// The kind that it is the schema of.
    kind: Option<&'a Kind>,
    /// The text of the whole, for a schema that has none of its own.
    text: &'a str,
    /// Where the texts of the fields are, with the name that they are under.
    texts: Option<(&'a Descriptions<'a>, &'a str)>,
}

impl<'a> Definition<'a> {
    /// The schema of the definition `name`, which is that of `kind`, if of any.
    pub(super) fn new(
        name: &'a str,
        schema: &'a Schema,
        version: Version,
        kind: Option<&'a Kind>,
        texts: &'a Descriptions<'a>,
    ) -> Self {
        Self {
            schema,
            version,
            kind,
            text: texts.of(name, ""),
            texts: Some((texts, name)),
        }
    }

    fn part(&self, schema: &'a Schema, text: &'a str) -> Self {
        Self {
            schema,
            version: self.version,
            kind: None,
            text,
            texts: None,
        }
    }

    fn description(&self) -> &str {
        match self.schema.description.as_str() {
            "" => self.text,
            own => own,
        }
    }

    fn shape<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match &self.schema.shape {
            Shape::Any => map.serialize_entry("type", "object"),
            Shape::String => map.serialize_entry("type", "string"),
            Shape::Boolean => map.serialize_entry("type", "boolean"),
            Shape::Bytes => formatted(map, "string", "byte"),
            Shape::Integer { format } => formatted(map, "integer", format),
            Shape::Number => formatted(map, "number", "double"),
            Shape::IntOrString => self.reference(map, INT_OR_STRING),
            Shape::Quantity => self.reference(map, QUANTITY),
            Shape::Time { micro: false } => self.reference(map, TIME),
            Shape::Time { micro: true } => self.reference(map, MICRO_TIME),
            Shape::Reference(name) => self.reference(map, name),
            Shape::Struct {
                fields,
                required,
                atomic,
                preserve_unknown,
            } => {
                map.serialize_entry("type", "object")?;
                let text =
                    |field: &str| self.texts.map_or("", |(texts, name)| texts.of(name, field));
                let parts = fields
                    .iter()
                    .map(|(name, field)| (name, self.part(field, text(name))));
                if !fields.is_empty() {
                    map.serialize_entry("properties", &Entries(parts))?;
                }
                if !required.is_empty() {
                    map.serialize_entry("required", required)?;
                }
                if *preserve_unknown {
                    map.serialize_entry("x-kubernetes-preserve-unknown-fields", &true)?;
                }
                atomic_map(map, *atomic)
            }
            Shape::Map { value, atomic } => {
                map.serialize_entry("type", "object")?;
                map.serialize_entry("additionalProperties", &self.part(value, ""))?;
                atomic_map(map, *atomic)
            }
            Shape::List { item, list } => {
                map.serialize_entry("type", "array")?;
                map.serialize_entry("items", &self.part(item, ""))?;
                match list {
                    ListType::Atomic => map.serialize_entry("x-kubernetes-list-type", "atomic"),
                    ListType::Set => map.serialize_entry("x-kubernetes-list-type", "set"),
                    ListType::Map { keys } => {
                        map.serialize_entry("x-kubernetes-list-map-keys", keys)?;
                        map.serialize_entry("x-kubernetes-list-type", "map")
                    }
                }
            }
        }
    }

    /// Version 3 forbids anything beside a reference, hence `allOf`.
    fn reference<M: SerializeMap>(&self, map: &mut M, name: &str) -> Result<(), M::Error> {
        let reference = self.version.reference(name);
        match self.version {
            Version::V2 => map.serialize_entry("$ref", &reference["$ref"]),
            Version::V3 => map.serialize_entry("allOf", &[reference]),
        }
    }
}

impl Serialize for Definition<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let description = self.description();
        if !description.is_empty() {
            map.serialize_entry("description", description)?;
        }
        self.shape(&mut map)?;
        if let Some(default) = &self.schema.default {
            map.serialize_entry("default", default)?;
        }
        if !self.schema.patch_strategy.is_empty() {
            let words: Vec<&str> = self
                .schema
                .patch_strategy
                .iter()
                .map(|s| strategy(*s))
                .collect();
            map.serialize_entry("x-kubernetes-patch-strategy", &words.join(","))?;
        }
        if let Some(key) = &self.schema.patch_merge_key {
            map.serialize_entry("x-kubernetes-patch-merge-key", key)?;
        }
        if let Some(kind) = self.kind {
            map.serialize_entry(
                "x-kubernetes-group-version-kind",
                &[kind_of(kind, &kind.kind)],
            )?;
        }
        map.end()
    }
}

/// A map that is made while it is written.
struct Entries<I>(I);

impl<'a, I> Serialize for Entries<I>
where
    I: Iterator<Item = (&'a String, Definition<'a>)> + Clone,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}

fn formatted<M: SerializeMap>(map: &mut M, kind: &str, format: &str) -> Result<(), M::Error> {
    map.serialize_entry("type", kind)?;
    map.serialize_entry("format", format)
}

fn atomic_map<M: SerializeMap>(map: &mut M, atomic: bool) -> Result<(), M::Error> {
    if atomic {
        map.serialize_entry("x-kubernetes-map-type", "atomic")?;
    }
    Ok(())
}

fn strategy(strategy: PatchStrategy) -> &'static str {
    match strategy {
        PatchStrategy::Merge => "merge",
        PatchStrategy::Replace => "replace",
        PatchStrategy::RetainKeys => "retainKeys",
    }
}

/// Group, version and kind, in the words of the `x-kubernetes-group-version-kind` extension.
pub(super) fn kind_of(kind: &Kind, name: &str) -> Value {
    json!({ "group": kind.group, "version": kind.version, "kind": name })
}

/// The OpenAPI name of the list of a kind.
pub(super) fn list_name(kind: &Kind) -> String {
    format!("{}List", kind.definition)
}

/// The schema of a list of a kind.
pub(super) fn list(kind: &Kind, version: Version) -> Value {
    json!({
        "description": format!("{} is a list of {}.", kind.list_kind(), kind.kind),
        "type": "object",
        "properties": {
            "apiVersion": { "type": "string", "description": "Group and version of the list." },
            "kind": { "type": "string", "description": "Kind of the list." },
            "metadata": version.reference(LIST_META),
            "items": { "type": "array", "items": version.reference(&kind.definition) },
        },
        "required": ["items"],
        "x-kubernetes-group-version-kind": [kind_of(kind, &kind.list_kind())],
    })
}

/// Types that are no structs, and the body of a patch.
pub(super) fn primitives(version: Version) -> Vec<(&'static str, Value)> {
    // Version 2 cannot say "either".
    let (quantity, int_or_string) = match version {
        Version::V2 => (
            json!({ "type": "string" }),
            json!({ "type": "string", "format": "int-or-string" }),
        ),
        Version::V3 => (
            json!({ "oneOf": [{ "type": "string" }, { "type": "number" }] }),
            json!({ "format": "int-or-string", "oneOf": [{ "type": "integer" }, { "type": "string" }] }),
        ),
    };
    let time = json!({ "type": "string", "format": "date-time" });
    vec![
        (PATCH, json!({ "type": "object" })),
        (TIME, time.clone()),
        (MICRO_TIME, time),
        (QUANTITY, quantity),
        (INT_OR_STRING, int_or_string),
    ]
}
