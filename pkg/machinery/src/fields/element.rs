//! One step of a path to a field, and the order of such steps.

use std::cmp::Ordering;

use serde_json::{Map, Value};
use smol_str::{SmolStr, SmolStrBuilder, format_smolstr};

use crate::decode::spell_numbers;
use crate::json;

/// One step of a path: a field or map key, or an item of a list by its keys or its value.
///
/// Held in its `FieldsV1` spelling: `f:spec`, `k:{"port":80,"protocol":"TCP"}`, `v:"x"`, `i:0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathElement(SmolStr);

impl PathElement {
    #[must_use]
    pub fn field(name: &str) -> Self {
        let mut text = SmolStrBuilder::new();
        text.push_str("f:");
        text.push_str(name);
        Self(text.finish())
    }

    /// An item of a list of objects, by its keys; their order does not matter.
    #[must_use]
    pub fn key<'v>(keys: impl IntoIterator<Item = (&'v str, &'v Value)>) -> Self {
        let mut keys: Vec<(&str, &Value)> = keys.into_iter().collect();
        keys.sort_unstable_by_key(|(key, _)| *key);
        keys.dedup_by_key(|(key, _)| *key);
        let mut text = b"k:{".to_vec();
        for (i, (key, value)) in keys.into_iter().enumerate() {
            if i > 0 {
                text.push(b',');
            }
            json::append(&mut text, key);
            text.push(b':');
            json::append(&mut text, value);
        }
        text.push(b'}');
        Self(json::into_text(text).into())
    }

    /// An item of a set.
    #[must_use]
    pub fn value(value: &Value) -> Self {
        let mut text = b"v:".to_vec();
        json::append(&mut text, value);
        Self(json::into_text(text).into())
    }

    /// An item of a list by its place, which only an error needs: such items cannot be owned.
    #[must_use]
    pub fn index(index: usize) -> Self {
        Self(format_smolstr!("i:{index}"))
    }

    /// The field's name, when this is a field.
    #[must_use]
    pub fn as_field(&self) -> Option<&str> {
        self.0.strip_prefix("f:")
    }

    /// As a key of `FieldsV1`.
    #[must_use]
    pub fn as_text(&self) -> &str {
        &self.0
    }

    /// The same, to keep.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0.into()
    }

    /// Upstream's order (`PathElement.Compare`): fields, keys, values, indices, and numbers by their value.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (self.0.split_at(2), other.0.split_at(2));
        let rank = |kind: &str| ["f:", "k:", "v:", "i:"].iter().position(|k| *k == kind);
        rank(mine.0)
            .cmp(&rank(theirs.0))
            .then_with(|| match mine.0 {
                "f:" => mine.1.cmp(theirs.1),
                _ => compare_json(&read(mine.1), &read(theirs.1)),
            })
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self(text.into())),
            // Spelled anew, so that equal elements are equal text.
            "k" => {
                let keys = spelled(rest)?;
                let keys = keys.as_object()?.iter();
                Some(Self::key(keys.map(|(key, value)| (key.as_str(), value))))
            }
            "v" => Some(Self::value(&spelled(rest)?)),
            "i" => rest
                .parse::<u64>()
                .ok()
                .map(|i| Self(format_smolstr!("i:{i}"))),
            _ => None,
        }
    }
}

fn spelled(text: &str) -> Option<Value> {
    let mut value = serde_json::from_str(text).ok()?;
    spell_numbers(&mut value);
    Some(value)
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn compare_json(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x
            .as_f64()
            .partial_cmp(&y.as_f64())
            .unwrap_or(Ordering::Equal),
        (Value::Object(x), Value::Object(y)) => {
            let pairs = x
                .iter()
                .zip(y)
                .map(|((k, v), (l, w))| k.cmp(l).then_with(|| compare_json(v, w)));
            let first = pairs.fold(Ordering::Equal, Ordering::then);
            first.then_with(|| x.len().cmp(&y.len()))
        }
        _ => a.to_string().cmp(&b.to_string()),
    }
}

/// `.name`, `[port=80,protocol="TCP"]`, `[="x"]`, `[0]`.
impl std::fmt::Display for PathElement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.split_at(2) {
            ("f:", name) => write!(f, ".{name}"),
            ("k:", keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let pairs: Vec<String> = keys
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                write!(f, "[{}]", pairs.join(","))
            }
            ("v:", value) => write!(f, "[={value}]"),
            (_, index) => write!(f, "[{index}]"),
        }
    }
}
