//! What a new object is compared with to find who set what: Go's zero value of its kind, as it is encoded.

use serde_json::{Map, Value};

use super::Context;
use crate::Object;
use crate::schema::{Definitions, Schema, Shape};

/// Structs of an object that are held as such and not by pointer, so that they are there from the beginning.
const HELD: [&str; 4] = ["metadata", "spec", "status", "source"];

/// A struct of built-in kinds that is required and held by pointer, so that it is not there from the beginning.
const POINTED: &str = "parentRef";

/// The zero value of an object, as far as the object itself goes: its structs are there, and in them the fields that are
/// always written. What a client gives a value like that counts as not given.
pub(super) fn of(context: &Context<'_>, object: &Object) -> Map<String, Value> {
    let definitions = context.definitions;
    let schema = definitions.resolve(context.schema);
    let zeros = object.0.iter().filter_map(|(key, value)| {
        let zero = of_field(definitions, schema, key, value)?;
        Some((key.clone(), zero))
    });
    zeros.collect()
}

/// The same of one field of an object, whose schema is given without references.
pub(super) fn of_field(
    definitions: &Definitions,
    schema: &Schema,
    key: &str,
    value: &Value,
) -> Option<Value> {
    Some(match value {
        Value::Null => Value::Null,
        Value::String(text) if text.is_empty() => "".into(),
        Value::Object(_) if HELD.contains(&key) => match field(schema, key) {
            Some(schema) => value_of(definitions, schema, value),
            None => Map::new().into(),
        },
        _ => return None,
    })
}

fn value_of(definitions: &Definitions, schema: &Schema, value: &Value) -> Value {
    let schema = definitions.resolve(schema);
    match (&schema.shape, value) {
        (Shape::Struct { required, .. }, Value::Object(map)) => {
            let always = map
                .iter()
                .filter(|(key, _)| required.contains(key) && *key != POINTED);
            let zeros = always.filter_map(|(key, value)| {
                let zero = value_of(definitions, field(schema, key)?, value);
                Some((key.clone(), zero))
            });
            Value::Object(zeros.collect())
        }
        (Shape::String, _) => "".into(),
        (Shape::Integer { .. } | Shape::Number, _) => 0.into(),
        (Shape::Boolean, _) => false.into(),
        _ => Value::Null,
    }
}

fn field<'a>(schema: &'a Schema, key: &str) -> Option<&'a Schema> {
    match &schema.shape {
        Shape::Struct { fields, .. } => fields.get(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::testing::service;

    #[test]
    fn structs_are_there_with_what_is_always_written() {
        let (definitions, schema) = service();
        let context = Context::example(&definitions, &schema);
        let object = json!({"metadata": {"name": "web"}, "spec": {"type": "x", "kind": "y", "names": ["z"]}, "note": ""});
        let object = Object::from_value(object).unwrap();
        let zero = json!({"metadata": {}, "spec": {"kind": "", "names": null}, "note": ""});
        assert_eq!(Value::Object(of(&context, &object)), zero);
    }
}
