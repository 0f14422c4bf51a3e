//! The texts of the schemas, kept out of [`kedge_machinery::schema::Definitions`]: they are `k8s-openapi`'s, taken at build
//! time, and inflated while a document is made.

use std::io::Read as _;

use flate2::read::DeflateDecoder;

/// Records of definition, field and text; see `build.rs`.
const COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptions.deflate"));

/// All texts as one, for [`Descriptions`] to borrow from.
pub(super) fn inflate() -> String {
    let mut text = String::new();
    // The input is a constant that a test reads whole; were it damaged, the documents would only lack texts.
    match DeflateDecoder::new(COMPRESSED).read_to_string(&mut text) {
        Ok(_) => text,
        Err(_) => String::new(),
    }
}

/// Texts by definition and field.
pub(super) struct Descriptions<'a>(Vec<(&'a str, &'a str, &'a str)>);

impl<'a> Descriptions<'a> {
    pub(super) fn new(inflated: &'a str) -> Self {
        let records = inflated.split('\x1e').filter_map(|record| {
            let (definition, rest) = record.split_once('\x1f')?;
            let (field, text) = rest.split_once('\x1f')?;
            Some((definition, field, text))
        });
        Self(records.collect())
    }

    /// The text of a field, or of the definition itself when `field` is empty; empty when there is none.
    pub(super) fn of(&self, definition: &str, field: &str) -> &'a str {
        let found = self
            .0
            .binary_search_by(|(d, f, _)| (*d, *f).cmp(&(definition, field)));
        found
            .ok()
            .and_then(|at| self.0.get(at))
            .map_or("", |(_, _, text)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value};

    #[test]
    fn every_text_is_found_again() {
        let schemas: Map<String, Value> =
            serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/schemas.json"))).unwrap();
        let inflated = inflate();
        let descriptions = Descriptions::new(&inflated);
        let mut count = 0;
        for (name, schema) in &schemas {
            assert_eq!(
                descriptions.of(name, ""),
                schema["description"].as_str().unwrap_or_default(),
                "{name}"
            );
            for (field, part) in schema["properties"].as_object().into_iter().flatten() {
                let text = part["description"].as_str().unwrap_or_default();
                assert_eq!(descriptions.of(name, field), text, "{name}.{field}");
                count += usize::from(!text.is_empty());
            }
        }
        assert!(count > 700, "{count}");
        assert_eq!(descriptions.of("none", ""), "");
    }
}
