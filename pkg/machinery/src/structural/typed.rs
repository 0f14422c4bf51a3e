//! A structural schema as server-side apply reads it: which lists are maps, sets or one value, and which fields there are.

use super::{Structural, Type};
use crate::schema::{ListType, Schema, Shape};

impl Structural {
    /// The schema of a whole object; `meta` is the definition of its metadata.
    #[must_use]
    pub fn typed(&self, meta: &str) -> Schema {
        self.node(meta, true)
    }

    fn node(&self, meta: &str, resource: bool) -> Schema {
        let shape = match self.kind {
            Some(Type::Object) => self.object(meta, resource || self.embedded),
            Some(Type::Array) => Shape::List {
                item: Box::new(match &self.items {
                    Some(item) => item.node(meta, false),
                    None => Schema::default(),
                }),
                list: self.list.clone().unwrap_or(ListType::Atomic),
            },
            Some(Type::String) => Shape::String,
            Some(Type::Integer) => Shape::Integer { format: "int64" },
            Some(Type::Number) => Shape::Number,
            Some(Type::Boolean) => Shape::Boolean,
            Some(Type::IntOrString) => Shape::IntOrString,
            None if resource || self.embedded => self.object(meta, true),
            // Whatever it is, it is owned as a whole.
            None => Shape::Any,
        };
        Schema {
            shape,
            default: self.default.clone(),
            ..Schema::default()
        }
    }

    fn object(&self, meta: &str, resource: bool) -> Shape {
        if let (Some(item), false) = (&self.additional, resource) {
            return Shape::Map {
                value: Box::new(item.node(meta, false)),
                atomic: self.atomic,
            };
        }
        let own = self.properties.iter();
        let mut fields: std::collections::BTreeMap<String, Schema> = own
            .map(|(name, field)| (name.clone(), field.node(meta, false)))
            .collect();
        if resource {
            let of = |shape| Schema {
                shape,
                ..Schema::default()
            };
            fields.insert("apiVersion".into(), of(Shape::String));
            fields.insert("kind".into(), of(Shape::String));
            fields.insert("metadata".into(), of(Shape::Reference(meta.into())));
        }
        let rules = self.rules.as_ref();
        Shape::Struct {
            fields,
            required: rules
                .map(|rules| rules.required.clone())
                .unwrap_or_default(),
            atomic: self.atomic,
            preserve_unknown: self.preserve_unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_and_maps_keep_their_kind() {
        let schema = Structural::parse(&json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port"],
                      "items": {"type": "object", "properties": {"port": {"type": "integer"}}}},
            "names": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "plain": {"type": "array", "items": {"type": "string"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}, "x-kubernetes-map-type": "atomic"},
        }}}}))
        .typed("Meta");
        let Shape::Struct { fields, .. } = &schema.shape else {
            panic!("{schema:?}")
        };
        assert!(matches!(&fields["metadata"].shape, Shape::Reference(name) if name == "Meta"));
        let Shape::Struct { fields, .. } = &fields["spec"].shape else {
            panic!("{schema:?}")
        };
        let list = |name: &str| match &fields[name].shape {
            Shape::List { list, .. } => list.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            list("ports"),
            ListType::Map {
                keys: vec!["port".into()]
            }
        );
        assert_eq!(list("names"), ListType::Set);
        assert_eq!(list("plain"), ListType::Atomic);
        assert!(matches!(
            &fields["labels"].shape,
            Shape::Map { atomic: true, .. }
        ));
    }
}
