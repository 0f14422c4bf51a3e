//! JSON Patch (RFC 6902).

use json_patch::jsonptr::PointerBuf;
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
    // To Go a null is a list without items, and an operation without fields.
    let operations: Option<Vec<Option<Operation>>> =
        serde_json::from_slice(body).map_err(|error| PatchError::Malformed(error.to_string()))?;
    let operations = operations.into_iter().flatten();
    let mut operations: Vec<Operation> = operations.map(Option::unwrap_or_default).collect();
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
    for mut operation in patch.0 {
        count_from_the_start(&mut operation, &patched);
        if says_nothing_is_there(&operation, &patched) {
            continue;
        }
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

/// Negative indices count from a list's end, as the library that upstream uses has it beyond RFC 6902. Behind the last item
/// is -1 for what is added.
fn count_from_the_start(operation: &mut PatchOperation, document: &Value) {
    let there = |pointer: &mut PointerBuf| count(pointer, document, 0, None);
    match operation {
        PatchOperation::Add(add) => count(&mut add.path, document, 1, None),
        PatchOperation::Remove(remove) => there(&mut remove.path),
        PatchOperation::Replace(replace) => there(&mut replace.path),
        PatchOperation::Test(test) => there(&mut test.path),
        PatchOperation::Move(from_to) => {
            there(&mut from_to.from);
            count(&mut from_to.path, document, 1, Some(&from_to.from));
        }
        PatchOperation::Copy(copy) => {
            there(&mut copy.from);
            count(&mut copy.path, document, 1, None);
        }
    }
}

/// Indices from the start; `room` is what the last list has more than its items, and `gone` is counted no more.
fn count(pointer: &mut PointerBuf, document: &Value, room: usize, gone: Option<&PointerBuf>) {
    if !pointer.as_str().contains("/-") {
        return;
    }
    let gone = gone.and_then(|gone| {
        let (list, index) = gone.split_back()?;
        Some((list, index.decoded().parse::<usize>().ok()?))
    });
    let last = pointer.count() - 1;
    let mut at = Some(document);
    let mut counted = PointerBuf::default();
    for (place, token) in pointer.tokens().enumerate() {
        let word = token.decoded().into_owned();
        let gone = gone.filter(|(list, _)| **list == *counted);
        let gone = gone.map(|(_, index)| index);
        at = match at {
            Some(Value::Array(list)) => {
                let gone = gone.filter(|gone| *gone < list.len());
                let room = if place == last { room } else { 0 };
                let length = list.len() + room - usize::from(gone.is_some());
                let index = match word.parse::<i64>() {
                    Ok(n @ ..0) => usize::try_from(n.unsigned_abs())
                        .ok()
                        .and_then(|n| length.checked_sub(n)),
                    _ => word.parse().ok(),
                };
                match index {
                    Some(index) => counted.push_back(index),
                    None => counted.push_back(token),
                }
                let shifted = gone.is_some_and(|gone| index >= Some(gone));
                index.and_then(|index| list.get(index + usize::from(shifted)))
            }
            other => {
                counted.push_back(token);
                other.and_then(|value| value.get(&word))
            }
        };
    }
    *pointer = counted;
}

/// A test for null is passed by a field that is not there, in an object that is, as upstream has it too.
fn says_nothing_is_there(operation: &PatchOperation, document: &Value) -> bool {
    let PatchOperation::Test(test) = operation else {
        return false;
    };
    let parent = test.path.parent().zip(test.path.last());
    let parent = parent
        .and_then(|(parent, last)| Some((document.pointer(parent.as_str())?.as_object()?, last)));
    test.value.is_null()
        && parent.is_some_and(|(parent, last)| !parent.contains_key(&*last.decoded()))
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
        assert_eq!(apply(&document, b"null"), Ok(document.clone()));
        for rejected in [
            json!([{"op": "test", "path": "/b/c", "value": 2}]),
            json!([{"op": "remove", "path": "/nothing"}]),
            json!([{"op": "nonsense", "path": "/a"}]),
            json!([null]),
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
    fn negative_indices_count_from_the_end() {
        let document = json!({"a": [1, 2, [3, 4]], "-1": 0});
        for (operation, expected) in [
            (json!({"op": "remove", "path": "/a/-3"}), json!([2, [3, 4]])),
            (
                json!({"op": "replace", "path": "/a/-2", "value": 9}),
                json!([1, 9, [3, 4]]),
            ),
            (
                json!({"op": "add", "path": "/a/-1", "value": 9}),
                json!([1, 2, [3, 4], 9]),
            ),
            (
                json!({"op": "add", "path": "/a/-2", "value": 9}),
                json!([1, 2, 9, [3, 4]]),
            ),
            (
                json!({"op": "add", "path": "/a/-1/-1", "value": 9}),
                json!([1, 2, [3, 4, 9]]),
            ),
            (
                json!({"op": "move", "from": "/a/-3", "path": "/a/-1"}),
                json!([2, [3, 4], 1]),
            ),
            (
                json!({"op": "copy", "from": "/a/-1/-2", "path": "/a/-4"}),
                json!([3, 1, 2, [3, 4]]),
            ),
            (
                json!({"op": "test", "path": "/a/-2", "value": 2}),
                json!([1, 2, [3, 4]]),
            ),
            (
                json!({"op": "remove", "path": "/-1"}),
                json!([1, 2, [3, 4]]),
            ),
        ] {
            let body = json!([operation]).to_string();
            let patched = apply(&document, body.as_bytes());
            assert_eq!(
                patched.map(|patched| patched["a"].clone()),
                Ok(expected),
                "{operation}"
            );
        }
        for operation in [
            json!({"op": "remove", "path": "/a/-4"}),
            json!({"op": "add", "path": "/a/-5", "value": 9}),
        ] {
            let body = json!([operation]).to_string();
            let patched = apply(&document, body.as_bytes());
            assert!(
                matches!(patched, Err(PatchError::Rejected(_))),
                "{operation}"
            );
        }
    }

    #[test]
    fn null_is_what_is_not_there() {
        let document = json!({"a": {"b": null, "c": 1}, "d": []});
        for (path, value, passes) in [
            ("/x", json!(null), true),
            ("/a/x", json!(null), true),
            ("/a/b", json!(null), true),
            ("/a/c", json!(null), false),
            ("/x/y", json!(null), false),
            ("/d/0", json!(null), false),
            ("/x", json!(1), false),
        ] {
            let body = json!([{"op": "test", "path": path, "value": value}]).to_string();
            assert_eq!(
                apply(&document, body.as_bytes()).is_ok(),
                passes,
                "{path} {value}"
            );
        }
    }

    #[test]
    fn copies_are_bounded() {
        let copy = |i: usize| json!({"op": "copy", "from": "", "path": format!("/{i}")});
        let bomb = Value::Array((0..100).map(copy).collect()).to_string();
        let error = apply(&json!({"a": "x".repeat(1000)}), bomb.as_bytes()).unwrap_err();
        assert_eq!(error.status("", "", "").code, 422);
    }
}
