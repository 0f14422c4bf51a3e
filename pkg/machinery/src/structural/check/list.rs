//! Lists that are sets or maps (KEP-555).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{objects, text};
use crate::FieldError;

pub(super) fn list(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
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
