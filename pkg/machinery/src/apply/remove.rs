//! A value without some of its fields (structured-merge-diff `typed/remove.go`).

use serde_json::{Map, Value};

use super::typed::{Form, Typed};
use crate::fields::{FieldSet, PathElement};
use crate::schema::Schema;

/// What is left of a value.
pub(super) struct Rest {
    /// `None` when nothing is left.
    pub value: Option<Value>,
    /// Maps and lists that went because all in them did, where no null says so. They were not taken out themselves: who owns one goes on
    /// owning it.
    pub emptied: FieldSet,
}

impl<'a> Typed<'a> {
    /// The value without the paths of a set, each with all below it. With `nulls`, what is empty then is null where it stood, as upstream
    /// has it: a Go type drops that, a custom resource keeps it.
    pub(super) fn remove(
        self,
        schema: &'a Schema,
        value: &Value,
        gone: &FieldSet,
        nulls: bool,
    ) -> Rest {
        let mut walk = Walk {
            typed: self,
            nulls,
            path: Vec::new(),
            emptied: FieldSet::default(),
        };
        let value = walk.value(Some(schema), value, gone);
        Rest {
            value,
            emptied: walk.emptied,
        }
    }
}

struct Walk<'a> {
    typed: Typed<'a>,
    nulls: bool,
    path: Vec<PathElement>,
    emptied: FieldSet,
}

impl<'a> Walk<'a> {
    fn value(
        &mut self,
        schema: Option<&'a Schema>,
        value: &Value,
        gone: &FieldSet,
    ) -> Option<Value> {
        let form = self.typed.form(schema);
        match (form, value) {
            (Form::Struct(_) | Form::Map(_), Value::Object(map)) => {
                let mut kept = Map::new();
                let mut emptied = false;
                for (name, value) in map {
                    let element = PathElement::field(name);
                    if gone.has(&element) {
                        continue;
                    }
                    match self.below(form.field(name), element, value, gone) {
                        Some(value) => {
                            kept.insert(name.clone(), value);
                        }
                        None => emptied = true,
                    }
                }
                (emptied || !kept.is_empty()).then_some(Value::Object(kept))
            }
            (Form::Set | Form::Keyed { .. }, Value::Array(list)) => {
                let mut kept = Vec::with_capacity(list.len());
                for value in list {
                    let element = self.typed.element(form, value);
                    if !gone.has(&element) {
                        kept.extend(self.below(form.item(), element, value, gone));
                    }
                }
                (!kept.is_empty()).then_some(Value::Array(kept))
            }
            _ => Some(value.clone()),
        }
    }

    fn below(
        &mut self,
        schema: Option<&'a Schema>,
        element: PathElement,
        value: &Value,
        gone: &FieldSet,
    ) -> Option<Value> {
        let Some(gone) = gone.below(&element) else {
            return Some(value.clone());
        };
        self.path.push(element);
        let mut rest = self.value(schema, value, gone);
        if rest.is_none() && self.nulls {
            rest = Some(Value::Null);
        } else if rest.is_none() {
            self.emptied.insert(&self.path);
        }
        self.path.pop();
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::service;
    use serde_json::json;

    #[test]
    fn what_goes_goes_with_all_below_and_what_is_empty_then_goes_too() {
        let (definitions, schema) = service();
        let typed = Typed {
            definitions: &definitions,
        };
        let value = json!({"metadata": {"name": "web", "labels": {"a": "1"}},
                           "spec": {"type": "x", "ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "b"}]}});
        let gone = json!({"f:metadata": {"f:labels": {"f:a": {}}},
                          "f:spec": {"f:ports": {"k:{\"port\":1,\"protocol\":\"TCP\"}": {}, "k:{\"port\":2,\"protocol\":\"TCP\"}": {"f:name": {}}}}});
        let gone = FieldSet::from_json(&gone).unwrap();
        let expected =
            json!({"metadata": {"name": "web"}, "spec": {"type": "x", "ports": [{"port": 2}]}});
        let rest = typed.remove(&schema, &value, &gone, false);
        assert_eq!(rest.value, Some(expected.clone()));
        assert_eq!(rest.emptied.paths(), [".metadata.labels"]);
        assert_eq!(
            typed.remove(&schema, &expected, &gone, false).value,
            Some(expected.clone())
        );
        let mut told = expected;
        told["metadata"]["labels"] = Value::Null;
        let rest = typed.remove(&schema, &value, &gone, true);
        assert_eq!((rest.value, rest.emptied.is_empty()), (Some(told), true));
        let all = FieldSet::from_json(&json!({"f:spec": {}})).unwrap();
        let rest = typed.remove(&schema, &json!({"spec": {"type": "x"}}), &all, false);
        assert_eq!((rest.value, rest.emptied.is_empty()), (None, true));
    }
}
