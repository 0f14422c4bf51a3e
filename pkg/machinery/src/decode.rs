//! JSON into a tree, with an eye on duplicate fields, which a tree alone would hide.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Duplicates that are told; upstream stops at as many strict errors.
const MAX_DUPLICATES: usize = 100;

/// A tree, and what was said twice in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    pub value: Value,
    /// As upstream's strict decoder words them: `duplicate field "spec.ports[0].name"`. The first hundred.
    pub duplicates: Vec<String>,
}

/// The bytes are no JSON (or are nested deeper than 128).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(#[from] serde_json::Error);

/// Reads JSON; of a duplicate field the last value counts.
///
/// # Errors
/// The bytes are no single JSON document.
pub fn json(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let found = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Node {
        place: Place::Root,
        found: &found,
    }
    .deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(Decoded {
        value,
        duplicates: found.into_inner(),
    })
}

/// Where a value stands. The text of it is made only for a duplicate, of which most bodies have none.
#[derive(Clone, Copy)]
enum Place<'a> {
    Root,
    Field(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, key) => f.write_str(key),
            Self::Field(above, key) => write!(f, "{above}.{key}"),
            Self::Item(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}

struct Node<'a> {
    place: Place<'a>,
    found: &'a RefCell<Vec<String>>,
}

impl Node<'_> {
    fn duplicate(&self, key: &str) {
        let mut found = self.found.borrow_mut();
        if found.len() < MAX_DUPLICATES {
            let message = format!("duplicate field \"{}\"", Place::Field(&self.place, key));
            if !found.contains(&message) {
                found.push(message);
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Number::from_f64(v).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.into()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = access.next_element_seed(Node {
            place: Place::Item(&self.place, list.len()),
            found: self.found,
        })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                self.duplicate(&key);
            }
            let value = access.next_value_seed(Node {
                place: Place::Field(&self.place, &key),
                found: self.found,
            })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn duplicates_are_named_once_each_and_the_last_counts() {
        let decoded = super::json(br#"{"a":1,"a":2,"a":3,"b":{"c":[{"d":1,"d":2}]}}"#).unwrap();
        assert_eq!(decoded.value, json!({"a": 3, "b": {"c": [{"d": 2}]}}));
        assert_eq!(
            decoded.duplicates,
            ["duplicate field \"a\"", "duplicate field \"b.c[0].d\""]
        );
    }

    #[test]
    fn only_so_many_duplicates_are_told() {
        let body = format!(
            "{{{}}}",
            (0..400)
                .map(|i| format!("\"k{}\":1", i % 200))
                .collect::<Vec<_>>()
                .join(",")
        );
        assert_eq!(super::json(body.as_bytes()).unwrap().duplicates.len(), 100);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for bad in ["", "{", "{} {}", "[1,]"] {
            assert!(super::json(bad.as_bytes()).is_err(), "{bad}");
        }
        let deep = "[".repeat(100_000);
        assert!(super::json(deep.as_bytes()).is_err());
    }

    #[test]
    fn numbers_keep_their_kind() {
        let decoded = super::json(b"[1, -1, 18446744073709551615, 1.5]").unwrap();
        assert_eq!(decoded.value, json!([1, -1, u64::MAX, 1.5]));
    }
}
