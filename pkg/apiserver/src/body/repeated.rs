//! Keys that a YAML document says more than once.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Error, Options, Spanned};

/// Each as upstream's parser tells it, `line 4: key "a" already set in map`, in the order in which it is done with the values.
pub(super) fn keys(body: &[u8]) -> Result<Vec<String>, Error> {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    let found: Repeated = serde_saphyr::from_slice_with_options(body, options)?;
    Ok(found.0)
}

#[derive(Default)]
struct Repeated(Vec<String>);

impl<'de> Deserialize<'de> for Repeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Repeated;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Repeated, A::Error> {
        let mut told = Vec::new();
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let below: Spanned<Repeated> = map.next_value()?;
            told.extend(below.value.0);
            if seen.contains(&key) {
                let line = below.referenced.line();
                told.push(format!("line {line}: key {key:?} already set in map"));
            } else {
                seen.insert(key);
            }
        }
        Ok(Repeated(told))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Repeated, A::Error> {
        let mut told = Vec::new();
        while let Some(below) = list.next_element::<Repeated>()? {
            told.extend(below.0);
        }
        Ok(Repeated(told))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Repeated, D::Error> {
        Repeated::deserialize(deserializer)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Repeated, E> {
        Ok(Repeated::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Repeated, E> {
        Ok(Repeated::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Repeated, E> {
        Ok(Repeated::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Repeated, E> {
        Ok(Repeated::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Repeated, E> {
        Ok(Repeated::default())
    }

    fn visit_none<E>(self) -> Result<Repeated, E> {
        Ok(Repeated::default())
    }

    fn visit_unit<E>(self) -> Result<Repeated, E> {
        Ok(Repeated::default())
    }
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn every_one_is_told_by_the_line_of_its_value() {
        let body = "a: 1\nb:\n- c: [x, 1.5, null, true]\n  d: {e: 1, e: -2}\n  c: y\nf: 1\na:\n  g: 1\n  g: 2\n";
        let told = [
            "line 4: key \"e\" already set in map",
            "line 5: key \"c\" already set in map",
            "line 9: key \"g\" already set in map",
            "line 8: key \"a\" already set in map",
        ];
        assert_eq!(keys(body.as_bytes()).unwrap(), told);
        assert!(keys(b"a: 1\nb: [2]\n").unwrap().is_empty());
    }
}
