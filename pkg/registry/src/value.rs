//! Reading a JSON tree as a kind means it: what is absent, null or of another type reads as empty.

use serde_json::{Map, Value};

/// A string field, or empty.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// An integer field, or 0.
pub(crate) fn int(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_i64).unwrap_or_default()
}

/// A boolean field, or false.
pub(crate) fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// A list field, or an empty one.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The strings of a list field.
pub(crate) fn texts<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    list(value, key)
        .iter()
        .map(|v| v.as_str().unwrap_or_default())
        .collect()
}

/// The pairs of a map field.
pub(crate) fn pairs<'a>(
    value: &'a Value,
    key: &str,
) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    value
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.as_str(), v))
}

/// A field that is there and not null.
pub(crate) fn present<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|v| !v.is_null())
}

/// A field; [`Value::Null`] where it is absent.
pub(crate) fn child<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&Value::Null)
}

/// A nested field; [`Value::Null`] where it is absent.
pub(crate) fn field<'a>(map: &'a Map<String, Value>, key: &str) -> &'a Value {
    const NULL: &Value = &Value::Null;
    map.get(key).unwrap_or(NULL)
}

/// The list field for writing, when it is a list.
pub(crate) fn list_mut<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut [Value] {
    map.get_mut(key)
        .and_then(Value::as_array_mut)
        .map_or(&mut [], Vec::as_mut_slice)
}

/// The structs of a list field, for writing.
pub(crate) fn structs_mut<'a>(
    map: &'a mut Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    list_mut(map, key)
        .iter_mut()
        .filter_map(Value::as_object_mut)
}

/// Sets a field that is absent, null or an empty string.
pub(crate) fn default(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let slot = map.entry(key).or_insert(Value::Null);
    if slot.is_null() || slot.as_str() == Some("") {
        *slot = value.into();
    }
}

/// Removes fields whose zero value Go would leave out; lists and maps are seen to for all kinds alike.
pub(crate) fn omit_empty(map: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        if map.get(*key).is_some_and(is_empty) {
            map.remove(*key);
        }
    }
}

/// Go's zero value.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

/// Puts a field as it is elsewhere: copied when present there, removed when not.
pub(crate) fn copy_field(to: &mut Map<String, Value>, from: &Map<String, Value>, key: &str) {
    match from.get(key) {
        Some(value) => {
            to.insert(key.to_string(), value.clone());
        }
        None => {
            to.remove(key);
        }
    }
}
