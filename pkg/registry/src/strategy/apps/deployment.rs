//! Deployments (`pkg/apis/apps/v1/defaults.go` and `validation`).

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::{Value, json};

use super::replica_set::MAKER;
use super::{counts, same_selector, status};
use crate::check;
use crate::strategy::{Strategy, pod_template};
use crate::value::{child, copy_field, default, field, int, present, text};

const STRATEGIES: &[&str] = &["Recreate", "RollingUpdate"];

pub(in crate::strategy) struct Deployment;

impl Strategy for Deployment {
    fn default(&self, object: &mut Object) {
        let spec = child_mut(&mut object.0, "spec");
        pod_template::default(spec);
        default(spec, "replicas", 1);
        default(spec, "revisionHistoryLimit", 10);
        default(spec, "progressDeadlineSeconds", 600);
        let strategy = child_mut(spec, "strategy");
        default(strategy, "type", "RollingUpdate");
        if field(strategy, "type") == "RollingUpdate" {
            let rolling = child_mut(strategy, "rollingUpdate");
            default(rolling, "maxUnavailable", "25%");
            default(rolling, "maxSurge", "25%");
        }
        child_mut(&mut object.0, "status");
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({
            "metadata": {}, "status": {},
            "spec": {"selector": null, "strategy": {}, "template": pod_template::blank()},
        }))
    }

    /// A report leaves labels as they are.
    fn reset(&self, new: &mut Object, old: Option<&Object>, subresource: &str) {
        if let (Some(old), "status") = (old.and_then(Object::meta), subresource) {
            copy_field(new.meta_mut(), old, "labels");
        }
    }

    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), json!({}));
    }

    /// Of a Deployment, annotations count too: they are handed down to its ReplicaSets.
    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        let annotations = |object: &Object| object.at(&["metadata", "annotations"]).cloned();
        if subresource.is_empty()
            && annotations(new) != annotations(old)
            && field(&new.0, "spec") == field(&old.0, "spec")
            && let Some(generation) = old.at(&["metadata", "generation"]).and_then(Value::as_i64)
        {
            new.meta_mut()
                .insert("generation".into(), json!(generation + 1));
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let mut errors = counts(object, "spec", &["replicas"]);
        errors.extend(MAKER.validate(spec, child(spec, "template")));
        errors.extend(strategy(child(spec, "strategy")));
        errors.extend(counts(
            object,
            "spec",
            &[
                "minReadySeconds",
                "revisionHistoryLimit",
                "progressDeadlineSeconds",
            ],
        ));
        let deadline = present(spec, "progressDeadlineSeconds").and_then(Value::as_i64);
        if let Some(deadline) = deadline.filter(|d| *d <= int(spec, "minReadySeconds")) {
            let at = "spec.progressDeadlineSeconds";
            let detail = "must be greater than minReadySeconds";
            errors.push(FieldError::invalid(at, deadline, detail));
        }
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return status(
                new,
                old,
                &[
                    "observedGeneration",
                    "replicas",
                    "updatedReplicas",
                    "readyReplicas",
                    "availableReplicas",
                    "unavailableReplicas",
                    "terminatingReplicas",
                    "collisionCount",
                ],
                &[
                    ("updatedReplicas", "status.replicas"),
                    ("readyReplicas", "status.replicas"),
                    ("availableReplicas", "status.replicas"),
                    ("availableReplicas", "readyReplicas"),
                ],
            );
        }
        let mut errors = self.validate(new);
        errors.extend(same_selector(new, old));
        errors
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let mut said = Vec::from_iter(pod_template::name_warning(new, old));
        said.extend(pod_template::warnings(&["spec", "template"], new, old));
        said
    }
}

fn strategy(strategy: &Value) -> Vec<FieldError> {
    const AT: &str = "spec.strategy.rollingUpdate";
    let rolling = present(strategy, "rollingUpdate");
    match (text(strategy, "type"), rolling) {
        ("Recreate", Some(_)) => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            vec![FieldError::forbidden(AT, detail)]
        }
        ("Recreate", None) => Vec::new(),
        ("RollingUpdate", None) => {
            let detail = "this should be defaulted and never be nil";
            vec![FieldError::required(AT, detail)]
        }
        ("RollingUpdate", Some(rolling)) => rolling_update(rolling),
        _ => vec![FieldError::not_supported(
            "spec.strategy",
            strategy.clone(),
            STRATEGIES,
        )],
    }
}

