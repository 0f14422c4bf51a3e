//! Kinds that a `CustomResourceDefinition` makes (`apiextensions.k8s.io/v1`), one for each version that it serves.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use kedge_machinery::Object;
use kedge_machinery::schema::Schema;
use kedge_machinery::structural::Structural;
use serde_json::{Map, Value};

use crate::hash::Fnv1a;
use crate::json_path::JsonPath;
use crate::verbs::{CUSTOM, PART};
use crate::{Kind, Subresource};

/// OpenAPI name of the metadata that every object has.
pub const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// What a definition says of a version, beside what every kind has.
pub struct Custom {
    /// The version in which objects are stored.
    pub storage: String,
    pub schema: Structural,
    /// The same, as server-side apply reads it.
    pub typed: Schema,
    /// An object that was written before may lack defaults.
    pub has_defaults: bool,
    /// The store's revision of the definition: what was written before may have fields that are not known any more.
    pub since: u64,
    pub columns: Vec<Column>,
    pub scale: Option<Scale>,
    /// Paths of fields that selectors may name, without the first dot.
    pub selectable: Vec<JsonPath>,
    /// What a client is told of a version that is deprecated.
    pub warning: Option<String>,
    /// The definition is going, and takes its objects along: nothing new is to be written.
    pub terminating: bool,
    /// The definition as it is stored, for its texts, and the hash of what it asks for.
    definition: Bytes,
    hash: u64,
}

/// A printing column (`additionalPrinterColumns`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: String,
    pub format: String,
    pub description: String,
    pub priority: i32,
    pub path: JsonPath,
}

/// Where a Scale finds its numbers (`subresources.scale`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    pub spec_replicas: JsonPath,
    pub status_replicas: JsonPath,
    /// Text of a label selector.
    pub selector: Option<JsonPath>,
}

impl Custom {
    /// True for the same version of a definition that asks for the same, whatever its metadata and status.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.definition == other.definition
    }
}

impl Eq for Custom {}

/// What documents are hashed by: the definition's content, told by its hash.
impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Custom({:016X})", self.hash)
    }
}

/// The kinds that a definition serves. `names` are those that were accepted, `source` the bytes that `definition` was read from,
/// `revision` the store's.
#[must_use]
pub fn kinds(definition: &Object, names: &Value, source: &Bytes, revision: u64) -> Vec<Arc<Kind>> {
    let spec = definition.0.get("spec").unwrap_or(&Value::Null);
    let versions = spec.get("versions").and_then(Value::as_array);
    let versions = versions.map_or(&[][..], Vec::as_slice);
    let storage = versions.iter().find(|version| flag(version, "storage"));
    let storage = storage.map(|version| text(version, "name"));
    let calls_webhook = spec
        .get("conversion")
        .is_some_and(|conversion| text(conversion, "strategy") == "Webhook");
    let mut hash = Fnv1a::default();
    // Writing to a hash cannot fail.
    let _ = fmt::Write::write_fmt(&mut hash, format_args!("{spec}"));
    let context = Context {
        spec,
        names,
        source,
        revision,
        terminating: definition.is_terminating(),
        hash: hash.0,
        storage: storage.unwrap_or_default(),
    };
    let mut served: Vec<&Value> = versions
        .iter()
        .filter(|version| flag(version, "served"))
        // No webhook is called here: what is served then is what is stored.
        .filter(|version| !calls_webhook || flag(version, "storage"))
        .collect();
    served.sort_by(|a, b| crate::version::order(text(b, "name"), text(a, "name")));
    served
        .into_iter()
        .map(|version| Arc::new(context.kind(version)))
        .collect()
}

struct Context<'a> {
    spec: &'a Value,
    names: &'a Value,
    source: &'a Bytes,
    revision: u64,
    terminating: bool,
    hash: u64,
    storage: &'a str,
}

