//! An object's labels, where they stand in its bytes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The place of `metadata.labels` in an object's JSON; empty for values without.
///
/// Every object has some, and few are ever selected by them: a copy of the texts would be a tenth of what an
/// object takes in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    start: u32,
    len: u32,
}

/// Keys and values, in the order of the bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Labels<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Place {
    /// Of what was written from `start` to the end of `bytes`.
    pub fn since(start: usize, bytes: &[u8]) -> Self {
        let place = |start: usize| {
            Some((
                start.try_into().ok()?,
                (bytes.len() - start).try_into().ok()?,
            ))
        };
        place(start).map_or_else(Self::default, |(start, len)| Self { start, len })
    }

    /// The first byte after it.
    pub fn end(self) -> usize {
        self.start as usize + self.len as usize
    }

    /// The labels that stand there. None where that is nothing of their shape.
    pub fn read(self, bytes: &[u8]) -> Labels<'_> {
        let start = self.start as usize;
        let text = bytes.get(start..start + self.len as usize);
        text.and_then(|text| serde_json::from_slice(text).ok())
            .unwrap_or_default()
    }
}

impl Labels<'_> {
    /// The value of a label.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Labels<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Labels<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut labels = Vec::new();
                while let Some((Text(key), value)) = map.next_entry::<_, Option<Text<'de>>>()? {
                    labels.extend(value.map(|Text(value)| (key, value)));
                }
                Ok(Labels(labels))
            }
        }
        from.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Encoded;
    use crate::places::Places;

    #[test]
    fn found_as_they_were_written() {
        for tree in [
            json!({}),
            json!({"metadata": {}}),
            json!({"metadata": null}),
            json!({"metadata": {"labels": null}}),
            json!({"metadata": {"labels": "none"}}),
            json!({"metadata": {"annotations": {"labels": "x"}, "uid": "u", "labels": {"b": "2", "a\"": "\u{e9}\n", "empty": ""}}, "spec": {"x": [1, 2]}}),
            json!(["metadata"]),
            json!(7),
        ] {
            let encoded = Encoded::object(&tree);
            let bytes = encoded.at(12);
            let read = encoded.places.labels.read(&bytes);
            assert_eq!(read, Places::find(&bytes).labels.read(&bytes), "{tree}");
            let labels = tree["metadata"]["labels"].as_object();
            let labels = labels.into_iter().flatten();
            let labels = labels.map(|(key, value)| (key.as_str(), value.as_str().unwrap()));
            assert!(read.iter().eq(labels), "{tree}");
        }
    }

    #[test]
    fn each_is_found() {
        let bytes =
            br#"{"metadata": {"labels": {"tier": "", "app": "web", "none": null}, "uid": "u"}}"#;
        let labels = Places::find(bytes).labels.read(bytes);
        assert_eq!(labels.get("app"), Some("web"));
        assert_eq!(labels.get("tier"), Some(""));
        assert_eq!(labels.get("none"), None);
        assert_eq!(labels.get("web"), None);
    }

    #[test]
    fn what_is_no_object_has_none() {
        for bytes in [&b"default/web"[..], b"", b"{", b"{}", b"{\"metadata\":1}"] {
            assert_eq!(Places::find(bytes), Places::default());
            assert_eq!(Place::default().read(bytes), Labels::default());
        }
    }
}
