//! Whether a schema has the structural form, in the words of `apiextensions/validation` and `apiserver/schema`.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::{Map, Value, json};

use super::Structural;
use crate::FieldError;

/// What no definition may say.
const FORBIDDEN: [(&str, &str); 7] = [
    ("$ref", "$ref is not supported"),
    ("additionalItems", "additionalItems is not supported"),
    ("definitions", "definitions is not supported"),
    ("dependencies", "dependencies is not supported"),
    ("id", "id is not supported"),
    ("patternProperties", "patternProperties is not supported"),
    (
        "uniqueItems",
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    ),
];

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
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// What is wrong with a schema that stands at `path` (`spec.versions[0].schema.openAPIV3Schema`).
#[must_use]
pub fn check(schema: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let Some(map) = schema.as_object() else {
        return vec![FieldError::required(path, "schemas are required")];
    };
    root(map, path, &mut errors);
    node(map, path, Level::Root, &mut errors);
    errors
}

/// True where a schema has `x-kubernetes-validations` at any depth.
#[must_use]
pub fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            map.get("x-kubernetes-validations")
                .and_then(Value::as_array)
                .is_some_and(|rules| !rules.is_empty())
                || map.values().any(has_rules)
        }
        Value::Array(list) => list.iter().any(has_rules),
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Field,
    Item,
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn flag(map: &Map<String, Value>, key: &str) -> bool {
    map.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn objects<'a>(
    map: &'a Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = (&'a String, &'a Map<String, Value>)> {
    let below = map
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    below.filter_map(|(name, value)| Some((name, value.as_object()?)))
}

fn root(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    match text(map, "type") {
        "" | "object" => {}
        other => errors.push(FieldError::invalid(
            format!("{path}.type"),
            other,
            "must be object at the root",
        )),
    }
    if flag(map, "nullable") {
        errors.push(FieldError::forbidden(
            format!("{path}.nullable"),
            "nullable cannot be true at the root",
        ));
    }
    if map.contains_key("additionalProperties") {
        errors.push(FieldError::forbidden(
            format!("{path}.additionalProperties"),
            "must not be used at the root",
        ));
    }
    resource(map, path, errors);
}

/// What a resource, at the root or embedded, may say of the fields that all resources have.
fn resource(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    for (name, field) in objects(map, "properties") {
        let at = format!("{path}.properties[{name}]");
        match name.as_str() {
            "apiVersion" | "kind" if text(field, "type") != "string" => {
                errors.push(FieldError::invalid(
                    format!("{at}.type"),
                    text(field, "type"),
                    "must be string",
                ));
            }
            "metadata" => {
                if text(field, "type") != "object" {
                    errors.push(FieldError::invalid(
                        format!("{at}.type"),
                        text(field, "type"),
                        "must be object",
                    ));
                }
                let known = ["name", "generateName"];
                let other =
                    objects(field, "properties").any(|(name, _)| !known.contains(&name.as_str()));
                let more = [
                    "additionalProperties",
                    "allOf",
                    "anyOf",
                    "oneOf",
                    "not",
                    "x-kubernetes-preserve-unknown-fields",
                    "x-kubernetes-embedded-resource",
                ];
                if path_is_root(path) && (other || more.iter().any(|key| field.contains_key(*key)))
                {
                    errors.push(FieldError::forbidden(
                        at,
                        "must not specify anything other than name and generateName, but metadata is implicitly specified",
                    ));
                }
            }
            _ => {}
        }
    }
}

fn path_is_root(path: &str) -> bool {
    path.ends_with("openAPIV3Schema")
}

fn node(map: &Map<String, Value>, path: &str, level: Level, errors: &mut Vec<FieldError>) {
    for (key, why) in FORBIDDEN {
        let said = map
            .get(key)
            .is_some_and(|value| value.as_bool() != Some(false) && !value.is_null());
        if said {
            errors.push(FieldError::forbidden(format!("{path}.{key}"), why));
        }
    }
    kind(map, path, level, errors);
    values(map, path, errors);
    children(map, path, errors);
    list(map, path, errors);
    let map_type = text(map, "x-kubernetes-map-type");
    if !map_type.is_empty() {
        let at = format!("{path}.x-kubernetes-map-type");
        if !["atomic", "granular"].contains(&map_type) {
            errors.push(FieldError::not_supported(
                at,
                map_type,
                &["atomic", "granular"],
            ));
        }
        if text(map, "type") != "object" {
            errors.push(FieldError::invalid(
                format!("{path}.type"),
                text(map, "type"),
                "must be object if x-kubernetes-map-type is specified",
            ));
        }
    }
    for key in [
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ] {
        if key == "x-kubernetes-preserve-unknown-fields"
            && map.get(key).and_then(Value::as_bool) == Some(false)
        {
            errors.push(FieldError::invalid(
                format!("{path}.{key}"),
                false,
                "must be true or undefined",
            ));
        }
    }
    if flag(map, "x-kubernetes-embedded-resource") {
        if text(map, "type") != "object" {
            errors.push(FieldError::invalid(
                format!("{path}.type"),
                text(map, "type"),
                "must be object if x-kubernetes-embedded-resource is true",
            ));
        }
        if !flag(map, "x-kubernetes-preserve-unknown-fields")
            && objects(map, "properties").next().is_none()
        {
            errors.push(FieldError::required(
                format!("{path}.properties"),
                "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
            ));
        }
        resource(map, path, errors);
    }
    junctors(map, map, path, errors);
    default(map, path, errors);
}

