//! Fields that the schema does not know.

use serde_json::Value;

use super::path::Path;
use super::{Definitions, Schema, Shape};

/// Unknown fields that are told; upstream stops at as many strict errors.
const MAX_UNKNOWN: usize = 100;

/// The path of each unknown field, as `spec.ports[0].nodeport`, in the order of the tree; of the first hundred. Names are
/// compared letter by letter.
#[must_use]
pub fn unknown_fields(definitions: &Definitions, schema: &Schema, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(definitions, schema, value, &Path::Root, &mut found);
    found
}

/// The same of a value that stands at a path.
pub(crate) fn unknown_below(
    definitions: &Definitions,
    schema: &Schema,
    value: &Value,
    path: &Path<'_>,
    found: &mut Vec<String>,
) {
    walk(definitions, schema, value, path, found);
}

fn walk(
    definitions: &Definitions,
    schema: &Schema,
    value: &Value,
    path: &Path<'_>,
    found: &mut Vec<String>,
) {
    match (&definitions.resolve(schema).shape, value) {
        (
            Shape::Struct {
                fields,
                preserve_unknown,
                ..
            },
            Value::Object(map),
        ) => {
            for (key, value) in map {
                let below = Path::Name(path, key);
                match fields.get(key) {
                    Some(field) => walk(definitions, field, value, &below, found),
                    None if *preserve_unknown || found.len() >= MAX_UNKNOWN => {}
                    None => found.push(below.to_string()),
                }
            }
        }
        (Shape::Map { value: item, .. }, Value::Object(map)) => {
            for (key, value) in map {
                walk(definitions, item, value, &Path::Name(path, key), found);
            }
        }
        (Shape::List { item, .. }, Value::Array(list)) => {
            for (i, value) in list.iter().enumerate() {
                walk(definitions, item, value, &Path::Index(path, i), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::service;
    use serde_json::json;

    #[test]
    fn unknown_fields_are_named_by_their_path() {
        let (definitions, schema) = service();
        let tree = json!({"spec": {"Ports": [], "ports": [{"port": 1}, {"prt": 2}], "selector": {"any": "thing"}}, "extra": {"deep": 1}});
        assert_eq!(
            unknown_fields(&definitions, &schema, &tree),
            ["extra", "spec.Ports", "spec.ports[1].prt"]
        );
    }
}