impl Context<'_> {
    fn kind(&self, version: &Value) -> Kind {
        let (group, name) = (text(self.spec, "group"), text(version, "name"));
        let kind = text(self.names, "kind");
        let custom = self.custom(version);
        let part = |name: &str| Subresource {
            name: name.into(),
            group: group.into(),
            version: text(version, "name").into(),
            kind: kind.into(),
            verbs: PART.to_vec(),
        };
        let mut subresources = Vec::new();
        let asked = version.get("subresources").unwrap_or(&Value::Null);
        if asked.get("status").is_some() {
            subresources.push(part("status"));
        }
        if custom.scale.is_some() {
            subresources.push(Subresource {
                group: "autoscaling".into(),
                version: "v1".into(),
                kind: "Scale".into(),
                ..part("scale")
            });
        }
        Kind {
            group: group.into(),
            version: name.into(),
            kind: kind.into(),
            plural: text(self.names, "plural").into(),
            singular: text(self.names, "singular").into(),
            short_names: texts(self.names, "shortNames"),
            categories: texts(self.names, "categories"),
            namespaced: text(self.spec, "scope") == "Namespaced",
            definition: definition_name(group, name, kind),
            subresources,
            verbs: CUSTOM.to_vec(),
            custom: Some(Arc::new(custom)),
        }
    }

    fn custom(&self, version: &Value) -> Custom {
        let schema = match version.get("schema").and_then(|s| s.get("openAPIV3Schema")) {
            Some(schema) => Structural::parse(schema),
            None => Structural::open(),
        };
        let list = |key: &str| {
            let list = version.get(key).and_then(Value::as_array);
            list.into_iter().flatten()
        };
        let path = |value: &Value, key: &str| JsonPath::parse(text(value, key)).ok();
        let scale = version.get("subresources").and_then(|s| s.get("scale"));
        Custom {
            storage: self.storage.into(),
            typed: schema.typed(OBJECT_META),
            has_defaults: schema.has_defaults(),
            schema,
            since: self.revision,
            columns: list("additionalPrinterColumns")
                .filter_map(column)
                .collect(),
            scale: scale.and_then(|scale| {
                Some(Scale {
                    spec_replicas: path(scale, "specReplicasPath")?,
                    status_replicas: path(scale, "statusReplicasPath")?,
                    selector: path(scale, "labelSelectorPath"),
                })
            }),
            selectable: list("selectableFields")
                .filter_map(|field| path(field, "jsonPath"))
                .collect(),
            warning: flag(version, "deprecated").then(|| self.deprecation(version)),
            terminating: self.terminating,
            definition: self.source.clone(),
            hash: self.hash,
        }
    }

    fn deprecation(&self, version: &Value) -> String {
        match text(version, "deprecationWarning") {
            "" => {
                let (group, kind) = (text(self.spec, "group"), text(self.names, "kind"));
                format!("{group}/{} {kind} is deprecated", text(version, "name"))
            }
            own => own.into(),
        }
    }
}

impl Custom {
    /// The schema as its author wrote it, texts included.
    #[must_use]
    pub fn source(&self, version: &str) -> Map<String, Value> {
        let definition: Value = serde_json::from_slice(&self.definition).unwrap_or_default();
        let versions = definition.get("spec").and_then(|spec| spec.get("versions"));
        let mut versions = versions.and_then(Value::as_array).into_iter().flatten();
        let found = versions.find(|found| text(found, "name") == version);
        let schema = found.and_then(|found| found.get("schema")?.get("openAPIV3Schema"));
        schema
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    }

    /// True when an object that was stored at a revision, in a version, is not what is served in another.
    #[must_use]
    pub fn differs(&self, served: &str, revision: u64) -> bool {
        served != self.storage || self.has_defaults || revision < self.since
    }
}

/// `com.example.stable.v1.CronTab` of the group `stable.example.com`.
fn definition_name(group: &str, version: &str, kind: &str) -> String {
    let reversed: Vec<&str> = group.rsplit('.').collect();
    format!("{}.{version}.{kind}", reversed.join("."))
}

fn column(column: &Value) -> Option<Column> {
    Some(Column {
        name: text(column, "name").into(),
        kind: text(column, "type").into(),
        format: text(column, "format").into(),
        description: match text(column, "description") {
            "" => format!(
                "Custom resource definition column (in JSONPath format): {}",
                text(column, "jsonPath")
            ),
            own => own.into(),
        },
        priority: column
            .get("priority")
            .and_then(Value::as_i64)
            .and_then(|priority| i32::try_from(priority).ok())
            .unwrap_or_default(),
        path: JsonPath::parse(text(column, "jsonPath")).ok()?,
    })
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    let list = value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    list.filter_map(Value::as_str).map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(conversion: &str) -> Vec<Arc<Kind>> {
        let schema = json!({"openAPIV3Schema": {"type": "object", "description": "A gadget.",
            "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}}}}});
        let names = json!({"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "shortNames": ["gg"]});
        let whole = json!({"metadata": {"name": "gadgets.example.com"}, "spec": {
            "group": "example.com", "scope": "Namespaced", "names": names, "conversion": {"strategy": conversion},
            "versions": [
                {"name": "v1beta1", "served": true, "storage": true, "schema": schema, "deprecated": true},
                {"name": "v2", "served": false, "storage": false, "schema": schema},
                {"name": "v1", "served": true, "storage": false, "schema": schema, "subresources": {"status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}}},
            ],
        }});
        let source = Bytes::from(whole.to_string());
        kinds(&Object::from_value(whole).unwrap(), &names, &source, 7)
    }

    #[test]
    fn a_kind_for_each_version_that_is_served() {
        let kinds = definition("None");
        let versions: Vec<&str> = kinds.iter().map(|kind| kind.version.as_str()).collect();
        assert_eq!(versions, ["v1", "v1beta1"]);
        let (stable, beta) = (&kinds[0], &kinds[1]);
        assert_eq!(stable.definition, "com.example.v1.Gadget");
        assert_eq!(stable.subresources.len(), 2);
        assert_eq!(stable.subresources[1].kind, "Scale");
        let custom = beta.custom.as_ref().unwrap();
        assert_eq!(custom.storage, "v1beta1");
        assert_eq!(
            custom.warning.as_deref(),
            Some("example.com/v1beta1 Gadget is deprecated")
        );
        assert_eq!(custom.source("v1")["description"], "A gadget.");
        assert!(custom.has_defaults);
    }

    #[test]
    fn where_a_webhook_would_convert_only_what_is_stored_is_served() {
        let kinds = definition("Webhook");
        let versions: Vec<&str> = kinds.iter().map(|kind| kind.version.as_str()).collect();
        assert_eq!(versions, ["v1beta1"]);
    }
}
