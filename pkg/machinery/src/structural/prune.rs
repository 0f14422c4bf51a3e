//! Fields that a schema does not know: taken out, and told (`schema/pruning`).

use serde_json::{Map, Value};

use super::Structural;
use crate::schema::{Definitions, Path, Schema, unknown_below};

/// Fields of every object; `metadata` is not a custom resource's to say.
const EVERY: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Unknown fields that are told; upstream stops at as many strict errors.
const MAX_UNKNOWN: usize = 100;

/// What metadata looks like, for those of the object and of objects within it.
#[derive(Clone, Copy)]
pub struct MetaSchema<'a> {
    pub definitions: &'a Definitions,
    pub schema: &'a Schema,
}

impl Structural {
    /// Takes out what the schema does not know of a whole object; the paths of it, as `spec.ports[0].x`, of the first hundred.
    /// Metadata, within embedded objects too, is held to its own schema where that is given. Upstream's order: the object's
    /// metadata, what is no metadata, that of embedded objects.
    pub fn prune(&self, meta: Option<MetaSchema<'_>>, value: &mut Value) -> Vec<String> {
        let mut pruner = Pruner {
            meta,
            own: Vec::new(),
            found: Vec::new(),
            embedded: Vec::new(),
        };
        pruner.value(self, value, &Path::Root, true);
        pruner.found.sort_unstable();
        pruner.embedded.sort_unstable();
        let mut all = [pruner.own, pruner.found, pruner.embedded].concat();
        all.truncate(MAX_UNKNOWN);
        all
    }
}

struct Pruner<'a> {
    meta: Option<MetaSchema<'a>>,
    /// Of the object's metadata.
    own: Vec<String>,
    found: Vec<String>,
    /// Of the metadata of objects within it.
    embedded: Vec<String>,
}

impl Pruner<'_> {
    fn value(&mut self, schema: &Structural, value: &mut Value, path: &Path<'_>, resource: bool) {
        match value {
            Value::Object(map) => self.object(schema, map, path, resource || schema.embedded),
            Value::Array(list) => {
                if let Some(item) = &schema.items {
                    for (i, value) in list.iter_mut().enumerate() {
                        self.value(item, value, &Path::Index(path, i), false);
                    }
                }
            }
            _ => {}
        }
    }

    fn object(
        &mut self,
        schema: &Structural,
        map: &mut Map<String, Value>,
        path: &Path<'_>,
        resource: bool,
    ) {
        map.retain(|name, value| {
            let below = Path::Name(path, name);
            if resource && EVERY.contains(&name.as_str()) {
                if name == "metadata" {
                    self.metadata(value, &below, matches!(path, Path::Root));
                }
                return true;
            }
            if let Some(field) = schema.properties.get(name) {
                self.value(field, value, &below, false);
                return true;
            }
            if let Some(item) = &schema.additional {
                self.value(item, value, &below, false);
                return true;
            }
            if schema.preserve_unknown {
                return true;
            }
            if self.found.len() < MAX_UNKNOWN {
                self.found.push(below.to_string());
            }
            false
        });
    }

    fn metadata(&mut self, value: &mut Value, path: &Path<'_>, own: bool) {
        let Some(MetaSchema {
            definitions,
            schema,
        }) = self.meta
        else {
            return;
        };
        let found = if own {
            &mut self.own
        } else {
            &mut self.embedded
        };
        unknown_below(definitions, schema, value, path, found);
        crate::schema::prune(definitions, schema, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_unknown_goes_and_is_named() {
        let (definitions, whole) = crate::schema::testing::service();
        let crate::schema::Shape::Struct { fields, .. } = &whole.shape else {
            panic!("{whole:?}")
        };
        let meta = MetaSchema {
            definitions: &definitions,
            schema: &fields["metadata"],
        };
        let schema = Structural::parse(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
                "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
                "template": {"type": "object", "x-kubernetes-embedded-resource": true},
            }},
            "map": {"type": "object", "additionalProperties": {"type": "object"}},
        }}));
        let mut value = json!({
            "apiVersion": "v1", "kind": "K", "metadata": {"name": "x", "odd": 1}, "extra": 1,
            "spec": {"kept": {"deep": 1}, "list": [{"a": "", "b": ""}],
                     "template": {"apiVersion": "v1", "kind": "T", "metadata": {"name": "t", "odd": 1}, "spec": {}}},
            "map": {"k": {"x": 1}},
        });
        assert_eq!(
            schema.prune(Some(meta), &mut value),
            [
                "metadata.odd",
                "extra",
                "map.k.x",
                "spec.list[0].b",
                "spec.template.spec",
                "spec.template.metadata.odd",
            ]
        );
        assert_eq!(
            value,
            json!({
                "apiVersion": "v1", "kind": "K", "metadata": {"name": "x"},
                "spec": {"kept": {"deep": 1}, "list": [{"a": ""}],
                         "template": {"apiVersion": "v1", "kind": "T", "metadata": {"name": "t"}}},
                "map": {"k": {}},
            })
        );
        assert!(schema.prune(Some(meta), &mut value).is_empty());
    }
}
