//! What stands within `allOf`, `anyOf`, `oneOf` and `not`.

use serde_json::{Map, Value, json};

use super::{flag, objects, values};
use crate::FieldError;

/// What may not stand within `allOf`, `anyOf`, `oneOf` and `not`, where only values are judged.
const NOT_NESTED: [(&str, &str); 11] = [
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    (
        "x-kubernetes-preserve-unknown-fields",
        "must be false to be structural",
    ),
    (
        "x-kubernetes-embedded-resource",
        "must be false to be structural",
    ),
    (
        "x-kubernetes-int-or-string",
        "must be false to be structural",
    ),
    (
        "x-kubernetes-list-type",
        "must be undefined to be structural",
    ),
    (
        "x-kubernetes-map-type",
        "must be undefined to be structural",
    ),
];

const JUNCTORS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// `allOf`, `anyOf`, `oneOf` and `not` of a node: they judge what the node itself names, and say nothing of its form.
pub(super) fn junctors(
    structure: &Map<String, Value>,
    map: &Map<String, Value>,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    let either = json!([{"type": "integer"}, {"type": "string"}]);
    let int_or_string = flag(structure, "x-kubernetes-int-or-string");
    for junctor in JUNCTORS {
        let list = map
            .get(junctor)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        if int_or_string && junctor == "anyOf" && map.get(junctor) == Some(&either) {
            continue;
        }
        for (i, nested) in list.enumerate() {
            if int_or_string && junctor == "allOf" && nested.get("anyOf") == Some(&either) {
                continue;
            }
            if let Some(nested) = nested.as_object() {
                judge(structure, nested, &format!("{path}.{junctor}[{i}]"), errors);
            }
        }
    }
    if let Some(nested) = map.get("not").and_then(Value::as_object) {
        judge(structure, nested, &format!("{path}.not"), errors);
    }
}

fn judge(
    structure: &Map<String, Value>,
    nested: &Map<String, Value>,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    for (key, why) in NOT_NESTED {
        let said = nested.get(key).is_some_and(|value| match value {
            Value::Bool(said) => *said || key == "additionalProperties" || key == "default",
            Value::String(text) => !text.is_empty(),
            _ => true,
        });
        if said {
            errors.push(FieldError::forbidden(format!("{path}.{key}"), why));
        }
    }
    values(nested, path, errors);
    for (name, field) in objects(nested, "properties") {
        let at = format!("{path}.properties[{name}]");
        match objects(structure, "properties").find(|(known, _)| *known == name) {
            Some((_, known)) => judge(known, field, &at, errors),
            None if flag(structure, "x-kubernetes-preserve-unknown-fields") => {
                judge(field, field, &at, errors);
            }
            None => {
                errors.push(FieldError::required(
                    format!("{}.properties[{name}]", outside(path)),
                    format!("because it is defined in {at}"),
                ));
                judge(field, field, &at, errors);
            }
        }
    }
    if let Some(item) = nested.get("items").and_then(Value::as_object) {
        let known = structure.get("items").and_then(Value::as_object);
        judge(
            known.unwrap_or(item),
            item,
            &format!("{path}.items"),
            errors,
        );
    }
    junctors(structure, nested, path, errors);
}

/// The node that a path within junctors judges.
fn outside(path: &str) -> &str {
    let cut = [".allOf[", ".anyOf[", ".oneOf[", ".not"];
    let at = cut.iter().filter_map(|word| path.find(word)).min();
    at.map_or(path, |at| &path[..at])
}
