//! How two values differ, field by field (structured-merge-diff `typed/compare.go`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::typed::{Form, Typed};
use crate::fields::{FieldSet, PathElement};
use crate::schema::Schema;

/// Fields that were added, removed, or have another value.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Comparison {
    pub added: FieldSet,
    pub removed: FieldSet,
    pub modified: FieldSet,
}

impl Comparison {
    /// What the new value has and the old one had not, and what the old one had and the new one has not.
    pub(super) fn into_changed(self) -> (FieldSet, FieldSet) {
        let mut changed = self.modified;
        changed.extend(self.added);
        (changed, self.removed)
    }
}

/// The values of one list item before and after: more than one where the list repeats it.
type Before<'v> = Vec<&'v Value>;
type After<'v> = Vec<&'v Value>;

impl<'a> Typed<'a> {
    /// How `new` differs from `old`.
    pub(super) fn compare(self, schema: &'a Schema, old: &Value, new: &Value) -> Comparison {
        let mut walk = Walk::new(self);
        walk.value(Some(schema), Some(old), Some(new));
        walk.found
    }

    /// The same of whole objects.
    pub(super) fn compare_objects(
        self,
        schema: &'a Schema,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) -> Comparison {
        let mut walk = Walk::new(self);
        // Nobody owns an object as a whole.
        if let form @ (Form::Struct(_) | Form::Map(_)) = self.form(Some(schema)) {
            walk.fields(form, old, new);
        }
        walk.found
    }
}

struct Walk<'a> {
    typed: Typed<'a>,
    path: Vec<PathElement>,
    found: Comparison,
}

impl<'a> Walk<'a> {
    fn new(typed: Typed<'a>) -> Self {
        Self {
            typed,
            path: Vec::new(),
            found: Comparison::default(),
        }
    }

    fn value(&mut self, schema: Option<&'a Schema>, old: Option<&Value>, new: Option<&Value>) {
        let form = self.typed.form(schema);
        match form {
            // Nothing to go into: empty and absent are told apart as values are.
            _ if is_hollow(old) && is_hollow(new) => self.leaf(old, new),
            Form::Leaf => self.leaf(old, new),
            Form::Struct(_) | Form::Map(_) => self.map(form, old, new),
            Form::Set | Form::Keyed { .. } => self.list(form, old, new),
        }
        match (old, new) {
            (None, Some(_)) => self.found.added.insert(&self.path),
            (Some(_), None) => self.found.removed.insert(&self.path),
            _ => {}
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        if let (Some(old), Some(new)) = (old, new)
            && old != new
        {
            self.found.modified.insert(&self.path);
        }
    }

    fn map(&mut self, form: Form<'a>, old: Option<&Value>, new: Option<&Value>) {
        let nothing = Map::new();
        let old = old.and_then(Value::as_object).unwrap_or(&nothing);
        let new = new.and_then(Value::as_object).unwrap_or(&nothing);
        self.fields(form, old, new);
    }

    fn fields(&mut self, form: Form<'a>, old: &Map<String, Value>, new: &Map<String, Value>) {
        for (name, before) in old {
            self.field(form, name, Some(before), new.get(name));
        }
        for (name, after) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            self.field(form, name, None, Some(after));
        }
    }

    fn field(&mut self, form: Form<'a>, name: &str, old: Option<&Value>, new: Option<&Value>) {
        // Most of what is written is as it was: not worth a path.
        if old == new {
            return;
        }
        self.path.push(PathElement::field(name));
        self.value(form.field(name), old, new);
        self.path.pop();
    }

    fn list(&mut self, form: Form<'a>, old: Option<&Value>, new: Option<&Value>) {
        let mut items: BTreeMap<PathElement, (Before<'_>, After<'_>)> = BTreeMap::new();
        for value in old.and_then(Value::as_array).into_iter().flatten() {
            let element = self.typed.element(form, value);
            items.entry(element).or_default().0.push(value);
        }
        for value in new.and_then(Value::as_array).into_iter().flatten() {
            let element = self.typed.element(form, value);
            items.entry(element).or_default().1.push(value);
        }
        for (element, (before, after)) in items {
            self.path.push(element);
            match (&before[..], &after[..]) {
                ([] | [_], [] | [_]) => {
                    self.value(form.item(), before.first().copied(), after.first().copied())
                }
                // Repeated items are owned together, as one.
                ([_, _, ..], [_, _, ..]) => {
                    if before != after {
                        self.found.modified.insert(&self.path);
                    }
                }
                ([_, _, ..], _) => {
                    if let Some(only) = after.first() {
                        self.value(form.item(), None, Some(only));
                    }
                    self.found.removed.insert(&self.path);
                }
                (_, [..]) => {
                    if let Some(only) = before.first() {
                        self.value(form.item(), Some(only), None);
                    }
                    self.found.added.insert(&self.path);
                }
            }
            self.path.pop();
        }
    }
}

/// Null, or without anything in it.
pub(super) fn is_hollow(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::service;
    use serde_json::json;

    fn compare(old: &Value, new: &Value) -> Comparison {
        let (definitions, schema) = service();
        let typed = Typed {
            definitions: &definitions,
        };
        typed.compare(&schema, old, new)
    }

    #[test]
    fn differences() {
        let old =
            json!({"metadata": {}, "spec": {"ports": [{"port": 80, "name": "a"}], "type": "x"}});
        let new = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"ports": [{"port": 80, "name": "b"}, {"port": 81}]}});
        let found = compare(&old, &new);
        let added = json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}},
                           "f:spec": {"f:ports": {"k:{\"port\":81,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}});
        assert_eq!(found.added.to_json(), added);
        assert_eq!(found.removed.paths(), [".spec.type"]);
        assert_eq!(
            found.modified.paths(),
            [".spec.ports[port=80,protocol=\"TCP\"].name"]
        );
    }

    #[test]
    fn order_is_no_difference_but_emptiness_is() {
        let ports = |list: &[u16]| json!({"spec": {"ports": list.iter().map(|p| json!({"port": p})).collect::<Vec<_>>()}});
        assert_eq!(
            compare(&ports(&[1, 2]), &ports(&[2, 1])),
            Comparison::default()
        );
        let found = compare(&json!({"spec": {}}), &json!({"spec": {"selector": {}}}));
        assert_eq!(found.added.paths(), [".spec.selector"]);
    }

    #[test]
    fn repeated_items_are_one() {
        let ports = |names: &[&str]| json!({"spec": {"ports": names.iter().map(|n| json!({"port": 1, "name": n})).collect::<Vec<_>>()}});
        let item = ".spec.ports[port=1,protocol=\"TCP\"]";
        let found = compare(&ports(&["a", "b"]), &ports(&["a", "c"]));
        assert_eq!(found.modified.paths(), [item]);
        let found = compare(&ports(&["a", "b"]), &ports(&[]));
        assert_eq!(found.removed.paths(), [item]);
        let found = compare(&ports(&[]), &ports(&["a", "b"]));
        assert_eq!(found.added.paths(), [item]);
    }
}
