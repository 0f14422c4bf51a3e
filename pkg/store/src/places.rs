//! Where in an object's JSON stands what the store looks at.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::labels::Place;

/// Known from writing an object, or found in its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// `metadata.labels`.
    pub labels: Place,
    /// `metadata.managedFields[]`, in order, behind the labels: each to where its time begins, if that is last, else whole.
    pub managers: Vec<Range<usize>>,
}

#[derive(Deserialize)]
struct Partial<'a> {
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    #[serde(borrow)]
    managed_fields: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Manager<'a> {
    #[serde(borrow)]
    time: Option<&'a RawValue>,
}

impl Places {
    /// In an object's bytes. What is no JSON object has none.
    pub fn find(bytes: &[u8]) -> Self {
        if bytes.first() != Some(&b'{') {
            return Self::default();
        }
        let parsed = serde_json::from_slice(bytes).ok();
        let Some(metadata) = parsed.and_then(|Partial { metadata }| metadata) else {
            return Self::default();
        };
        let span = |text: &RawValue| {
            let start = text.get().as_ptr().addr() - bytes.as_ptr().addr();
            start..start + text.get().len()
        };
        let labels = metadata.labels.map(span).map_or_else(Place::default, |at| {
            Place::since(at.start, &bytes[..at.end])
        });
        let managers = metadata.managed_fields.map(RawValue::get);
        let managers = managers.and_then(|text| serde_json::from_str::<Vec<&RawValue>>(text).ok());
        let managers = managers.into_iter().flatten().filter_map(|manager| {
            let Manager { time } = serde_json::from_str(manager.get()).ok()?;
            let (whole, time) = (span(manager), time.map(span));
            let last = time.filter(|time| time.end + 1 == whole.end);
            Some(whole.start..last.map_or(whole.end, |time| time.start))
        });
        let mut managers: Vec<_> = managers.collect();
        if managers
            .first()
            .is_some_and(|first| first.start < labels.end())
        {
            managers.clear();
        }
        Self { labels, managers }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Encoded;

    #[test]
    fn found_as_they_were_written() {
        for (tree, managers) in [
            (
                json!({"metadata": {"managedFields": 7, "labels": {"a": "b"}}}),
                vec![],
            ),
            (json!({"metadata": {"managedFields": []}}), vec![]),
            (
                json!({"metadata": {"managedFields": [{}, 7, {"time": "t", "zone": "z"}, {"time": null}]}}),
                vec!["{}", r#"{"time":"t","zone":"z"}"#, r#"{"time":null}"#],
            ),
            (
                json!({"metadata": {"managedFields": [{"fieldsV1": null, "manager": "a"}, {"fieldsV1": {"f:x": {}}, "time": "t"}], "labels": {"a": "b"}}}),
                vec![
                    r#"{"fieldsV1":null,"manager":"a"}"#,
                    r#"{"fieldsV1":{"f:x":{}},"time":"#,
                ],
            ),
            (
                json!({"metadata": {"managedFields": [{"manager": "a\"\u{1}", "fieldsV1": {}}, {"fieldsV1": {"f:y": {".": {}}}}]}, "data": {"managedFields": [{"fieldsV1": {}}]}}),
                vec![
                    r#"{"fieldsV1":{},"manager":"a\"\u0001"}"#,
                    r#"{"fieldsV1":{"f:y":{".":{}}}}"#,
                ],
            ),
        ] {
            let encoded = Encoded::object(&tree);
            let bytes = encoded.at(12);
            assert_eq!(encoded.places, Places::find(&bytes), "{tree}");
            let texts = encoded
                .places
                .managers
                .iter()
                .map(|span| &bytes[span.clone()]);
            assert!(
                texts.eq(managers.iter().map(|text| text.as_bytes())),
                "{tree}"
            );
        }
    }

    #[test]
    fn what_stands_before_the_labels_is_left_out() {
        let bytes = br#"{"metadata":{"managedFields":[{"fieldsV1":{}}],"labels":{"a":"b"}}}"#;
        let places = Places::find(bytes);
        assert!(places.managers.is_empty());
        assert_eq!(places.labels.read(bytes).get("a"), Some("b"));
    }
}
