//! What several tests need.

use kedge_machinery::schema::{Definitions, Schema, Shape};
use serde_json::Value;

/// Where a value is not of its schema: a field that is unknown, or absent and required, or of another type.
pub fn problems(definitions: &Definitions, schema: &Schema, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(definitions, schema, value, "", &mut found);
    found
}

fn check(
    definitions: &Definitions,
    schema: &Schema,
    value: &Value,
    at: &str,
    found: &mut Vec<String>,
) {
    match (&definitions.resolve(schema).shape, value) {
        (
            Shape::Struct {
                fields, required, ..
            },
            Value::Object(map),
        ) => {
            let absent = required.iter().filter(|name| !map.contains_key(*name));
            found.extend(absent.map(|name| format!("{at}.{name} is absent")));
            for (name, value) in map {
                let at = format!("{at}.{name}");
                match fields.get(name) {
                    Some(field) => check(definitions, field, value, &at, found),
                    None => found.push(format!("{at} is unknown")),
                }
            }
        }
        (Shape::Map { value: inner, .. }, Value::Object(map)) => {
            map.iter().for_each(|(key, value)| {
                check(definitions, inner, value, &format!("{at}.{key}"), found)
            });
        }
        (Shape::List { item, .. }, Value::Array(list)) => {
            list.iter().enumerate().for_each(|(n, value)| {
                check(definitions, item, value, &format!("{at}[{n}]"), found)
            });
        }
        (Shape::Any, _)
        | (Shape::String | Shape::Bytes | Shape::Quantity | Shape::IntOrString, Value::String(_))
        | (Shape::Integer { .. } | Shape::Number | Shape::IntOrString, Value::Number(_))
        | (Shape::Time { .. }, Value::String(_) | Value::Null)
        | (Shape::List { .. } | Shape::Map { .. }, Value::Null)
        | (Shape::Boolean, Value::Bool(_)) => {}
        (shape, value) => found.push(format!("{at}: {value} is no {shape:?}")),
    }
}