fn kind(map: &Map<String, Value>, path: &str, level: Level, errors: &mut Vec<FieldError>) {
    let (kind, at) = (text(map, "type"), format!("{path}.type"));
    let open = flag(map, "x-kubernetes-preserve-unknown-fields");
    if flag(map, "x-kubernetes-int-or-string") {
        if !kind.is_empty() {
            errors.push(FieldError::invalid(
                at,
                kind,
                "must be empty if x-kubernetes-int-or-string is true",
            ));
        }
        return;
    }
    match kind {
        "" if open && level != Level::Root => {}
        "" => errors.push(FieldError::required(
            at,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Field => "must not be empty for specified object fields",
                Level::Item => "must not be empty for specified array items",
            },
        )),
        "null" => errors.push(FieldError::forbidden(
            at,
            "type cannot be set to null, use nullable as an alternative",
        )),
        known if TYPES.contains(&known) => {}
        other => errors.push(FieldError::not_supported(at, other, &TYPES)),
    }
    if kind == "array" && !map.contains_key("items") {
        errors.push(FieldError::required(
            format!("{path}.items"),
            "must be specified",
        ));
    }
}

/// Rules of values that cannot be read.
fn values(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    let pattern = text(map, "pattern");
    if let (false, Err(why)) = (pattern.is_empty(), Regex::new(pattern)) {
        errors.push(FieldError::invalid(
            format!("{path}.pattern"),
            pattern,
            format!("must be a valid regular expression, but isn't: {why}"),
        ));
    }
}

fn children(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    let has_properties = objects(map, "properties").next().is_some();
    match map.get("additionalProperties") {
        Some(Value::Bool(true)) | None => {}
        Some(_) if has_properties => errors.push(FieldError::forbidden(
            format!("{path}.additionalProperties"),
            "additionalProperties and properties are mutual exclusive",
        )),
        Some(Value::Bool(false)) => errors.push(FieldError::forbidden(
            format!("{path}.additionalProperties"),
            "additionalProperties cannot be set to false",
        )),
        Some(Value::Object(item)) => node(
            item,
            &format!("{path}.additionalProperties"),
            Level::Field,
            errors,
        ),
        Some(_) => {}
    }
    for (name, field) in objects(map, "properties") {
        node(
            field,
            &format!("{path}.properties[{name}]"),
            Level::Field,
            errors,
        );
    }
    if let Some(item) = map.get("items").and_then(Value::as_object) {
        node(item, &format!("{path}.items"), Level::Item, errors);
    }
}

fn list(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    let list = text(map, "x-kubernetes-list-type");
    let keys = map
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let at = |key: &str| format!("{path}.{key}");
    if !list.is_empty() {
        if !["atomic", "map", "set"].contains(&list) {
            errors.push(FieldError::not_supported(
                at("x-kubernetes-list-type"),
                list,
                &["atomic", "map", "set"],
            ));
        }
        match text(map, "type") {
            "array" => {}
            "" => errors.push(FieldError::required(
                at("type"),
                "must be array if x-kubernetes-list-type is specified",
            )),
            other => errors.push(FieldError::invalid(
                at("type"),
                other,
                "must be array if x-kubernetes-list-type is specified",
            )),
        }
    }
    if list != "map" {
        if !keys.is_empty() {
            let why = "must be map if x-kubernetes-list-map-keys is non-empty";
            errors.push(match list {
                "" => FieldError::required(at("x-kubernetes-list-type"), why),
                other => FieldError::invalid(at("x-kubernetes-list-type"), other, why),
            });
        }
        return;
    }
    if keys.is_empty() {
        errors.push(FieldError::required(
            at("x-kubernetes-list-map-keys"),
            "must not be empty if x-kubernetes-list-type is map",
        ));
    }
    let Some(item) = map.get("items").and_then(Value::as_object) else {
        errors.push(FieldError::required(
            at("items"),
            "must have a schema if x-kubernetes-list-type is map",
        ));
        return;
    };
    if text(item, "type") != "object" {
        errors.push(FieldError::invalid(
            at("items.type"),
            text(item, "type"),
            "must be object if parent array's x-kubernetes-list-type is map",
        ));
    }
    let required: BTreeSet<&str> = item
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut seen = BTreeSet::new();
    for (i, key) in keys.iter().enumerate() {
        let name = key.as_str().unwrap_or_default();
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(
                format!("{}[{i}]", at("x-kubernetes-list-map-keys")),
                name,
            ));
        }
        match objects(item, "properties").find(|(known, _)| *known == name) {
            None => errors.push(FieldError::invalid(
                format!("{}[{i}]", at("x-kubernetes-list-map-keys")),
                name,
                "entries must all be names of item properties",
            )),
            Some((_, field)) => {
                if !required.contains(name) && !field.contains_key("default") {
                    errors.push(FieldError::required(
                        format!("{path}.items.properties[{name}].default"),
                        "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
                    ));
                }
            }
        }
    }
}

