//! What has become of a request: approved or denied, once and for all, or failed.

use jiff::Timestamp;
use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object, time};
use serde_json::Value;

use crate::check;
use crate::value::{structs_mut, text};

const PATH: &str = "status.conditions";
/// Decisions, made through `approval` alone.
const DECISIONS: [&str; 2] = ["Approved", "Denied"];
/// Conditions that never go, and are never anything but true.
const FINAL: [&str; 3] = ["Approved", "Denied", "Failed"];

fn all(object: &Object) -> &[Value] {
    let list = object
        .at(&["status", "conditions"])
        .and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn of_type<'a>(object: &'a Object, kind: &'a str) -> Vec<&'a Value> {
    let list = all(object).iter();
    list.filter(|condition| text(condition, "type") == kind)
        .collect()
}

/// A status write repeats decisions; it need not repeat them word for word.
pub(super) fn keep_decisions(new: &mut Object, old: &Object) {
    for kind in DECISIONS {
        let before = of_type(old, kind);
        if before.is_empty() || before.len() != of_type(new, kind).len() {
            continue;
        }
        let mut before = before.into_iter();
        let list = child_mut(&mut new.0, "status").get_mut("conditions");
        let list = list.and_then(Value::as_array_mut).into_iter().flatten();
        for slot in list.filter(|condition| text(condition, "type") == kind) {
            if let Some(condition) = before.next() {
                *slot = condition.clone();
            }
        }
    }
}

/// Writes the times of conditions that have none; a condition that stays as it is keeps the time of its last change.
pub(super) fn stamp(new: &mut Object, old: &Object, now: Timestamp) {
    let now: Value = time::rfc3339(now).into();
    for condition in structs_mut(child_mut(&mut new.0, "status"), "conditions") {
        let has = |condition: &serde_json::Map<String, Value>, key: &str| {
            condition.get(key).is_some_and(|value| !value.is_null())
        };
        if !has(condition, "lastUpdateTime") {
            condition.insert("lastUpdateTime".into(), now.clone());
        }
        if has(condition, "lastTransitionTime") {
            continue;
        }
        let same = all(old).iter().find(|before| {
            ["type", "status"]
                .iter()
                .all(|key| before.get(*key) == condition.get(*key))
        });
        let since = same
            .and_then(|before| before.get("lastTransitionTime"))
            .filter(|since| !since.is_null());
        let since = since.unwrap_or(&now).clone();
        condition.insert("lastTransitionTime".into(), since);
    }
}

/// What is wrong with the conditions; `decides` where decisions may be made.
pub(super) fn validate(new: &Object, old: &Object, decides: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    // What is wrong already is not this request's fault.
    let both = |object: &Object| {
        DECISIONS
            .iter()
            .all(|kind| !of_type(object, kind).is_empty())
    };
    for (index, condition) in all(new).iter().enumerate() {
        let at = |key: &str| format!("{PATH}[{index}].{key}");
        let kind = text(condition, "type");
        if kind.is_empty() {
            errors.push(FieldError::required(at("type"), ""));
        }
        let words: &[&str] = if FINAL.contains(&kind) {
            &["True"]
        } else {
            &["False", "True", "Unknown"]
        };
        errors.extend(check::one_of(
            &at("status"),
            text(condition, "status"),
            words,
        ));
        let other = DECISIONS.iter().find(|other| **other != kind);
        if DECISIONS.contains(&kind)
            && other.is_some_and(|other| seen.contains(other))
            && !both(old)
        {
            let detail = "Approved and Denied conditions are mutually exclusive";
            errors.push(FieldError::invalid(at("type"), kind, detail));
        }
        if seen.contains(&kind) {
            errors.push(FieldError::duplicate(at("type"), kind));
        }
        seen.push(kind);
    }
    for kind in FINAL {
        let (before, after) = (of_type(old, kind), of_type(new, kind));
        let mut refuse = |verb: &str| {
            let detail = format!("updates may not {verb} a condition of type {kind:?}");
            errors.push(FieldError::forbidden(PATH, detail));
        };
        if after.len() < before.len() {
            refuse("remove");
        } else if !decides && DECISIONS.contains(&kind) {
            if after.len() > before.len() {
                refuse("add");
            } else if after != before {
                refuse("modify");
            }
        }
    }
    errors
}
