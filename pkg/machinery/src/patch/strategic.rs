//! Strategic merge patch (apimachinery `util/strategicpatch`): a merge patch that knows lists by their merge keys.
//!
//! Directives: `$patch` (replace, delete, merge), `$retainKeys`, `$setElementOrder/FIELD`,
//! `$deleteFromPrimitiveList/FIELD`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::order::{Identity, arrange};
use super::{PatchError, object};
use crate::schema::{Definitions, PatchStrategy, Schema, Shape};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// The document with the patch merged in, by the schema's strategies and merge keys.
///
/// # Errors
/// [`PatchError::Malformed`]: the body is no JSON object, or a directive has no value of its form.
/// [`PatchError::Unmergeable`]: a `$patch` is unknown, an item of a list lacks its merge key, or the order asked for does not fit the list.
pub fn apply(
    definitions: &Definitions,
    schema: &Schema,
    document: &Value,
    body: &[u8],
) -> Result<Value, PatchError> {
    // To Go a null is a map without fields.
    let patch = match body.trim_ascii() {
        b"null" => Map::new(),
        body => object(body)?,
    };
    let original = document.as_object().cloned().unwrap_or_default();
    let merged = Merger { definitions }.map(Some(schema), original, patch)?;
    Ok(Value::Object(merged))
}

type Fields = Map<String, Value>;

struct Merger<'a> {
    definitions: &'a Definitions,
}

/// How the items of a list are told apart.
#[derive(Clone, Copy)]
enum ListMerge<'a> {
    Replace,
    /// Scalars, each once.
    Primitives,
    Keyed {
        key: &'a str,
        item: &'a Schema,
    },
}

impl<'a> ListMerge<'a> {
    fn identity(self) -> Identity<'a> {
        match self {
            Self::Keyed { key, .. } => Identity::Key(key),
            Self::Replace | Self::Primitives => Identity::Value,
        }
    }
}

