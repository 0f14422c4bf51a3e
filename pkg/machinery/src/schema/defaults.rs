//! Filling in what the schema gives of itself.

use serde_json::Value;

use super::{Definitions, Schema, Shape};

/// Fills every absent field that has a default, within what is there: an absent struct stays absent.
pub fn apply_defaults(definitions: &Definitions, schema: &Schema, value: &mut Value) {
    match (&definitions.resolve(schema).shape, value) {
        (Shape::Struct { fields, .. }, Value::Object(map)) => {
            for (key, field) in fields {
                match (map.get_mut(key), default_of(definitions, field)) {
                    (Some(value), _) => apply_defaults(definitions, field, value),
                    // `{}` is how OpenAPI marks a struct that is no pointer: not a value to store.
                    (None, Some(default))
                        if default.as_object().is_none_or(|map| !map.is_empty()) =>
                    {
                        map.insert(key.clone(), default.clone());
                    }
                    (None, _) => {}
                }
            }
        }
        (Shape::Map { value: item, .. }, Value::Object(map)) => {
            map.values_mut()
                .for_each(|value| apply_defaults(definitions, item, value));
        }
        (Shape::List { item, .. }, Value::Array(list)) => {
            list.iter_mut()
                .for_each(|value| apply_defaults(definitions, item, value));
        }
        _ => {}
    }
}

/// A field's own default, else that of what it refers to.
pub(crate) fn default_of<'a>(definitions: &'a Definitions, field: &'a Schema) -> Option<&'a Value> {
    field
        .default
        .as_ref()
        .or_else(|| definitions.resolve(field).default.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::service;
    use serde_json::json;

    #[test]
    fn absent_fields_are_filled_and_given_ones_kept() {
        let (definitions, schema) = service();
        let mut tree = json!({"spec": {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}});
        apply_defaults(&definitions, &schema, &mut tree);
        assert_eq!(tree["spec"]["ports"][0]["protocol"], "TCP");
        assert_eq!(tree["spec"]["ports"][1]["protocol"], "UDP");
        let mut empty = json!({});
        apply_defaults(&definitions, &schema, &mut empty);
        assert_eq!(empty, json!({}));
    }
}
