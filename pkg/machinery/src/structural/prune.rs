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
    /// Metadata, within embedded objects too, is held to its own schema where that is given.
    pub fn prune(&self, meta: Option<MetaSchema<'_>>, value: &mut Value) -> Vec<String> {
        let mut pruner = Pruner {
            meta,
            found: Vec::new(),
        };
        pruner.value(self, value, &Path::Root, true);
        pruner.found
    }
}

struct Pruner<'a> {
    meta: Option<MetaSchema<'a>>,
    found: Vec<String>,
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
                    self.metadata(value, &below);
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

    fn metadata(&mut self, value: &mut Value, path: &Path<'_>) {
        let Some(MetaSchema {
            definitions,
            schema,
        }) = self.meta
        else {
            return;
        };
        unknown_below(definitions, schema, value, path, &mut self.found);
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
        let mut found = schema.prune(Some(meta), &mut value);
        found.sort();
        assert_eq!(
            found,
            [
                "extra",
                "map.k.x",
                "metadata.odd",
                "spec.list[0].b",
                "spec.template.metadata.odd",
                "spec.template.spec"
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
