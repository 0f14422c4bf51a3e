//! CSINodes (`pkg/apis/storage/validation`).

use std::collections::BTreeSet;

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::{Value, json};

use crate::check;
use crate::strategy::Strategy;
use crate::value::{field, int, list, present, structs_mut, text, texts};

/// Bytes of a node's name at its driver.
const MAX_NODE_ID: usize = 256;

pub(in crate::strategy) struct CsiNode;

impl Strategy for CsiNode {
    /// Go writes these lists even when nobody gave them.
    fn default(&self, object: &mut Object) {
        let spec = child_mut(&mut object.0, "spec");
        spec.entry("drivers").or_insert(Value::Null);
        for driver in structs_mut(spec, "drivers") {
            driver.entry("topologyKeys").or_insert(Value::Null);
        }
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({"metadata": {}, "spec": {"drivers": null}}))
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut names = BTreeSet::new();
        let mut errors = Vec::new();
        for (i, item) in drivers(object).iter().enumerate() {
            let path = format!("spec.drivers[{i}]");
            let name = text(item, "name");
            errors.extend(driver(&path, item));
            if !names.insert(name) {
                errors.push(FieldError::duplicate(format!("{path}.name"), name));
            }
            errors.extend(topology_keys(&path, item));
        }
        errors
    }

    /// A driver that stays keeps what it said, but for how many volumes it bears.
    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        for was in drivers(old) {
            let same = |is: &&Value| text(is, "name") == text(was, "name");
            for is in drivers(new).iter().filter(same) {
                let (is, was) = (lasting(is), lasting(was));
                errors.extend(check::immutable("spec.drivers", Some(&is), Some(&was)));
            }
        }
        errors
    }
}

fn drivers(object: &Object) -> &[Value] {
    list(field(&object.0, "spec"), "drivers")
}

fn lasting(driver: &Value) -> Value {
    let mut driver = driver.clone();
    if let Some(driver) = driver.as_object_mut() {
        driver.remove("allocatable");
    }
    driver
}

fn driver(path: &str, driver: &Value) -> Vec<FieldError> {
    let mut errors = check::driver_name(&format!("{path}.name"), text(driver, "name"));
    let (at, node) = (format!("{path}.nodeID"), text(driver, "nodeID"));
    if node.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else if node.len() > MAX_NODE_ID {
        let detail = format!("must be {MAX_NODE_ID} characters or less");
        errors.push(FieldError::invalid(at, node, detail));
    }
    if let Some(allocatable) = present(driver, "allocatable") {
        let at = format!("{path}.allocatable.count");
        errors.extend(check::non_negative(&at, int(allocatable, "count")));
    }
    errors
}

fn topology_keys(path: &str, driver: &Value) -> Vec<FieldError> {
    let mut keys = BTreeSet::new();
    let mut errors = Vec::new();
    for key in texts(driver, "topologyKeys") {
        if key.is_empty() {
            errors.push(FieldError::required(path, ""));
        }
        if !keys.insert(key) {
            errors.push(FieldError::duplicate(path, key));
        }
        errors.extend(check::qualified_name(path, key));
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(json!({}), json!({"drivers": null}))]
    #[case(
        json!({"drivers": [{"name": "a", "nodeID": "n"}]}),
        json!({"drivers": [{"name": "a", "nodeID": "n", "topologyKeys": null}]})
    )]
    fn what_is_filled_in(#[case] spec: Value, #[case] filled: Value) {
        let mut object = Object::from_value(json!({"spec": spec})).unwrap();
        CsiNode.default(&mut object);
        assert_eq!(object.0["spec"], filled);
    }

    fn node(drivers: Value) -> Object {
        Object::from_value(json!({"spec": {"drivers": drivers}})).unwrap()
    }

    #[rstest]
    #[case(json!([{"name": "disk.example.com", "nodeID": "n", "topologyKeys": ["example.com/zone"]}]), &[])]
    #[case(json!([{}]), &["spec.drivers[0].name", "spec.drivers[0].name", "spec.drivers[0].nodeID"])]
    #[case(json!([{"name": "a", "nodeID": "n".repeat(257)}]), &["spec.drivers[0].nodeID"])]
    #[case(json!([{"name": "a", "nodeID": "n"}, {"name": "a", "nodeID": "n"}]), &["spec.drivers[1].name"])]
    #[case(json!([{"name": "a", "nodeID": "n", "allocatable": {"count": -1}}]), &["spec.drivers[0].allocatable.count"])]
    #[case(json!([{"name": "a", "nodeID": "n", "topologyKeys": ["z", "z"]}]), &["spec.drivers[0]"])]
    fn what_is_wrong(#[case] drivers: Value, #[case] wrong: &[&str]) {
        let errors = CsiNode.validate(&node(drivers));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[rstest]
    #[case(json!([{"name": "a", "nodeID": "n", "allocatable": {"count": 5}}]), 0)]
    #[case(json!([{"name": "a", "nodeID": "m"}]), 1)]
    #[case(json!([]), 0)]
    fn what_may_change(#[case] drivers: Value, #[case] wrong: usize) {
        let old = node(json!([{"name": "a", "nodeID": "n", "allocatable": {"count": 3}}]));
        let errors = CsiNode.validate_change(&node(drivers), &old);
        assert_eq!(errors.len(), wrong);
    }
}
