//! JSON into a tree, with an eye on duplicate fields, which a tree alone would hide.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::json;

/// Duplicates that are told; upstream stops at as many strict errors.
const MAX_DUPLICATES: usize = 100;

/// Bytes of texts that are made to find where fields stand.
const MAX_TEXT: usize = 1 << 20;

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
    let note = |place: Place<'_>, again: bool| {
        let mut found = found.borrow_mut();
        if again && found.len() < MAX_DUPLICATES {
            let message = duplicate(place);
            if !found.contains(&message) {
                found.push(message);
            }
        }
    };
    let value = walk(bytes, &note)?;
    Ok(Decoded {
        value,
        duplicates: found.into_inner(),
    })
}

/// Spells numbers as Go's encoder does and its decoder reads them: `2.0` and `2e0` are `2`, and so the same to whoever compares them; what
/// is beyond 64 bits with a sign is a float.
pub fn spell_numbers(tree: &mut Value) {
    match tree {
        Value::Number(number) => {
            if let Some(spelled) = spelled(number) {
                *number = spelled;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(spell_numbers),
        Value::Object(map) => map.values_mut().for_each(spell_numbers),
        _ => {}
    }
}

/// The number that is read where this one was written; `None` where that is the same.
fn spelled(number: &Number) -> Option<Number> {
    let value = number.as_f64().filter(|_| !number.is_i64())?;
    match value {
        0.0 => Some(0.into()),
        _ if value.fract() == 0.0 => json::number(value).parse().ok(),
        _ => None,
    }
}

/// Puts what was found in a body, `unknown field "X"` and `duplicate field "X"`, into the order in which it stands there, as
/// upstream's decoder meets it. What does not stand there comes first, in the order that it has; what stands behind
/// [`MAX_TEXT`] too.
pub fn in_order(bytes: &[u8], problems: &mut [String]) {
    let places = problems.iter().map(|problem| (problem.clone(), 0));
    let places = RefCell::new(places.collect::<HashMap<String, usize>>());
    let (met, text) = (Cell::new(0), Cell::new(0));
    let note = |place: Place<'_>, again: bool| {
        if text.get() > MAX_TEXT {
            return;
        }
        let message = if again {
            duplicate(place)
        } else {
            unknown(place)
        };
        met.set(met.get() + 1);
        text.set(text.get() + message.len());
        if let Some(place @ 0) = places.borrow_mut().get_mut(&message) {
            *place = met.get();
        }
    };
    // It was read before; were it no JSON, there would be no order.
    if walk(bytes, &note).is_ok() {
        let places = places.into_inner();
        problems.sort_by_key(|problem| places.get(problem).copied());
    }
}

fn walk(bytes: &[u8], note: &dyn Fn(Place<'_>, bool)) -> Result<Value, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let place = Place::Root;
    let value = Node { place, note }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

fn duplicate(place: Place<'_>) -> String {
    format!("duplicate field \"{place}\"")
}

fn unknown(place: Place<'_>) -> String {
    format!("unknown field \"{place}\"")
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
    /// Told of every field, and whether it stands there again.
    note: &'a dyn Fn(Place<'_>, bool),
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
            note: self.note,
        })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let place = Place::Field(&self.place, &key);
            (self.note)(place, map.contains_key(&key));
            let note = self.note;
            let value = access.next_value_seed(Node { place, note })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn numbers_are_spelled_as_they_will_be_read() {
        let mut tree = serde_json::from_str(
            r#"{"a": [2.0, -1e3, 0.5, 9007199254740993, 1e18, -0.0], "b": {"c": 1e19}, "d": 9223372036854775809.5, "e": [18446744073709551615, 1e20, 1e21]}"#,
        )
        .unwrap();
        super::spell_numbers(&mut tree);
        let text = crate::json::text(&tree);
        assert_eq!(
            text,
            r#"{"a":[2,-1000,0.5,9007199254740993,1000000000000000000,0],"b":{"c":10000000000000000000},"d":9223372036854776000,"e":[18446744073709552000,100000000000000000000,1e+21]}"#
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            tree
        );
    }

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
    fn problems_are_told_as_they_are_met() {
        let body = br#"{"b":{"y":[{"x":1}]},"a":1,"a":2,"0":3}"#;
        let mut problems = [
            "line 3",
            "duplicate field \"a\"",
            "unknown field \"0\"",
            "unknown field \"b.y[0].x\"",
        ]
        .map(String::from);
        super::in_order(body, &mut problems);
        assert_eq!(
            problems,
            [
                "line 3",
                "unknown field \"b.y[0].x\"",
                "duplicate field \"a\"",
                "unknown field \"0\""
            ]
        );
    }

    proptest::proptest! {
        /// Whatever stands there, nothing is lost and nothing comes twice.
        #[test]
        fn an_order_is_an_order(keys in proptest::collection::vec("[a-c]{1,2}", 0..8), body in "\\PC{0,30}") {
            let json: Vec<_> = keys.iter().map(|key| format!("{key:?}:1")).collect();
            for body in [format!("{{{}}}", json.join(",")), body] {
                let words = keys.iter().flat_map(|key| ["unknown", "duplicate"].map(|word| (word, key)));
                let mut problems: Vec<_> = words.map(|(word, key)| format!("{word} field {key:?}")).collect();
                let mut before = problems.clone();
                super::in_order(body.as_bytes(), &mut problems);
                before.sort();
                let again = problems.clone();
                super::in_order(body.as_bytes(), &mut problems);
                proptest::prop_assert_eq!(&again, &problems);
                problems.sort();
                proptest::prop_assert_eq!(before, problems);
            }
        }
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
