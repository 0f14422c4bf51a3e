//! Bytes of an object whose revision is not known before it commits.

use std::ops::Range;

use kedge_machinery::json;
use serde_json::{Map, Value};

use crate::labels::Place;
use crate::places::Places;

/// Where the revision stands in an object's metadata.
const FIELD: &str = "resourceVersion";
/// What stands there before [`FIELD`], so that its place does not move when that is filled in.
const LABELS: &str = "labels";
const MANAGED_FIELDS: &str = "managedFields";
/// What stands last of a manager, and differs from object to object.
const TIME: &str = "time";

/// JSON bytes with the place where the committer writes the revision, once, at commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    bytes: Vec<u8>,
    /// Offset between the quotes of `metadata.resourceVersion`; `None` for values that have none.
    revision_at: Option<usize>,
    /// Known from writing them, so that the committer need not parse.
    pub(crate) places: Places,
}

impl Encoded {
    /// Encodes an object; its `metadata.resourceVersion` is left for the committer, whatever the tree says.
    /// `metadata` that is absent or not an object becomes one. A tree that is no object is encoded as it is.
    /// The same tree always gives the same bytes.
    #[must_use]
    pub fn object(tree: &Value) -> Self {
        let mut bytes = Vec::with_capacity(1024);
        let Value::Object(root) = tree else {
            json::append(&mut bytes, tree);
            return Self::plain(bytes);
        };
        let mut revision_at = 0;
        let empty = Map::new();
        let metadata = root
            .get("metadata")
            .and_then(Value::as_object)
            .unwrap_or(&empty);

        bytes.push(b'{');
        let before = root.iter().filter(|(key, _)| key.as_str() < "metadata");
        let after = root.iter().filter(|(key, _)| key.as_str() > "metadata");
        for (key, value) in before {
            field(&mut bytes, key);
            json::append(&mut bytes, value);
        }
        field(&mut bytes, "metadata");
        bytes.push(b'{');
        let mut places = Places::default();
        for (key, value) in metadata.iter().filter(|(key, _)| key.as_str() < FIELD) {
            field(&mut bytes, key);
            let start = bytes.len();
            match value {
                Value::Array(managers) if key == MANAGED_FIELDS => {
                    places.managers = managed_fields(&mut bytes, managers);
                }
                _ => json::append(&mut bytes, value),
            }
            if key == LABELS && value.is_object() {
                places.labels = Place::since(start, &bytes);
            }
        }
        field(&mut bytes, FIELD);
        bytes.push(b'"');
        revision_at += bytes.len();
        bytes.push(b'"');
        for (key, value) in metadata.iter().filter(|(key, _)| key.as_str() > FIELD) {
            field(&mut bytes, key);
            json::append(&mut bytes, value);
        }
        bytes.push(b'}');
        for (key, value) in after {
            field(&mut bytes, key);
            json::append(&mut bytes, value);
        }
        bytes.push(b'}');
        Self {
            bytes,
            revision_at: Some(revision_at),
            places,
        }
    }

    /// Bytes stored as they are: claims and counters.
    #[must_use]
    pub fn plain(bytes: Vec<u8>) -> Self {
        let places = Places::find(&bytes);
        Self {
            bytes,
            revision_at: None,
            places,
        }
    }

    /// The final bytes at `revision`.
    #[must_use]
    pub fn at(&self, revision: u64) -> Vec<u8> {
        let Some(at) = self.revision_at else {
            return self.bytes.clone();
        };
        let revision = revision.to_string();
        let (head, tail) = self.bytes.split_at(at);
        [head, revision.as_bytes(), tail].concat()
    }

    /// Bytes waiting, without the revision.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Appends `metadata.managedFields`; where each stands then, without its time.
fn managed_fields(bytes: &mut Vec<u8>, managers: &[Value]) -> Vec<Range<usize>> {
    let mut timeless = Vec::with_capacity(managers.len());
    bytes.push(b'[');
    for (number, manager) in managers.iter().enumerate() {
        if number > 0 {
            bytes.push(b',');
        }
        let Value::Object(manager) = manager else {
            json::append(bytes, manager);
            continue;
        };
        let start = bytes.len();
        let mut end = None;
        bytes.push(b'{');
        let is_timed = manager.keys().next_back().is_some_and(|last| last == TIME);
        for (key, value) in manager {
            field(bytes, key);
            if is_timed && key == TIME && !value.is_null() {
                end = Some(bytes.len());
            }
            json::append(bytes, value);
        }
        bytes.push(b'}');
        timeless.push(start..end.unwrap_or(bytes.len()));
    }
    bytes.push(b']');
    timeless
}

/// `"key":`, after a comma where one is due.
fn field(bytes: &mut Vec<u8>, key: &str) {
    if bytes.last() != Some(&b'{') {
        bytes.push(b',');
    }
    json::append(bytes, key);
    bytes.push(b':');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn with_revision(tree: &Value, revision: u64) -> Value {
        let mut tree = tree.clone();
        if !tree["metadata"].is_object() {
            tree["metadata"] = json!({});
        }
        tree["metadata"]["resourceVersion"] = json!(revision.to_string());
        tree
    }

    #[test]
    fn plain_is_untouched() {
        assert_eq!(
            Encoded::plain(b"default/web".to_vec()).at(9),
            b"default/web"
        );
        assert_eq!(Encoded::object(&json!([1])).at(9), b"[1]");
    }

    #[test]
    fn metadata_is_made() {
        for tree in [
            json!({}),
            json!({"metadata": null}),
            json!({"metadata": 3, "spec": {}, "kind": "A"}),
        ] {
            let bytes = Encoded::object(&tree).at(12);
            assert_eq!(
                serde_json::from_slice::<Value>(&bytes).unwrap(),
                with_revision(&tree, 12)
            );
        }
    }

    fn trees() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        let inner = leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        let metadata = proptest::collection::btree_map(
            prop_oneof![
                "[a-z]{1,6}",
                Just("resourceVersion".to_owned()),
                Just("resourceVersion2".to_owned())
            ],
            inner.clone(),
            0..5,
        );
        (
            proptest::collection::btree_map("[a-z]{0,9}", inner, 0..5),
            proptest::option::of(metadata),
        )
            .prop_map(|(mut root, metadata)| {
                if let Some(metadata) = metadata {
                    root.insert(
                        "metadata".into(),
                        Value::Object(metadata.into_iter().collect()),
                    );
                }
                Value::Object(root.into_iter().collect())
            })
    }

    proptest! {
        #[test]
        fn parses_to_the_tree_with_its_revision(tree in trees(), revision: u64) {
            let encoded = Encoded::object(&tree);
            let bytes = encoded.at(revision);
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), with_revision(&tree, revision));
            prop_assert_eq!(Encoded::object(&tree.clone()).at(revision), bytes);
        }
    }
}
