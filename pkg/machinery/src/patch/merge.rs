//! JSON Merge Patch (RFC 7386).

use serde_json::Value;

use super::{PatchError, object};

/// The document with the patch merged in.
///
/// # Errors
/// [`PatchError::Malformed`]: the body is no JSON object.
pub fn apply(document: &Value, body: &[u8]) -> Result<Value, PatchError> {
    let patch = Value::Object(object(body)?);
    let mut merged = document.clone();
    json_patch::merge(&mut merged, &patch);
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_merge_lists_are_replaced_null_removes() {
        let document = json!({"a": {"b": 1, "c": 2}, "l": [1, 2]});
        let merged = apply(&document, br#"{"a": {"b": null, "d": 3}, "l": [3]}"#).unwrap();
        assert_eq!(merged, json!({"a": {"c": 2, "d": 3}, "l": [3]}));
        assert!(apply(&document, b"[]").is_err());
    }
}
