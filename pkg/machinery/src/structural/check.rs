//! Whether a schema has the structural form, in the words of `apiextensions/validation` and `apiserver/schema`.

mod junctors;
mod list;
#[cfg(test)]
mod tests;

use regex_lite::Regex;
use serde_json::{Map, Value};

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
    list::list(map, path, errors);
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
    let key = "x-kubernetes-preserve-unknown-fields";
    if map.get(key).and_then(Value::as_bool) == Some(false) {
        errors.push(FieldError::invalid(
            format!("{path}.{key}"),
            false,
            "must be true or undefined",
        ));
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
    junctors::junctors(map, map, path, errors);
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