impl<'a> Merger<'a> {
    fn field(&self, schema: Option<&'a Schema>, key: &str) -> Option<&'a Schema> {
        match &self.definitions.resolve(schema?).shape {
            Shape::Struct { fields, .. } => fields.get(key),
            Shape::Map { value, .. } => Some(value),
            _ => None,
        }
    }

    fn list_merge(&self, schema: Option<&'a Schema>) -> ListMerge<'a> {
        let Some(field) = schema.filter(|s| s.patch_strategy.contains(&PatchStrategy::Merge))
        else {
            return ListMerge::Replace;
        };
        match (
            &self.definitions.resolve(field).shape,
            &field.patch_merge_key,
        ) {
            (Shape::List { item, .. }, Some(key)) => ListMerge::Keyed { key, item },
            (Shape::List { .. }, None) => ListMerge::Primitives,
            _ => ListMerge::Replace,
        }
    }

    fn map(
        &self,
        schema: Option<&'a Schema>,
        mut original: Fields,
        mut patch: Fields,
    ) -> Result<Fields, PatchError> {
        match patch.remove(PATCH) {
            None => {}
            Some(Value::String(word)) if word == "replace" => return Ok(without_directives(patch)),
            Some(Value::String(word)) if word == "delete" => return Ok(Map::new()),
            Some(other) => return Err(unknown_patch(&other, &Value::Object(patch))),
        }
        retain_keys(&mut original, &mut patch)?;
        let orders = take_lists(&mut patch, SET_ORDER)?;
        let deletions = take_lists(&mut patch, DELETE_FROM)?;
        for (field, order) in &orders {
            let identity = self.list_merge(self.field(schema, field)).identity();
            if let Some(Value::Array(list)) = patch.get(field) {
                check_order(identity, list, order)?;
            }
        }
        let live = orders
            .keys()
            .map(|field| (field.clone(), list_of(original.get(field))))
            .collect::<BTreeMap<_, _>>();
        for (key, value) in patch {
            let field = self.field(schema, &key);
            let merged = match (original.remove(&key), value) {
                (_, Value::Null) => continue,
                (Some(Value::Object(old)), Value::Object(new)) if !replaces(field) => {
                    Value::Object(self.map(field, old, new)?)
                }
                (Some(Value::Array(old)), Value::Array(new)) => {
                    Value::Array(self.list(field, old, new)?)
                }
                (_, new) => match plain(new) {
                    Some(new) => new,
                    None => continue,
                },
            };
            original.insert(key, merged);
        }
        for (key, order) in orders {
            let identity = self.list_merge(self.field(schema, &key)).identity();
            if let Some(Value::Array(list)) = original.get_mut(&key) {
                let live = live.get(&key).map_or(&[][..], Vec::as_slice);
                *list = arrange(identity, std::mem::take(list), &order, live);
            }
        }
        for (field, gone) in deletions {
            if let Some(Value::Array(list)) = original.get_mut(&field) {
                list.retain(|item| !gone.contains(item));
            }
        }
        Ok(original)
    }

    fn list(
        &self,
        field: Option<&'a Schema>,
        old: Vec<Value>,
        new: Vec<Value>,
    ) -> Result<Vec<Value>, PatchError> {
        let merge = self.list_merge(field);
        match merge {
            ListMerge::Replace => Ok(plain_items(new)),
            ListMerge::Primitives => {
                let mut merged = Vec::with_capacity(old.len() + new.len());
                for item in old.iter().chain(&new) {
                    if !merged.contains(item) {
                        merged.push(item.clone());
                    }
                }
                Ok(arrange(merge.identity(), merged, &new, &old))
            }
            ListMerge::Keyed { key, item } => self.keyed(key, item, old, new),
        }
    }

    fn keyed(
        &self,
        key: &str,
        item: &'a Schema,
        mut old: Vec<Value>,
        new: Vec<Value>,
    ) -> Result<Vec<Value>, PatchError> {
        let identity = Identity::Key(key);
        let mut patches = Vec::with_capacity(new.len());
        let mut replace = false;
        for value in new {
            match value.get(PATCH).map(Value::as_str) {
                None => patches.push(value),
                Some(Some("replace")) => replace = true,
                Some(Some("delete")) if value.get(key).is_some() => {
                    old.retain(|item| !identity.same(&value, item));
                }
                Some(Some("delete")) => return Err(no_merge_key(&value, key)),
                Some(_) => return Err(unknown_patch(&value[PATCH], &value)),
            }
        }
        if replace {
            return Ok(plain_items(patches));
        }
        let mut merged = old.clone();
        for value in &patches {
            if value.get(key).is_none() {
                return Err(no_merge_key(value, key));
            }
            let there = merged.iter_mut().find(|item| identity.same(value, item));
            match (there, value) {
                (Some(slot), Value::Object(patch)) => {
                    let old = slot.as_object().cloned().unwrap_or_default();
                    *slot = Value::Object(self.map(Some(item), old, patch.clone())?);
                }
                _ => merged.extend(plain(value.clone())),
            }
        }
        Ok(arrange(identity, merged, &patches, &old))
    }
}

/// `$retainKeys`: fields that it does not name go; the patch must not set one of those.
fn retain_keys(original: &mut Fields, patch: &mut Fields) -> Result<(), PatchError> {
    let keys = match patch.remove(RETAIN_KEYS) {
        None => return Ok(()),
        Some(Value::Array(keys)) => keys,
        Some(_) => {
            return Err(PatchError::Malformed(
                "invalid patch format of retainKeys".into(),
            ));
        }
    };
    let named = |key: &str| keys.iter().any(|k| k == key);
    let sets = |(key, value): (&String, &Value)| !value.is_null() && !is_directive(key);
    if patch.iter().any(|field| sets(field) && !named(field.0)) {
        let message =
            "invalid patch format of retainKeys: the patch sets a field that it does not name";
        return Err(PatchError::Malformed(message.into()));
    }
    original.retain(|key, _| named(key));
    Ok(())
}

/// Takes the directives that begin so out of the patch: their lists by field.
fn take_lists(
    patch: &mut Fields,
    prefix: &str,
) -> Result<BTreeMap<String, Vec<Value>>, PatchError> {
    let found: Vec<String> = patch
        .keys()
        .filter(|key| key.starts_with(prefix))
        .cloned()
        .collect();
    let mut lists = BTreeMap::new();
    for directive in found {
        match patch.remove(&directive) {
            Some(Value::Array(list)) => {
                lists.insert(directive[prefix.len()..].to_string(), list);
            }
            _ => return Err(PatchError::Unmergeable(format!("{directive} takes a list"))),
        }
    }
    Ok(lists)
}

fn list_of(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}

fn replaces(field: Option<&Schema>) -> bool {
    field.is_some_and(|field| field.patch_strategy.contains(&PatchStrategy::Replace))
}

fn is_directive(key: &str) -> bool {
    key == PATCH || key == RETAIN_KEYS || key.starts_with(SET_ORDER) || key.starts_with(DELETE_FROM)
}

fn without_directives(map: Fields) -> Fields {
    map.into_iter()
        .filter(|(key, value)| !is_directive(key) && !value.is_null())
        .filter_map(|(key, value)| Some((key, plain(value)?)))
        .collect()
}

/// A value as it is set where nothing stood: nulls mean nothing there, and what has a `$patch` is dropped with it.
fn plain(value: Value) -> Option<Value> {
    Some(match value {
        Value::Object(map) if map.contains_key(PATCH) => return None,
        Value::Object(map) => Value::Object(without_directives(map)),
        Value::Array(list) => Value::Array(plain_items(list)),
        other => other,
    })
}

/// `$setElementOrder` names every item that the patch sets, in the order that the patch has them.
fn check_order(identity: Identity<'_>, list: &[Value], order: &[Value]) -> Result<(), PatchError> {
    if order.is_empty() {
        return Ok(());
    }
    let mut rest = order.iter();
    let mut set = list.iter().filter(|item| item.get(PATCH).is_none());
    match set.find(|item| !rest.any(|named| identity.same(item, named))) {
        None => Ok(()),
        Some(item) => Err(PatchError::Unmergeable(format!(
            "the order in the patch list doesn't match {SET_ORDER}: {} has no place in it",
            in_go(item)
        ))),
    }
}

fn plain_items(list: Vec<Value>) -> Vec<Value> {
    list.into_iter().filter_map(plain).collect()
}

fn no_merge_key(item: &Value, key: &str) -> PatchError {
    let item = in_go(item);
    PatchError::Unmergeable(format!(
        "map: {item} does not contain declared merge key: {key}"
    ))
}

fn unknown_patch(word: &Value, map: &Value) -> PatchError {
    let (word, map) = (in_go(word), in_go(map));
    PatchError::Unmergeable(format!("unknown patch type: {word} in map: {map}"))
}

/// A value as Go prints it, which is how upstream shows one here: `map[name:x ports:[1 2]]`.
fn in_go(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(in_go).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let fields = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", in_go(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::service;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    fn patch(document: &Value, patch: &Value) -> Result<Value, PatchError> {
        let (definitions, schema) = service();
        apply(
            &definitions,
            &schema,
            document,
            patch.to_string().as_bytes(),
        )
    }

    fn ports(list: &[(u16, &str)]) -> Value {
        let ports: Vec<Value> = list
            .iter()
            .map(|(port, name)| json!({"port": port, "name": name}))
            .collect();
        json!({"spec": {"ports": ports}})
    }

    #[rstest]
    #[case::adds_in_front(json!({"spec": {"ports": [{"port": 3, "name": "c"}]}}), ports(&[(3, "c"), (1, "a"), (2, "b")]))]
    #[case::merges_by_key(json!({"spec": {"ports": [{"port": 2, "name": "x"}]}}), ports(&[(1, "a"), (2, "x")]))]
    #[case::deletes_by_key(json!({"spec": {"ports": [{"port": 1, "$patch": "delete"}]}}), ports(&[(2, "b")]))]
    #[case::replaces_the_list(json!({"spec": {"ports": [{"port": 9, "name": "z"}, {"$patch": "replace"}]}}), ports(&[(9, "z")]))]
    #[case::orders(
        json!({"spec": {"$setElementOrder/ports": [{"port": 2}, {"port": 1}], "ports": [{"port": 1, "name": "x"}]}}),
        ports(&[(2, "b"), (1, "x")])
    )]
    #[case::orders_alone(json!({"spec": {"$setElementOrder/ports": [{"port": 2}, {"port": 1}]}}), ports(&[(2, "b"), (1, "a")]))]
    #[case::replaces_a_map(json!({"spec": {"$patch": "replace", "type": "NodePort"}}), json!({"spec": {"type": "NodePort"}}))]
    #[case::deletes_a_map(json!({"spec": {"$patch": "delete"}}), json!({"spec": {}}))]
    #[case::any_replace_replaces_all(
        json!({"spec": {"ports": [{"port": 1, "$patch": "replace"}, {"port": 9, "name": "z"}]}}),
        ports(&[(9, "z")])
    )]
    #[case::null_removes(json!({"spec": {"ports": null}}), json!({"spec": {}}))]
    fn ports_by_port(#[case] change: Value, #[case] expected: Value) {
        assert_eq!(
            patch(&ports(&[(1, "a"), (2, "b")]), &change).unwrap(),
            expected
        );
    }

    #[test]
    fn items_that_only_the_server_has_stay_where_they_were() {
        let change = json!({"spec": {"$setElementOrder/ports": [{"port": 4}, {"port": 1}], "ports": [{"port": 4, "name": "d"}]}});
        let merged = patch(&ports(&[(1, "a"), (2, "b"), (3, "c")]), &change).unwrap();
        assert_eq!(merged, ports(&[(4, "d"), (1, "a"), (2, "b"), (3, "c")]));
    }

    #[test]
    fn lists_of_primitives() {
        let document =
            json!({"metadata": {"finalizers": ["a", "b"]}, "spec": {"externalIPs": ["1.1.1.1"]}});
        let change = json!({"metadata": {"finalizers": ["c", "a"], "$deleteFromPrimitiveList/finalizers": ["b"]},
                            "spec": {"externalIPs": ["2.2.2.2"]}});
        let merged = patch(&document, &change).unwrap();
        assert_eq!(
            merged,
            json!({"metadata": {"finalizers": ["c", "a"]}, "spec": {"externalIPs": ["2.2.2.2"]}})
        );
    }

    #[test]
    fn retain_keys_drops_what_is_not_named() {
        let document = json!({"spec": {"strategy": {"type": "Rolling", "rolling": {"max": "1"}}}});
        let change = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
        assert_eq!(
            patch(&document, &change).unwrap(),
            json!({"spec": {"strategy": {"type": "Recreate"}}})
        );
    }

    #[rstest]
    #[case(json!({"spec": {"ports": [{"name": "x"}]}}), 500, "map: map[name:x] does not contain declared merge key: port")]
    #[case(json!({"spec": {"ports": [{"$patch": "delete"}]}}), 500, "merge key")]
    #[case(json!({"spec": {"ports": ["x"]}}), 500, "merge key")]
    #[case(json!({"spec": {"ports": [{"port": 1, "$patch": "merge"}]}}), 500, "unknown patch type: merge")]
    #[case(json!({"spec": {"$patch": "shred", "type": "x"}}), 500, "unknown patch type: shred in map: map[type:x]")]
    #[case(json!({"spec": {"$setElementOrder/ports": {}}}), 500, "takes a list")]
    #[case(json!({"spec": {"$setElementOrder/ports": [{"port": 2}], "ports": [{"port": 3}]}}), 500, "doesn't match")]
    #[case(json!({"spec": {"$setElementOrder/ports": [{"port": 2}, {"port": 1}], "ports": [{"port": 1}, {"port": 2}]}}), 500, "doesn't match")]
    #[case(json!({"spec": {"$patch": "merge", "type": "x"}}), 500, "unknown patch type: merge")]
    #[case(json!({"spec": {"$retainKeys": "type", "type": "x"}}), 400, "retainKeys")]
    #[case(json!({"spec": {"$retainKeys": ["ports"], "type": "x"}}), 400, "retainKeys")]
    #[case(json!([]), 400, "decoding")]
    fn what_is_wrong(#[case] change: Value, #[case] code: u16, #[case] words: &str) {
        let error = patch(&ports(&[(1, "a")]), &change).unwrap_err();
        let status = error.status("", "Service", "web");
        assert_eq!(status.code, code);
        assert!(status.message.contains(words), "{status}");
    }

    #[test]
    fn what_is_new_comes_first_in_a_list_of_primitives() {
        let document = json!({"metadata": {"finalizers": ["a", "b"]}});
        let merged = patch(&document, &json!({"metadata": {"finalizers": ["c"]}})).unwrap();
        assert_eq!(merged["metadata"]["finalizers"], json!(["c", "a", "b"]));
    }

    #[test]
    fn a_new_list_keeps_no_directive() {
        let change = json!({"spec": {"ports": [{"port": 1, "$patch": "delete"}, {"port": 2, "name": null}]}});
        assert_eq!(
            patch(&json!({}), &change).unwrap(),
            json!({"spec": {"ports": [{"port": 2}]}})
        );
    }

    #[rstest]
    #[case::a_map_with_a_directive_is_not_added(json!({"spec": {"strategy": {"$patch": "replace", "type": "x"}}}), json!({"spec": {"kind": "k"}}))]
    #[case::an_item_with_a_directive_is_not_added(json!({"spec": {"ports": [{"port": 1, "$patch": "replace"}, {"port": 2}]}}), json!({"spec": {"kind": "k", "ports": [{"port": 2}]}}))]
    #[case::nothing_to_delete_from(json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}), json!({"metadata": {}, "spec": {"kind": "k"}}))]
    #[case::a_null_where_nothing_is(json!({"spec": {"type": null, "selector": {"a": null, "b": "1"}}}), json!({"spec": {"kind": "k", "selector": {"b": "1"}}}))]
    #[case::an_order_without_a_list(json!({"spec": {"$setElementOrder/ports": [{"port": 1}]}}), json!({"spec": {"kind": "k"}}))]
    #[case::another_type(json!({"spec": {"kind": {"a": 1}}}), json!({"spec": {"kind": {"a": 1}}}))]
    fn where_nothing_stands(#[case] change: Value, #[case] expected: Value) {
        let mut expected = expected;
        let merged = patch(&json!({"spec": {"kind": "k"}}), &change).unwrap();
        if expected["metadata"] == json!({}) && merged.get("metadata").is_none() {
            expected.as_object_mut().unwrap().remove("metadata");
        }
        assert_eq!(merged, expected);
    }

    #[test]
    fn deletions_come_after_what_is_set() {
        let document = json!({"metadata": {"finalizers": ["a", "b", "c"]}});
        let change = json!({"metadata": {"$setElementOrder/finalizers": ["d", "a"], "finalizers": ["d"], "$deleteFromPrimitiveList/finalizers": ["b"]}});
        let merged = patch(&document, &change).unwrap();
        assert_eq!(merged["metadata"]["finalizers"], json!(["d", "a", "c"]));
    }

    fn some_ports() -> impl Strategy<Value = Value> {
        let port =
            (1u16..6, "[a-c]").prop_map(|(port, name)| (port, json!({"port": port, "name": name})));
        proptest::collection::vec(port, 0..5).prop_map(|list| {
            let by_port: std::collections::BTreeMap<u16, Value> = list.into_iter().collect();
            json!({"spec": {"ports": by_port.into_values().collect::<Vec<_>>()}})
        })
    }

    /// The patch that makes `to` of `from`: a deletion for each port that goes, an item for each that stays, and the order.
    fn difference(from: &Value, to: &Value) -> Value {
        let list = |v: &Value| v["spec"]["ports"].as_array().cloned().unwrap();
        let has = |v: &Value, port: &Value| list(v).iter().any(|p| p["port"] == *port);
        let mut items = list(to);
        items.extend(
            list(from)
                .iter()
                .filter(|p| !has(to, &p["port"]))
                .map(|p| json!({"port": p["port"], "$patch": "delete"})),
        );
        let order: Vec<Value> = list(to)
            .iter()
            .map(|p| json!({"port": p["port"]}))
            .collect();
        json!({"spec": {"ports": items, "$setElementOrder/ports": order}})
    }

    proptest! {
        #[test]
        fn the_merge_of_a_difference_gives_the_target(from in some_ports(), to in some_ports()) {
            let change = difference(&from, &to);
            let merged = patch(&from, &change).unwrap();
            prop_assert_eq!(&merged, &to);
            prop_assert_eq!(patch(&merged, &change).unwrap(), to);
        }
    }
}
