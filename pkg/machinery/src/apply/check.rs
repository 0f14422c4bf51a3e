//! Whether a configuration can be applied: ownership needs every field to be known and every item to be the
//! only one with its keys. Words are those of structured-merge-diff `typed`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::typed::{Form, Typed};
use crate::fields::PathElement;
use crate::schema::{Schema, Shape};

impl<'a> Typed<'a> {
    /// What is wrong with a configuration, each with its path.
    pub(super) fn check(self, schema: &'a Schema, config: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.check_value(Some(schema), config, "", &mut found);
        found
    }

    fn check_value(
        self,
        schema: Option<&'a Schema>,
        value: &Value,
        path: &str,
        found: &mut Vec<String>,
    ) {
        let Some(schema) = schema.map(|schema| self.definitions.resolve(schema)) else {
            return;
        };
        match (&schema.shape, value) {
            (
                Shape::Struct {
                    fields,
                    preserve_unknown,
                    ..
                },
                Value::Object(map),
            ) => {
                for (name, value) in map {
                    let below = format!("{path}.{name}");
                    match fields.get(name) {
                        Some(field) => self.check_value(Some(field), value, &below, found),
                        None if *preserve_unknown => {}
                        None => found.push(format!("{below}: field not declared in schema")),
                    }
                }
            }
            (Shape::Map { value: item, .. }, Value::Object(map)) => {
                for (name, value) in map {
                    self.check_value(Some(item), value, &format!("{path}.{name}"), found);
                }
            }
            (Shape::List { item, .. }, Value::Array(list)) => {
                let form = self.form(Some(schema));
                let mut seen = BTreeSet::new();
                for (i, value) in list.iter().enumerate() {
                    match self.name(form, value, i) {
                        Err(why) => found.push(format!("{path}: element {i}: {why}")),
                        Ok(element) => {
                            let below = format!("{path}{element}");
                            self.check_value(Some(item), value, &below, found);
                            if !seen.insert(element.clone()) {
                                found.push(format!("{path}: duplicate entries for key {element}"));
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn name(
        self,
        form: Form<'a>,
        value: &Value,
        index: usize,
    ) -> Result<PathElement, &'static str> {
        match (form, value) {
            (Form::Keyed { .. }, Value::Null) => {
                Err("associative list with keys may not have a null element")
            }
            (Form::Keyed { .. }, value) if !value.is_object() => {
                Err("associative list with keys may not have non-map elements")
            }
            (Form::Keyed { .. } | Form::Set, value) => Ok(self.element(form, value)),
            _ => Ok(PathElement::index(index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::service;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::good(json!({"spec": {"ports": [{"port": 1}, {"port": 1, "protocol": "UDP"}], "externalIPs": ["a", "a"]}}), &[])]
    #[case::unknown(json!({"spec": {"prots": [], "selector": {"any": "x"}}}), &[".spec.prots: field not declared in schema"])]
    #[case::below_an_item(json!({"spec": {"ports": [{"port": 1, "x": 2}]}}), &[".spec.ports[port=1,protocol=\"TCP\"].x: field not declared in schema"])]
    #[case::twice(json!({"spec": {"ports": [{"port": 1}, {"port": 1, "protocol": "TCP"}]}}), &[".spec.ports: duplicate entries for key [port=1,protocol=\"TCP\"]"])]
    #[case::set(json!({"metadata": {"finalizers": ["a", "a"]}}), &[".metadata.finalizers: duplicate entries for key [=\"a\"]"])]
    #[case::null(json!({"spec": {"ports": [null]}}), &[".spec.ports: element 0: associative list with keys may not have a null element"])]
    fn checked(#[case] config: Value, #[case] expected: &[&str]) {
        let (definitions, schema) = service();
        let typed = Typed {
            definitions: &definitions,
        };
        assert_eq!(typed.check(&schema, &config), expected);
    }
}
