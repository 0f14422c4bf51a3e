//! What becomes of a role or binding that every cluster has, where it is not as it should be: what is missing is added,
//! nothing is taken away (upstream: `pkg/registry/rbac/reconciliation`).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::defaults::AUTOUPDATE;
use crate::{Rule, missing};

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// It is as it should be, or is to be left alone.
    Keep,
    /// Write it so.
    Update(Value),
    /// It gives another role, which cannot be changed: delete it, and make it anew.
    Recreate,
}

/// Compares an object that is there with the one that should be.
#[must_use]
pub fn reconcile(there: &Value, wanted: &Value) -> Outcome {
    if there["metadata"]["annotations"][AUTOUPDATE] == "false" {
        return Outcome::Keep;
    }
    if there["roleRef"] != wanted["roleRef"] {
        return Outcome::Recreate;
    }
    let mut object = there.clone();
    for key in ["labels", "annotations"] {
        for (pair, value) in wanted["metadata"][key].as_object().into_iter().flatten() {
            if there["metadata"][key].get(pair).is_none() {
                object["metadata"][key][pair] = value.clone();
            }
        }
    }
    append(&mut object, "rules", missing_rules(there, wanted));
    append(
        &mut object,
        "subjects",
        absent(&there["subjects"], &wanted["subjects"]),
    );
    let selectors = |object: &Value| object["aggregationRule"]["clusterRoleSelectors"].clone();
    let more = absent(&selectors(there), &selectors(wanted));
    if !more.is_empty() {
        append(&mut object["aggregationRule"], "clusterRoleSelectors", more);
    }
    if object == *there {
        Outcome::Keep
    } else {
        Outcome::Update(object)
    }
}

fn missing_rules(there: &Value, wanted: &Value) -> Vec<Value> {
    let rules = |object: &Value| -> Vec<Rule> {
        let rules = object["rules"].as_array().into_iter().flatten();
        rules
            .filter_map(|rule| Rule::deserialize(rule).ok())
            .collect()
    };
    let (held, wanted) = (rules(there), rules(wanted));
    let held: Vec<&Rule> = held.iter().collect();
    missing(&held, &wanted)
        .iter()
        .map(|rule| json!(rule))
        .collect()
}

/// The elements of a list that another one lacks.
fn absent(there: &Value, wanted: &Value) -> Vec<Value> {
    let there = there.as_array().map(Vec::as_slice).unwrap_or_default();
    let wanted = wanted.as_array().into_iter().flatten();
    wanted.filter(|one| !there.contains(one)).cloned().collect()
}

fn append(object: &mut Value, key: &str, more: Vec<Value>) {
    if more.is_empty() {
        return;
    }
    match object.get_mut(key).and_then(Value::as_array_mut) {
        Some(list) => list.extend(more),
        None => object[key] = more.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Resource, defaults};

    fn role() -> Value {
        json!({
            "metadata": {"name": "r", "labels": {"a": "1"}, "annotations": {AUTOUPDATE: "true"}},
            "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}],
        })
    }

    fn binding() -> Value {
        json!({
            "metadata": {"name": "b", "annotations": {AUTOUPDATE: "true"}},
            "roleRef": {"kind": "ClusterRole", "name": "r"},
            "subjects": [{"kind": "User", "name": "jo"}],
        })
    }

    fn updated(outcome: Outcome) -> Value {
        match outcome {
            Outcome::Update(object) => object,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_default_is_as_it_should_be() {
        for one in defaults::all() {
            assert_eq!(reconcile(&one.object, &one.object), Outcome::Keep);
        }
        assert!(defaults::all().any(|one| one.resource == Resource::Roles));
    }

    #[test]
    fn what_is_missing_is_added_and_more_is_kept() {
        let mut there = role();
        there["rules"] = json!([
            {"verbs": ["get"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["delete"], "apiGroups": [""], "resources": ["secrets"]},
        ]);
        there["metadata"]["labels"] = json!({"a": "2", "mine": "x"});
        let mut expected = there.clone();
        expected["rules"]
            .as_array_mut()
            .unwrap()
            .push(json!({"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}));
        assert_eq!(updated(reconcile(&there, &role())), expected);
        assert_eq!(reconcile(&expected, &role()), Outcome::Keep);
    }

    #[test]
    fn labels_come_back_with_rules() {
        let there = json!({"metadata": {"name": "r"}});
        assert_eq!(
            updated(reconcile(&there, &role()))["metadata"],
            role()["metadata"]
        );
    }

    #[test]
    fn what_is_marked_so_is_left_alone() {
        let there = json!({"metadata": {"name": "r", "annotations": {AUTOUPDATE: "false"}}});
        assert_eq!(reconcile(&there, &role()), Outcome::Keep);
    }

    #[test]
    fn subjects_come_back_and_another_role_does_not_stay() {
        let mut there = binding();
        there["subjects"] = json!([{"kind": "User", "name": "al"}]);
        assert_eq!(
            updated(reconcile(&there, &binding()))["subjects"],
            json!([{"kind": "User", "name": "al"}, {"kind": "User", "name": "jo"}])
        );
        there["roleRef"]["name"] = "other".into();
        assert_eq!(reconcile(&there, &binding()), Outcome::Recreate);
    }

    #[test]
    fn selectors_come_back() {
        let whole = |labels: Value| json!({"metadata": {"annotations": {AUTOUPDATE: "true"}}, "aggregationRule": {"clusterRoleSelectors": labels}});
        let wanted = whole(json!([{"matchLabels": {"a": "true"}}]));
        let there = whole(json!([{"matchLabels": {"b": "true"}}]));
        let selectors =
            &updated(reconcile(&there, &wanted))["aggregationRule"]["clusterRoleSelectors"];
        assert_eq!(selectors.as_array().unwrap().len(), 2);
        let bare = json!({"metadata": {"annotations": {AUTOUPDATE: "true"}}});
        assert_eq!(updated(reconcile(&bare, &wanted)), wanted);
    }
}