fn rolling_update(rolling: &Value) -> Vec<FieldError> {
    const UNAVAILABLE: &str = "spec.strategy.rollingUpdate.maxUnavailable";
    let (unavailable, surge) = (child(rolling, "maxUnavailable"), child(rolling, "maxSurge"));
    let mut errors = Vec::from_iter(check::int_or_percent(UNAVAILABLE, unavailable));
    errors.extend(check::int_or_percent(
        "spec.strategy.rollingUpdate.maxSurge",
        surge,
    ));
    if check::is_zero(unavailable) && check::is_zero(surge) {
        let detail = "may not be 0 when `maxSurge` is 0";
        errors.push(FieldError::invalid(
            UNAVAILABLE,
            unavailable.clone(),
            detail,
        ));
    }
    errors.extend(check::at_most_100_percent(UNAVAILABLE, unavailable));
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn deployment(more: Value) -> Object {
        let mut body = json!({"metadata": {"name": "web", "generation": 3}, "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i:1"}]},
            },
        }});
        let spec = body["spec"].as_object_mut().unwrap();
        spec.extend(more.as_object().unwrap().clone());
        let mut object = Object::from_value(body).unwrap();
        Deployment.default(&mut object);
        object
    }

    #[test]
    fn a_new_one_says_nothing_of_its_state() {
        let mut new = deployment(json!({}));
        new.0.insert("status".into(), json!({"replicas": 3}));
        Deployment.prepare_create(&mut new);
        assert_eq!(new.0["status"], json!({}));
    }

    #[test]
    fn what_is_filled_in() {
        let spec = deployment(json!({})).into_value()["spec"].clone();
        assert_eq!(spec["replicas"], 1);
        assert_eq!(spec["revisionHistoryLimit"], 10);
        assert_eq!(spec["progressDeadlineSeconds"], 600);
        let rolling = json!({"maxUnavailable": "25%", "maxSurge": "25%"});
        assert_eq!(
            spec["strategy"],
            json!({"type": "RollingUpdate", "rollingUpdate": rolling})
        );
        let recreate = deployment(json!({"strategy": {"type": "Recreate"}}));
        assert_eq!(
            recreate.into_value()["spec"]["strategy"],
            json!({"type": "Recreate"})
        );
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"replicas": -1, "minReadySeconds": -1}), &["spec.replicas", "spec.minReadySeconds"])]
    #[case(json!({"minReadySeconds": 600}), &["spec.progressDeadlineSeconds"])]
    #[case(json!({"strategy": {"type": "Other"}}), &["spec.strategy"])]
    #[case(json!({"strategy": {"type": "Recreate", "rollingUpdate": {}}}), &["spec.strategy.rollingUpdate"])]
    #[case(json!({"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "0%"}}}), &["spec.strategy.rollingUpdate.maxUnavailable"])]
    #[case(json!({"strategy": {"rollingUpdate": {"maxUnavailable": "200%", "maxSurge": "x"}}}), &[
        "spec.strategy.rollingUpdate.maxSurge", "spec.strategy.rollingUpdate.maxUnavailable",
    ])]
    #[case(json!({"template": {"metadata": {"labels": {"app": "web"}}, "spec": {"restartPolicy": "Never", "containers": []}}}), &[
        "spec.template.spec.containers", "spec.template.spec.restartPolicy",
    ])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let errors = Deployment.validate(&deployment(spec));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn the_selector_stays_and_annotations_count() {
        let old = deployment(json!({}));
        let other = json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]});
        let errors = Deployment.validate_update(&deployment(json!({"selector": other})), &old, "");
        assert_eq!(errors[0].field, "spec.selector");
        let mut new = old.clone();
        new.meta_mut()
            .insert("annotations".into(), json!({"a": "b"}));
        Deployment.prepare_update(&mut new, &old, "");
        assert_eq!(new.at(&["metadata", "generation"]), Some(&json!(4)));
    }

    #[test]
    fn a_report_leaves_labels() {
        let with =
            |labels: Value| Object::from_value(json!({"metadata": {"labels": labels}})).unwrap();
        let old = with(json!({"a": "1"}));
        for (subresource, want) in [("status", json!({"a": "1"})), ("", json!({"b": "2"}))] {
            let mut new = with(json!({"b": "2"}));
            Deployment.reset(&mut new, Some(&old), subresource);
            assert_eq!(new.0["metadata"]["labels"], want);
        }
    }

    #[test]
    fn a_status_counts_right() {
        let report = |status: Value| Object::from_value(json!({"status": status})).unwrap();
        let good = report(json!({"replicas": 2, "readyReplicas": 2, "availableReplicas": 1}));
        assert!(
            Deployment
                .validate_update(&good, &good, "status")
                .is_empty()
        );
        let bad = report(
            json!({"replicas": 1, "readyReplicas": 2, "updatedReplicas": -1, "terminatingReplicas": -1}),
        );
        let errors = Deployment.validate_update(&bad, &good, "status");
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(
            found,
            [
                "status.updatedReplicas",
                "status.terminatingReplicas",
                "status.readyReplicas"
            ]
        );
    }
}
