//! Values seen through their schema (structured-merge-diff `typed`): which parts can be owned, and which fields a value sets.

use serde_json::{Map, Value};

use crate::fields::{FieldSet, PathElement};
use crate::schema::{Definitions, ListType, Schema, Shape, default_of};

/// What a value is, as far as ownership goes.
#[derive(Clone, Copy)]
pub(super) enum Form<'a> {
    /// Owned as a whole: a scalar, or an atomic list, map or struct.
    Leaf,
    Struct(&'a Schema),
    Map(&'a Schema),
    /// A list of values, each once.
    Set,
    /// A list of objects that are told apart by some of their fields.
    Keyed {
        item: &'a Schema,
        keys: &'a [String],
    },
}

impl<'a> Form<'a> {
    /// The schema of a field of a struct, or of a map's values.
    pub(super) fn field(self, name: &str) -> Option<&'a Schema> {
        match self {
            Self::Struct(schema) => match &schema.shape {
                Shape::Struct { fields, .. } => fields.get(name),
                _ => None,
            },
            Self::Map(value) => Some(value),
            _ => None,
        }
    }

    /// The schema of a list's items, where they have parts of their own.
    pub(super) fn item(self) -> Option<&'a Schema> {
        match self {
            Self::Keyed { item, .. } => Some(item),
            _ => None,
        }
    }
}

/// The functions of values and schemas, over the definitions that those refer to.
#[derive(Clone, Copy)]
pub(super) struct Typed<'a> {
    pub definitions: &'a Definitions,
}

impl<'a> Typed<'a> {
    /// What the schema makes of a value; a value that no schema knows is a leaf.
    pub(super) fn form(self, schema: Option<&'a Schema>) -> Form<'a> {
        let Some(schema) = schema.map(|schema| self.definitions.resolve(schema)) else {
            return Form::Leaf;
        };
        match &schema.shape {
            Shape::Struct { atomic: false, .. } => Form::Struct(schema),
            Shape::Map {
                value,
                atomic: false,
            } => Form::Map(value),
            Shape::List {
                list: ListType::Set,
                ..
            } => Form::Set,
            Shape::List {
                item,
                list: ListType::Map { keys },
            } => Form::Keyed { item, keys },
            _ => Form::Leaf,
        }
    }

    /// What names an item in its list. A key that the item leaves out counts with its default, or not at all.
    pub(super) fn element(self, form: Form<'a>, value: &Value) -> PathElement {
        let Form::Keyed { item, keys } = form else {
            return PathElement::value(value);
        };
        let schema = self.form(Some(item));
        PathElement::key(keys.iter().filter_map(|key| {
            let given = value.get(key).filter(|value| !value.is_null());
            let found = given.or_else(|| default_of(self.definitions, schema.field(key)?));
            found.map(|value| (key.as_str(), value))
        }))
    }

    /// A set made with an older schema: what is owned only as a whole by now, is, by who owned parts of it.
    pub(super) fn reconcile(self, schema: Option<&'a Schema>, set: &mut FieldSet) {
        let form = self.form(schema);
        set.retain_below(|element, below| {
            let inner = match element.as_field() {
                Some(name) => form.field(name),
                None => form.item(),
            };
            let goes_on = !self.is_atomic(inner);
            if goes_on {
                self.reconcile(inner, below);
            }
            goes_on
        });
    }

    /// A list, map or struct that is owned as a whole. One that no schema knows is not said to be.
    fn is_atomic(self, schema: Option<&'a Schema>) -> bool {
        let shape = schema.map(|schema| &self.definitions.resolve(schema).shape);
        match shape {
            Some(Shape::Struct { atomic, .. } | Shape::Map { atomic, .. }) => *atomic,
            Some(Shape::List { list, .. }) => matches!(list, ListType::Atomic),
            _ => false,
        }
    }

    /// The fields that a value sets.
    pub(super) fn fields(self, schema: &'a Schema, value: &Value) -> FieldSet {
        let mut set = FieldSet::default();
        self.collect(Some(schema), value, &mut Vec::new(), &mut set);
        set
    }

    fn collect(
        self,
        schema: Option<&'a Schema>,
        value: &Value,
        path: &mut Vec<PathElement>,
        set: &mut FieldSet,
    ) {
        let form = self.form(schema);
        match (form, value) {
            (Form::Struct(_) | Form::Map(_), Value::Object(map)) => {
                for (name, value) in map {
                    path.push(PathElement::field(name));
                    self.collect(form.field(name), value, path, set);
                    let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                    if empty || matches!(form, Form::Map(_)) {
                        set.insert(path);
                    }
                    path.pop();
                }
            }
            (Form::Set | Form::Keyed { .. }, Value::Array(list)) => {
                for value in list {
                    path.push(self.element(form, value));
                    if let Some(item) = form.item() {
                        self.collect(Some(item), value, path, set);
                    }
                    set.insert(path);
                    path.pop();
                }
            }
            (Form::Leaf, _) => set.insert(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::service;
    use serde_json::json;

    #[test]
    fn fields_of_an_object() {
        let (definitions, schema) = service();
        let value = json!({"metadata": {"labels": {"a": "1"}, "finalizers": ["x"], "annotations": {}},
                           "spec": {"ports": [{"port": 80}], "selector": {"b": "2"}, "externalIPs": ["1.1.1.1"]}});
        let expected = json!({
            "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {"v:\"x\"": {}}, "f:annotations": {}},
            "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}, "f:selector": {}, "f:externalIPs": {}},
        });
        let typed = Typed {
            definitions: &definitions,
        };
        assert_eq!(typed.fields(&schema, &value).to_json(), expected);
    }
}
