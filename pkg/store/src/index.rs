//! What selects an object: its labels, its uid and its owners, read without keeping the tree.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The selectable part of an object's metadata; empty for values that are no objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    /// Sorted by key.
    pub labels: Box<[(Box<str>, Box<str>)]>,
    pub uid: Box<str>,
    pub owners: Box<[Box<str>]>,
}

#[derive(Deserialize)]
struct Partial {
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    labels: Option<BTreeMap<Box<str>, Option<Box<str>>>>,
    uid: Option<Box<str>>,
    owner_references: Option<Vec<Owner>>,
}

#[derive(Deserialize)]
struct Owner {
    uid: Option<Box<str>>,
}

impl Index {
    /// From a whole object. Parts of the wrong type count as absent.
    pub fn of_tree(tree: &Value) -> Self {
        let Some(metadata) = tree.get("metadata").and_then(Value::as_object) else {
            return Self::default();
        };
        let labels = metadata.get("labels").and_then(Value::as_object);
        let owners = metadata.get("ownerReferences").and_then(Value::as_array);
        let mut labels: Box<[(Box<str>, Box<str>)]> = labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())))
            .collect();
        labels.sort_unstable();
        Self {
            labels,
            uid: metadata
                .get("uid")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .into(),
            owners: owners
                .into_iter()
                .flatten()
                .filter_map(|owner| Some(owner.get("uid")?.as_str()?.into()))
                .collect(),
        }
    }

    /// From an object's bytes; nothing but these fields is built. What is no JSON object has an empty index.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        if bytes.first() != Some(&b'{') {
            return Self::default();
        }
        let Ok(Partial {
            metadata: Some(metadata),
        }) = serde_json::from_slice(bytes)
        else {
            return Self::default();
        };
        Self {
            labels: metadata
                .labels
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| Some((key, value?)))
                .collect(),
            uid: metadata.uid.unwrap_or_default(),
            owners: metadata
                .owner_references
                .into_iter()
                .flatten()
                .filter_map(|owner| owner.uid)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tree_and_bytes_agree() {
        for tree in [
            json!({}),
            json!({"metadata": {}}),
            json!({"metadata": null}),
            json!({"metadata": {"labels": null, "ownerReferences": null}}),
            json!({"metadata": {"uid": "u", "labels": {"b": "2", "a": "1"},
                   "ownerReferences": [{"uid": "o1", "kind": "Service"}, {"kind": "Node"}, {"uid": "o2"}]}, "spec": {"x": [1, 2]}}),
            json!(["metadata"]),
            json!(7),
        ] {
            let bytes = serde_json::to_vec(&tree).unwrap();
            assert_eq!(Index::of_tree(&tree), Index::of_bytes(&bytes), "{tree}");
        }
    }

    #[test]
    fn reads_what_selects() {
        let index = Index::of_bytes(
            br#"{"metadata":{"labels":{"app":"web"},"uid":"u","ownerReferences":[{"uid":"o"}]},"kind":"Service"}"#,
        );
        assert_eq!(index.labels[..], [("app".into(), "web".into())]);
        assert_eq!(&*index.uid, "u");
        assert_eq!(index.owners[..], ["o".into()]);
    }

    #[test]
    fn a_claim_has_none() {
        assert_eq!(Index::of_bytes(b"default/web"), Index::default());
        assert_eq!(Index::of_bytes(b""), Index::default());
    }
}
