//! DaemonSets (`pkg/apis/apps/v1/defaults.go` and `validation`).

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::{Map, Value, json};

use super::{counts, same_selector, status};
use crate::check;
use crate::strategy::{Strategy, pod_template};
use crate::value::{child, default, field, present, text};

const STRATEGIES: &[&str] = &["RollingUpdate", "OnDelete"];
/// Counts the changes of the template, for controllers of the older API.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
const STATUS: &[&str] = &[
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
];

pub(in crate::strategy) struct DaemonSet;

impl Strategy for DaemonSet {
    fn default(&self, object: &mut Object) {
        let spec = child_mut(&mut object.0, "spec");
        pod_template::default(spec);
        default(spec, "revisionHistoryLimit", 10);
        let strategy = child_mut(spec, "updateStrategy");
        default(strategy, "type", "RollingUpdate");
        if field(strategy, "type") == "RollingUpdate" {
            let rolling = child_mut(strategy, "rollingUpdate");
            default(rolling, "maxUnavailable", 1);
            default(rolling, "maxSurge", 0);
        }
        let status = child_mut(&mut object.0, "status");
        STATUS.iter().for_each(|key| default(status, key, 0));
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({
            "metadata": {}, "status": empty_status(),
            "spec": {"selector": null, "template": pod_template::blank(), "updateStrategy": {}},
        }))
    }

    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), empty_status());
        count_template(new, 1);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        if !subresource.is_empty() {
            return;
        }
        let template = |object: &Object| object.at(&["spec", "template"]).cloned();
        let before = old
            .at(&["metadata", "annotations", TEMPLATE_GENERATION])
            .and_then(Value::as_str)
            .and_then(|text| text.parse::<i64>().ok())
            .unwrap_or(1);
        let changed = template(new) != template(old);
        count_template(new, before + i64::from(changed));
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let template = child(spec, "template");
        let mut errors = selector(spec);
        errors.extend(pod_template::validate("spec.template", template));
        errors.extend(pod_template::lasting(template, "DaemonSet"));
        errors.extend(counts(object, "spec", &["minReadySeconds"]));
        errors.extend(strategy(child(spec, "updateStrategy")));
        errors.extend(counts(object, "spec", &["revisionHistoryLimit"]));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return status(
                new,
                old,
                &[
                    "currentNumberScheduled",
                    "numberMisscheduled",
                    "desiredNumberScheduled",
                    "numberReady",
                    "observedGeneration",
                    "updatedNumberScheduled",
                    "numberAvailable",
                    "numberUnavailable",
                    "collisionCount",
                ],
                &[],
            );
        }
        self.validate(new)
    }

    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        Vec::from_iter(same_selector(new, old))
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        pod_template::warnings(&["spec", "template"], new, old)
    }
}

/// One that is not there is told of by the labels that nothing selects.
fn selector(spec: &Value) -> Vec<FieldError> {
    let selector = present(spec, "selector");
    let mut errors: Vec<FieldError> = selector
        .map(|selector| check::selector("spec.selector", selector))
        .unwrap_or_default();
    errors.extend(pod_template::mismatch(spec).ok().flatten());
    errors.extend(selector.and_then(|s| pod_template::not_for_all(s, "daemonset")));
    errors
}

fn empty_status() -> Value {
    let zero = |key: &&str| ((*key).to_string(), json!(0));
    Value::Object(STATUS.iter().map(zero).collect::<Map<_, _>>())
}

fn count_template(object: &mut Object, generation: i64) {
    child_mut(object.meta_mut(), "annotations")
        .insert(TEMPLATE_GENERATION.into(), json!(generation.to_string()));
}

fn strategy(strategy: &Value) -> Vec<FieldError> {
    const AT: &str = "spec.updateStrategy";
    match (text(strategy, "type"), present(strategy, "rollingUpdate")) {
        ("OnDelete", _) => Vec::new(),
        ("RollingUpdate", None) => {
            vec![FieldError::required(format!("{AT}.rollingUpdate"), "")]
        }
        ("RollingUpdate", Some(rolling)) => rolling_update(rolling),
        _ => vec![FieldError::not_supported(AT, strategy.clone(), STRATEGIES)],
    }
}

fn rolling_update(rolling: &Value) -> Vec<FieldError> {
    let bounds = ["maxUnavailable", "maxSurge"];
    let at = |key: &str| format!("spec.updateStrategy.rollingUpdate.{key}");
    let mut errors = Vec::new();
    for key in bounds {
        let value = child(rolling, key);
        errors.extend(check::int_or_percent(&at(key), value));
        errors.extend(check::at_most_100_percent(&at(key), value));
    }
    match bounds.map(|key| check::is_zero(child(rolling, key))) {
        [true, true] => {
            let detail = "cannot be 0 when maxSurge is 0";
            errors.push(FieldError::required(at(bounds[0]), detail));
        }
        [false, false] => {
            let detail = "may not be set when maxUnavailable is non-zero";
            let surge = child(rolling, bounds[1]).clone();
            errors.push(FieldError::invalid(at(bounds[1]), surge, detail));
        }
        _ => {}
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn set(strategy: Value) -> Object {
        let body = json!({"metadata": {"name": "d"}, "spec": {
            "selector": {"matchLabels": {"app": "d"}}, "updateStrategy": strategy,
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "c", "image": "i:1"}]},
            },
        }});
        let mut object = Object::from_value(body).unwrap();
        DaemonSet.default(&mut object);
        object
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"type": "OnDelete"}), &[])]
    #[case(json!({"type": "Other"}), &["spec.updateStrategy"])]
    #[case(json!({"rollingUpdate": {"maxUnavailable": 0}}), &["spec.updateStrategy.rollingUpdate.maxUnavailable"])]
    #[case(json!({"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}), &["spec.updateStrategy.rollingUpdate.maxSurge"])]
    #[case(json!({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "50%"}}), &[])]
    fn what_is_wrong(#[case] strategy: Value, #[case] wrong: &[&str]) {
        let errors = DaemonSet.validate(&set(strategy));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn changes_of_the_template_are_counted() {
        let generation = |object: &Object| {
            let text = object.at(&["metadata", "annotations", TEMPLATE_GENERATION]);
            text.and_then(Value::as_str).unwrap().to_string()
        };
        let mut old = set(json!({}));
        DaemonSet.prepare_create(&mut old);
        assert_eq!(generation(&old), "1");
        let mut new = set(json!({"type": "OnDelete"}));
        DaemonSet.prepare_update(&mut new, &old, "");
        assert_eq!(generation(&new), "1");
        new.0["spec"]["template"]["spec"]["containers"][0]["image"] = json!("i:2");
        DaemonSet.prepare_update(&mut new, &old, "");
        assert_eq!(generation(&new), "2");
    }
}
