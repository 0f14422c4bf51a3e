//! ConfigMaps.

use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use super::Strategy;
use crate::value::field;

/// 1 MiB, all values together.
const MAX_BYTES: usize = 1 << 20;

pub(super) struct ConfigMap;

impl Strategy for ConfigMap {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut size = 0;
        let [data, binary] = ["data", "binaryData"].map(|key| field(&object.0, key).as_object());
        for (name, value) in data.into_iter().flatten() {
            let path = format!("data[{name}]");
            errors.extend(data_key(&path, name));
            if binary.is_some_and(|binary| binary.contains_key(name)) {
                let detail = "duplicate of key present in binaryData";
                errors.push(FieldError::invalid(&path, name.as_str(), detail));
            }
            size += value.as_str().map_or(0, str::len);
        }
        for (name, value) in binary.into_iter().flatten() {
            errors.extend(data_key(&format!("binaryData[{name}]"), name));
            size += value.as_str().map_or(0, decoded_len);
        }
        // Upstream gives the whole object this path.
        errors.extend(too_long("[]", size));
        errors
    }

    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        immutable(new, old, &["data", "binaryData"])
    }
}

/// How many bytes a base64 text stands for.
pub(super) fn decoded_len(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|b| *b == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

/// A key of `data`: what can be a file name.
pub(super) fn data_key(path: &str, key: &str) -> Vec<FieldError> {
    const CHARSET: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
        or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    let charset = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut messages = Vec::new();
    if key.len() > 253 {
        messages.push("must be no more than 253 bytes");
    }
    if key.is_empty() || !key.chars().all(charset) {
        messages.push(CHARSET);
    }
    match key {
        "." => messages.push("must not be '.'"),
        ".." => messages.push("must not be '..'"),
        _ if key.starts_with("..") => messages.push("must not start with '..'"),
        _ => {}
    }
    messages
        .into_iter()
        .map(|m| FieldError::invalid(path, key, m))
        .collect()
}

pub(super) fn too_long(path: &str, size: usize) -> Option<FieldError> {
    let detail = format!("may not be more than {MAX_BYTES} bytes");
    (size > MAX_BYTES).then(|| FieldError::new(FieldErrorKind::TooLong, path, None, detail))
}

/// Once `immutable` is true it stays, and so do the `fields`.
pub(super) fn immutable(new: &Object, old: &Object, fields: &[&str]) -> Vec<FieldError> {
    const DETAIL: &str = "field is immutable when `immutable` is set";
    let is_set = |object: &Object| field(&object.0, "immutable") == &Value::Bool(true);
    if !is_set(old) {
        return Vec::new();
    }
    let mut errors = Vec::new();
    if !is_set(new) {
        errors.push(FieldError::forbidden("immutable", DETAIL));
    }
    let changed = fields
        .iter()
        .filter(|key| field(&new.0, key) != field(&old.0, key));
    errors.extend(changed.map(|key| FieldError::forbidden(*key, DETAIL)));
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(errors: Vec<FieldError>) -> Vec<String> {
        errors.into_iter().map(|e| e.field).collect()
    }

    fn map(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    #[test]
    fn keys_are_file_names() {
        let bad = map(
            json!({"data": {"a b": "", "..": "", "..x": "", "ok.txt": ""}, "binaryData": {"ok.txt": ""}}),
        );
        let got = fields(ConfigMap.validate(&bad));
        assert_eq!(got, ["data[..]", "data[..x]", "data[a b]", "data[ok.txt]"]);
    }

    #[test]
    fn a_mebibyte_at_most() {
        assert!(
            ConfigMap
                .validate(&map(json!({"data": {"a": "x".repeat(1 << 20)}})))
                .is_empty()
        );
        let errors =
            ConfigMap.validate(&map(json!({"data": {"a": "x".repeat(1 << 20), "b": "y"}})));
        assert_eq!(
            errors[0].to_string(),
            "[]: Too long: may not be more than 1048576 bytes"
        );
        // A third more in base64.
        let binary = "AAAA".repeat((1 << 20) / 3);
        assert!(
            ConfigMap
                .validate(&map(json!({"binaryData": {"a": binary}})))
                .is_empty()
        );
    }

    #[test]
    fn immutable_is_for_ever() {
        let old = map(json!({"immutable": true, "data": {"a": "1"}}));
        assert!(ConfigMap.validate_change(&old, &old).is_empty());
        let changed = map(json!({"immutable": true, "data": {"a": "2"}}));
        assert_eq!(fields(ConfigMap.validate_change(&changed, &old)), ["data"]);
        assert_eq!(
            fields(ConfigMap.validate_change(&map(json!({"data": {"a": "1"}})), &old)),
            ["immutable"]
        );
    }
}
