//! A Kubernetes object: a JSON tree, with ways to its metadata.

use serde_json::{Map, Value};

/// A JSON tree whose root is an object. Nothing else is promised of it: a part that is absent or of
/// the wrong type reads as empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object(pub Map<String, Value>);

impl Object {
    /// From a tree; `None` when its root is not an object.
    #[must_use]
    pub fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self(map)),
            _ => None,
        }
    }

    /// The whole tree.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// `apiVersion`, or empty.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("apiVersion")
    }

    /// `kind`, or empty.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("kind")
    }

    /// `metadata`, where there is one.
    #[must_use]
    pub fn meta(&self) -> Option<&Map<String, Value>> {
        self.0.get("metadata").and_then(Value::as_object)
    }

    /// `metadata`, made when it is absent or not an object.
    pub fn meta_mut(&mut self) -> &mut Map<String, Value> {
        child_mut(&mut self.0, "metadata")
    }

    /// A string of the metadata, or empty.
    #[must_use]
    pub fn meta_text(&self, key: &str) -> &str {
        self.meta()
            .and_then(|m| m.get(key))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    #[must_use]
    pub fn name(&self) -> &str {
        self.meta_text("name")
    }

    /// Empty for cluster-scoped objects.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.meta_text("namespace")
    }

    #[must_use]
    pub fn uid(&self) -> &str {
        self.meta_text("uid")
    }

    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.meta_text("resourceVersion")
    }

    /// True once deletion was asked for and finalizers or grace hold it back.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        !self.meta_text("deletionTimestamp").is_empty()
    }

    /// `metadata.labels`: pairs with string values.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.meta_pairs("labels")
    }

    /// `metadata.annotations`: pairs with string values.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.meta_pairs("annotations")
    }

    fn meta_pairs(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        self.meta()
            .and_then(|m| m.get(key))
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)))
    }

    /// `metadata.finalizers`.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.meta()
            .and_then(|m| m.get("finalizers"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    }

    /// The value at a path of object keys.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.0.get(*first)?, |v, key| v.get(*key))
    }
}

/// The object under `key`, made when it is absent or not an object.
pub fn child_mut<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let slot = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("just made an object"),
    }
}
