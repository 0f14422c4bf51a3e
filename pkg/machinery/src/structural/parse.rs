//! From the JSON of `openAPIV3Schema`, whose form was checked when it was written.

use serde_json::{Map, Value};

use super::{Bounds, Pattern, Rules, Structural, Type};
use crate::decode::spell_numbers;
use crate::schema::ListType;

impl Structural {
    /// A schema that takes anything, of a version that has none.
    #[must_use]
    pub fn open() -> Self {
        Self {
            kind: Some(Type::Object),
            preserve_unknown: true,
            ..Self::default()
        }
    }

    /// Reads a schema; what it does not know of it is passed over.
    #[must_use]
    pub fn parse(schema: &Value) -> Self {
        let Some(map) = schema.as_object() else {
            return Self {
                preserve_unknown: schema.as_bool() == Some(true),
                ..Self::default()
            };
        };
        let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or_default();
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let below = |key: &str| map.get(key).map(|value| Box::new(Self::parse(value)));
        let kind = if flag("x-kubernetes-int-or-string") {
            Some(Type::IntOrString)
        } else {
            text("type").and_then(kind)
        };
        let properties = map.get("properties").and_then(Value::as_object);
        Self {
            kind,
            nullable: flag("nullable"),
            preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            embedded: flag("x-kubernetes-embedded-resource"),
            list: text("x-kubernetes-list-type").and_then(|list| list_type(list, map)),
            atomic: text("x-kubernetes-map-type") == Some("atomic"),
            properties: properties
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), Self::parse(value)))
                .collect(),
            additional: map
                .get("additionalProperties")
                .filter(|value| value.as_bool() != Some(false))
                .map(|value| Box::new(Self::parse(value))),
            items: below("items"),
            default: map.get("default").cloned().map(|mut default| {
                spell_numbers(&mut default);
                default
            }),
            rules: rules(map),
        }
    }
}

fn kind(text: &str) -> Option<Type> {
    Some(match text {
        "object" => Type::Object,
        "array" => Type::Array,
        "string" => Type::String,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "boolean" => Type::Boolean,
        _ => return None,
    })
}

fn list_type(text: &str, map: &Map<String, Value>) -> Option<ListType> {
    match text {
        "set" => Some(ListType::Set),
        "map" => Some(ListType::Map {
            keys: texts(map.get("x-kubernetes-list-map-keys")),
        }),
        "atomic" => Some(ListType::Atomic),
        _ => None,
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(Into::into).collect()
}

/// Words that make rules; a schema without any has none to keep.
const WORDS: [&str; 20] = [
    "format",
    "enum",
    "pattern",
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "uniqueItems",
    "required",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
];

fn rules(map: &Map<String, Value>) -> Option<Box<Rules>> {
    if !WORDS.iter().any(|word| map.contains_key(*word)) {
        return None;
    }
    let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or_default();
    let number = |key: &str| map.get(key).and_then(Value::as_f64);
    let bounds = |least: &str, most: &str| Bounds {
        least: map.get(least).and_then(Value::as_u64),
        most: map.get(most).and_then(Value::as_u64),
    };
    let schemas = |key: &str| {
        let list = map.get(key).and_then(Value::as_array).into_iter().flatten();
        list.map(Structural::parse).collect::<Vec<_>>()
    };
    Some(Box::new(Rules {
        format: map.get("format").and_then(Value::as_str).map(Into::into),
        one_of_values: map.get("enum").and_then(Value::as_array).cloned(),
        pattern: map.get("pattern").and_then(Value::as_str).map(Pattern::new),
        minimum: number("minimum"),
        exclusive_minimum: flag("exclusiveMinimum"),
        maximum: number("maximum"),
        exclusive_maximum: flag("exclusiveMaximum"),
        multiple_of: number("multipleOf"),
        length: bounds("minLength", "maxLength"),
        items: bounds("minItems", "maxItems"),
        properties: bounds("minProperties", "maxProperties"),
        unique: flag("uniqueItems"),
        required: texts(map.get("required")),
        all_of: schemas("allOf"),
        any_of: schemas("anyOf"),
        one_of: schemas("oneOf"),
        not: map.get("not").map(|not| Box::new(Structural::parse(not))),
    }))
}
