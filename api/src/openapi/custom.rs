//! Schemas of custom resources, as their authors wrote them, with what every object has (`apiextensions-apiserver/pkg/controller/openapi/builder`).

use serde_json::{Map, Value, json};

use super::Version;
use super::schemas::kind_of;
use crate::Kind;
use crate::custom::{Custom, OBJECT_META};

const API_VERSION: &str = "The group and version that the object is written in.";
const KIND: &str = "The kind of the object.";

/// What version 2 has no words for.
const NOT_IN_V2: [&str; 6] = ["allOf", "anyOf", "oneOf", "not", "nullable", "default"];

pub(super) fn schema(kind: &Kind, custom: &Custom, version: Version) -> Value {
    let mut map = custom.source(&kind.version);
    let open = is_open(&map);
    if version == Version::V2 {
        simplify(&mut map);
    }
    if open && version == Version::V2 {
        // A client that checks by version 2 alone would refuse what is open.
        map.remove("properties");
    }
    map.insert("type".into(), "object".into());
    resource(&mut map, version);
    embedded(&mut map, version, false);
    map.insert(
        "x-kubernetes-group-version-kind".into(),
        json!([kind_of(kind, &kind.kind)]),
    );
    Value::Object(map)
}

fn is_open(map: &Map<String, Value>) -> bool {
    map.get("x-kubernetes-preserve-unknown-fields")
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// The fields that every object has.
fn resource(map: &mut Map<String, Value>, version: Version) {
    let properties = map.entry("properties").or_insert_with(|| json!({}));
    let Some(properties) = properties.as_object_mut() else {
        return;
    };
    let metadata = match version {
        Version::V2 => version.reference(OBJECT_META),
        // Version 3 takes nothing beside a reference.
        Version::V3 => json!({ "allOf": [version.reference(OBJECT_META)] }),
    };
    properties.insert(
        "apiVersion".into(),
        json!({ "type": "string", "description": API_VERSION }),
    );
    properties.insert(
        "kind".into(),
        json!({ "type": "string", "description": KIND }),
    );
    properties.insert("metadata".into(), metadata);
}

/// The same for objects within.
fn embedded(map: &mut Map<String, Value>, version: Version, within: bool) {
    let is_embedded = map
        .get("x-kubernetes-embedded-resource")
        .and_then(Value::as_bool)
        .unwrap_or_default();
    if within && is_embedded {
        resource(map, version);
    }
    for_each_schema(map, &mut |below| embedded(below, version, true));
}

fn simplify(map: &mut Map<String, Value>) {
    for word in NOT_IN_V2 {
        map.remove(word);
    }
    for_each_schema(map, &mut |below| {
        if is_open(below) {
            below.remove("properties");
            below.remove("items");
        }
        simplify(below);
    });
}

fn for_each_schema(map: &mut Map<String, Value>, act: &mut dyn FnMut(&mut Map<String, Value>)) {
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        for below in properties.values_mut().filter_map(Value::as_object_mut) {
            act(below);
        }
    }
    for word in ["items", "additionalProperties"] {
        if let Some(below) = map.get_mut(word).and_then(Value::as_object_mut) {
            act(below);
        }
    }
}
