//! Whether a configuration can be applied: ownership needs every field to be known and every item to be the
//! only one with its keys. Words are those of structured-merge-diff `typed`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::typed::{Form, Typed};
use crate::fields::PathElement;
use crate::schema::{Schema, Shape, default_of};

impl<'a> Typed<'a> {
    /// What is wrong with a configuration, each with its path. With `keys`, items have all keys that have no default;
    /// else one that is left out is zero.
    pub(super) fn check(self, schema: &'a Schema, config: &Value, keys: bool) -> Vec<String> {
        let mut found = Vec::new();
        self.check_value(Some(schema), config, keys, "", &mut found);
        found
    }

    fn check_value(
        self,
        schema: Option<&'a Schema>,
        value: &Value,
        keys: bool,
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
                    // Which is the same for all kinds.
                    let keys = keys && below != ".metadata";
                    match fields.get(name) {
                        Some(field) => self.check_value(Some(field), value, keys, &below, found),
                        None if *preserve_unknown => {}
                        None => found.push(format!("{below}: field not declared in schema")),
                    }
                }
            }
            (Shape::Map { value: item, .. }, Value::Object(map)) => {
                for (name, value) in map {
                    self.check_value(Some(item), value, keys, &format!("{path}.{name}"), found);
                }
            }
            (Shape::List { item, .. }, Value::Array(list)) => {
                let form = self.form(Some(schema));
                let mut seen = BTreeSet::new();
                for (i, value) in list.iter().enumerate() {
                    match self.name(form, value, keys, i) {
                        Err(why) => found.push(format!("{path}: element {i}: {why}")),
                        Ok(element) => {
                            let below = format!("{path}{element}");
                            self.check_value(Some(item), value, keys, &below, found);
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
        required: bool,
        index: usize,
    ) -> Result<PathElement, String> {
        let why = match (form, value) {
            (Form::Keyed { .. }, Value::Null) => {
                "associative list with keys may not have a null element"
            }
            (Form::Keyed { item, keys }, Value::Object(map)) => {
                let item = self.form(Some(item));
                let missing = |key: &&String| {
                    let default = || {
                        item.field(key)
                            .and_then(|key| default_of(self.definitions, key))
                    };
                    required && !map.contains_key(*key) && default().is_none()
                };
                return match keys.iter().find(missing) {
                    Some(key) => Err(format!(
                        "associative list with keys has an element that omits key field {key:?} (and doesn't have default value)"
                    )),
                    None => Ok(self.element(form, value)),
                };
            }
            (Form::Keyed { .. }, _) => "associative list with keys may not have non-map elements",
            (Form::Set, Value::Object(_)) => {
                "associative list without keys has an element that's a map type"
            }
            (Form::Set, Value::Array(_)) => {
                "not supported: associative list with lists as elements"
            }
            (Form::Set, Value::Null) => {
                "associative list without keys has an element that's an explicit null"
            }
            (Form::Set, value) => return Ok(self.element(form, value)),
            _ => return Ok(PathElement::index(index)),
        };
        Err(why.into())
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
    #[case::no_map(json!({"spec": {"ports": [1]}}), &[".spec.ports: element 0: associative list with keys may not have non-map elements"])]
    #[case::no_key(
        json!({"spec": {"ports": [{"port": 1}, {"protocol": "TCP"}]}}),
        &[".spec.ports: element 1: associative list with keys has an element that omits key field \"port\" (and doesn't have default value)"]
    )]
    #[case::map_in_a_set(json!({"metadata": {"finalizers": [{}]}}), &[".metadata.finalizers: element 0: associative list without keys has an element that's a map type"])]
    #[case::list_in_a_set(json!({"metadata": {"finalizers": [[]]}}), &[".metadata.finalizers: element 0: not supported: associative list with lists as elements"])]
    #[case::null_in_a_set(json!({"metadata": {"finalizers": [null]}}), &[".metadata.finalizers: element 0: associative list without keys has an element that's an explicit null"])]
    fn checked(#[case] config: Value, #[case] expected: &[&str]) {
        let (definitions, schema) = service();
        let typed = Typed {
            definitions: &definitions,
        };
        assert_eq!(typed.check(&schema, &config, true), expected);
        if expected.iter().any(|text| text.contains("omits key")) {
            assert!(typed.check(&schema, &config, false).is_empty());
        }
    }
}
