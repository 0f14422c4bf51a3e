//! Taking out of a tree what the schema does not know.

use serde_json::{Map, Value};

use super::{Definitions, Schema, Shape};

/// Removes unknown fields, and fields that are null: to Go's decoder a null is a field that was not given.
pub fn prune(definitions: &Definitions, schema: &Schema, value: &mut Value) {
    match (&definitions.resolve(schema).shape, value) {
        (
            Shape::Struct {
                fields,
                preserve_unknown,
                ..
            },
            Value::Object(map),
        ) => {
            map.retain(|key, value| {
                (fields.contains_key(key) && !value.is_null())
                    || (*preserve_unknown && !fields.contains_key(key))
            });
            for (key, value) in map {
                if let Some(field) = fields.get(key) {
                    prune(definitions, field, value);
                }
            }
        }
        (Shape::Map { value: item, .. }, Value::Object(map)) => {
            map.values_mut()
                .for_each(|value| prune_item(definitions, item, value));
        }
        (Shape::List { item, .. }, Value::Array(list)) => {
            list.iter_mut()
                .for_each(|value| prune_item(definitions, item, value));
        }
        _ => {}
    }
}

/// An item that is null is there all the same, as the zero value of its type.
fn prune_item(definitions: &Definitions, item: &Schema, value: &mut Value) {
    if value.is_null() {
        *value = match definitions.resolve(item).shape {
            Shape::String | Shape::Bytes => "".into(),
            Shape::Integer { .. } | Shape::Number | Shape::IntOrString => 0.into(),
            Shape::Boolean => false.into(),
            Shape::Quantity => "0".into(),
            Shape::Struct { .. } => Map::new().into(),
            _ => Value::Null,
        };
    }
    prune(definitions, item, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::service;
    use serde_json::json;

    #[test]
    fn what_is_unknown_or_null_goes() {
        let (definitions, schema) = service();
        let mut tree = json!({"x": 1, "spec": {"ports": [{"port": 80, "name": null, "y": 2}], "selector": {"a": null}, "names": [null]}});
        prune(&definitions, &schema, &mut tree);
        assert_eq!(
            tree,
            json!({"spec": {"ports": [{"port": 80}], "selector": {"a": ""}, "names": [""]}})
        );
        let once = tree.clone();
        prune(&definitions, &schema, &mut tree);
        assert_eq!(tree, once);
    }
}
