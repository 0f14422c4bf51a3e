//! JSON Patch (RFC 6902).

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use super::PatchError;

/// Operations that one patch may have, as upstream bounds them.
const MAX_OPERATIONS: usize = 10_000;
/// Bytes of JSON that the `copy` operations of one patch may make: each can double the document.
const MAX_COPIED: usize = 3 << 20;

/// The document with every operation applied, or none.
///
/// # Errors
/// [`PatchError::Malformed`]: the body is no list. [`PatchError::Rejected`]: an operation is unknown, a test fails, a path is not there, or more is
/// copied than a patch may. [`PatchError::TooLarge`]: more operations than a patch may have.
pub fn apply(document: &Value, body: &[u8]) -> Result<Value, PatchError> {
    let mut operations: Vec<Operation> =
        serde_json::from_slice(body).map_err(|error| PatchError::Malformed(error.to_string()))?;
    if operations.len() > MAX_OPERATIONS {
        let many = operations.len();
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {many}"
        )));
    }
    operations.iter_mut().try_for_each(complete)?;
    let operations = operations.into_iter().map(Value::Object).collect();
    let rejected = |error: &dyn std::fmt::Display| PatchError::Rejected(error.to_string());
    let patch: Patch =
        serde_json::from_value(Value::Array(operations)).map_err(|e| rejected(&e))?;
    let mut patched = document.clone();
    let mut copied = 0;
    for operation in patch.0 {
        if let PatchOperation::Copy(copy) = &operation {
            let source = patched.pointer(copy.from.as_str());
            copied += source.map_or(0, |value| value.to_string().len());
            if copied > MAX_COPIED {
                return Err(PatchError::Rejected(format!(
                    "the copies of a JSON patch may make {MAX_COPIED} bytes in all"
                )));
            }
        }
        json_patch::patch(&mut patched, std::slice::from_ref(&operation))
            .map_err(|e| rejected(&e))?;
    }
    Ok(patched)
}

type Operation = serde_json::Map<String, Value>;

/// Checks the texts of an operation, and gives it the null that a value is which was left out.
fn complete(operation: &mut Operation) -> Result<(), PatchError> {
    for key in ["op", "path", "from"] {
        if operation.get(key).is_some_and(|value| !value.is_string()) {
            return Err(PatchError::Malformed(format!("{key} is no string")));
        }
    }
    operation.entry("value").or_insert(Value::Null);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_or_nothing() {
        let document = json!({"a": [1, 2], "b": {"c": 1}});
        let body =
            json!([{"op": "add", "path": "/a/-", "value": 3}, {"op": "remove", "path": "/b/c"}])
                .to_string();
        assert_eq!(
            apply(&document, body.as_bytes()).unwrap(),
            json!({"a": [1, 2, 3], "b": {}})
        );
        for rejected in [
            json!([{"op": "test", "path": "/b/c", "value": 2}]),
            json!([{"op": "remove", "path": "/nothing"}]),
            json!([{"op": "nonsense", "path": "/a"}]),
        ] {
            assert!(
                matches!(
                    apply(&document, rejected.to_string().as_bytes()),
                    Err(PatchError::Rejected(_))
                ),
                "{rejected}"
            );
        }
        for malformed in [
            json!({"a": 1}),
            json!(["remove"]),
            json!([{"op": 1, "path": "/a"}]),
            json!([{"op": "remove", "path": ["a"]}]),
        ] {
            let result = apply(&document, malformed.to_string().as_bytes());
            assert!(
                matches!(result, Err(PatchError::Malformed(_))),
                "{malformed}"
            );
        }
    }

    #[test]
    fn a_value_that_is_left_out_is_null() {
        let body = json!([{"op": "replace", "path": "/a"}, {"op": "test", "path": "/a"}, {"op": "add", "path": "/b"}]);
        let patched = apply(&json!({"a": 1}), body.to_string().as_bytes());
        assert_eq!(patched.unwrap(), json!({"a": null, "b": null}));
    }

    #[test]
    fn copies_are_bounded() {
        let copy = |i: usize| json!({"op": "copy", "from": "", "path": format!("/{i}")});
        let bomb = Value::Array((0..100).map(copy).collect()).to_string();
        let error = apply(&json!({"a": "x".repeat(1000)}), bomb.as_bytes()).unwrap_err();
        assert_eq!(error.status("", "", "").code, 422);
    }
}