/// `allOf`, `anyOf`, `oneOf` and `not` of a node: they judge what the node itself names, and say nothing of its form.
fn junctors(
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

/// A default must be what its own schema takes.
fn default(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    let Some(default) = map.get("default") else {
        return;
    };
    let schema = Structural::parse(&Value::Object(map.clone()));
    let mut filled = default.clone();
    schema.fill(&mut filled);
    errors.extend(schema.validate_at(&filled, &format!("{path}.default")));
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Errors of a schema with the field `a`, below `S.properties[a]`.
    #[rstest]
    #[case::plain(json!({"type": "string"}), &[])]
    #[case::untyped(json!({}), &["S.properties[a].type: Required value: must not be empty for specified object fields"])]
    #[case::open(json!({"x-kubernetes-preserve-unknown-fields": true}), &[])]
    #[case::null(json!({"type": "null"}), &["S.properties[a].type: Forbidden: type cannot be set to null, use nullable as an alternative"])]
    #[case::no_type(json!({"type": "strin"}), &["S.properties[a].type: Unsupported value: \"strin\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\""])]
    #[case::no_items(json!({"type": "array"}), &["S.properties[a].items: Required value: must be specified"])]
    #[case::untyped_items(json!({"type": "array", "items": {}}), &["S.properties[a].items.type: Required value: must not be empty for specified array items"])]
    #[case::reference(json!({"type": "object", "$ref": "x"}), &["S.properties[a].$ref: Forbidden: $ref is not supported"])]
    #[case::unique(json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true}),
        &["S.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"])]
    #[case::both(json!({"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
        &["S.properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"])]
    #[case::closed(json!({"type": "object", "additionalProperties": false}),
        &["S.properties[a].additionalProperties: Forbidden: additionalProperties cannot be set to false"])]
    #[case::pattern(json!({"type": "string", "pattern": "("}), &["S.properties[a].pattern: Invalid value: \"(\": must be a valid regular expression, but isn't:"])]
    #[case::int_or_string(json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^a"}), &[])]
    #[case::int_or_string_typed(json!({"x-kubernetes-int-or-string": true, "type": "string"}),
        &["S.properties[a].type: Invalid value: \"string\": must be empty if x-kubernetes-int-or-string is true"])]
    #[case::nested_type(json!({"type": "string", "anyOf": [{"type": "string"}, {"pattern": "^a"}]}),
        &["S.properties[a].anyOf[0].type: Forbidden: must be empty to be structural"])]
    #[case::nested_unknown(json!({"type": "object", "oneOf": [{"properties": {"b": {"pattern": "x"}}}]}),
        &["S.properties[a].properties[b]: Required value: because it is defined in S.properties[a].oneOf[0].properties[b]"])]
    #[case::nested_required(json!({"type": "object", "properties": {"b": {"type": "string"}}, "not": {"required": ["b"]}}), &[])]
    #[case::list_keys(json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n", "x"],
        "items": {"type": "object", "properties": {"n": {"type": "string"}}}}),
        &["S.properties[a].items.properties[n].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
          "S.properties[a].x-kubernetes-list-map-keys[1]: Invalid value: \"x\": entries must all be names of item properties"])]
    #[case::no_list_keys(json!({"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}}),
        &["S.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"])]
    #[case::map_type(json!({"type": "string", "x-kubernetes-map-type": "atomic"}),
        &["S.properties[a].type: Invalid value: \"string\": must be object if x-kubernetes-map-type is specified"])]
    #[case::default(json!({"type": "integer", "default": "one"}),
        &["S.properties[a].default: Invalid value: \"string\": S.properties[a].default in body must be of type integer: \"string\""])]
    #[case::good_default(json!({"type": "object", "default": {}, "required": ["b"], "properties": {"b": {"type": "string", "default": "x"}}}), &[])]
    #[case::embedded(json!({"type": "object", "x-kubernetes-embedded-resource": true}),
        &["S.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without"])]
    fn what_is_wrong(#[case] field: Value, #[case] expected: &[&str]) {
        let schema = json!({"type": "object", "properties": {"a": field}});
        let found: Vec<String> = check(&schema, "S")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} is not {expected}");
        }
    }

    #[test]
    fn the_root_is_an_object() {
        let told = |schema: Value| -> Vec<String> {
            let at = "spec.validation.openAPIV3Schema";
            let errors = check(&schema, at);
            errors
                .iter()
                .map(|e| e.to_string().replace(at, "S"))
                .collect()
        };
        assert_eq!(
            told(json!({})),
            ["S.type: Required value: must not be empty at the root"]
        );
        assert_eq!(
            told(json!({"type": "array", "items": {"type": "string"}})),
            ["S.type: Invalid value: \"array\": must be object at the root"]
        );
        assert_eq!(
            told(
                json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}})
            ),
            [
                "S.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified"
            ]
        );
    }
}
