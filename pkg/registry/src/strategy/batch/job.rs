//! Jobs (`pkg/apis/batch/v1/defaults.go`, `validation`, `pkg/registry/batch/job`).

use kedge_machinery::object::child_mut;
use kedge_machinery::selector::LabelSelector;
use kedge_machinery::{FieldError, Object};
use serde_json::{Map, Value, json};

use crate::check;
use crate::strategy::{Strategy, pod_template};
use crate::value::{child, default, field, int, present, text};

const COMPLETION_MODES: &[&str] = &["Indexed", "NonIndexed"];
const REPLACEMENT: &[&str] = &["Failed", "TerminatingOrFailed"];
/// A template's Pods end.
const RESTART: &[&str] = &["OnFailure", "Never"];
const MAX_LABEL: usize = 63;
/// Beyond these the indexes of an Indexed Job may be too many to write down.
const MANY_COMPLETIONS: i64 = 100_000;
const MANY_AT_ONCE: i64 = 10_000;

/// Labels that tie a Pod to its Job: of the Job's uid and name, each in the newer and the older form.
const UID_LABELS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
const NAME_LABELS: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

const COUNTS: [&str; 7] = [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
];
/// Fields of the spec that stay.
const FROZEN: [&str; 7] = [
    "completions",
    "selector",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
];

pub(in crate::strategy) struct Job;

impl Strategy for Job {
    fn default(&self, object: &mut Object) {
        let spec = child_mut(&mut object.0, "spec");
        pod_template::default(spec);
        if field(spec, "parallelism").is_null() {
            spec.insert("parallelism".into(), json!(1));
            default(spec, "completions", 1);
        }
        let per_index = !field(spec, "backoffLimitPerIndex").is_null();
        let limit = if per_index { i64::from(i32::MAX) } else { 6 };
        default(spec, "backoffLimit", limit);
        default(spec, "completionMode", "NonIndexed");
        default(spec, "suspend", false);
        default(spec, "manualSelector", false);
        let judged = !field(spec, "podFailurePolicy").is_null();
        let replacement = if judged {
            "Failed"
        } else {
            "TerminatingOrFailed"
        };
        default(spec, "podReplacementPolicy", replacement);
        let labels = child(child(field(spec, "template"), "metadata"), "labels").clone();
        let own = object
            .at(&["metadata", "labels"])
            .and_then(Value::as_object);
        if own.is_none_or(Map::is_empty) && labels.as_object().is_some_and(|l| !l.is_empty()) {
            object.meta_mut().insert("labels".into(), labels);
        }
        child_mut(&mut object.0, "status");
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({
            "metadata": {}, "status": {}, "spec": {"template": pod_template::blank()},
        }))
    }

    /// Unless the client chose a selector, the Job's uid is it.
    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), json!({}));
        if new.at(&["spec", "manualSelector"]) == Some(&json!(true)) {
            return;
        }
        let (uid, name) = (new.uid().to_string(), new.name().to_string());
        let spec = child_mut(&mut new.0, "spec");
        let template = child_mut(child_mut(spec, "template"), "metadata");
        let labels = child_mut(template, "labels");
        for (keys, value) in [(UID_LABELS, &uid), (NAME_LABELS, &name)] {
            if value.len() <= MAX_LABEL {
                keys.iter()
                    .for_each(|key| default(labels, key, value.as_str()));
            }
        }
        let selector = child_mut(child_mut(spec, "selector"), "matchLabels");
        if !selector.contains_key(UID_LABELS[1]) {
            default(selector, UID_LABELS[0], uid);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let number = |key: &str| present(spec, key).and_then(Value::as_i64);
        let mut errors: Vec<FieldError> = COUNTS
            .iter()
            .filter_map(|key| check::non_negative(&format!("spec.{key}"), number(key)?))
            .collect();
        let mode = text(spec, "completionMode");
        if !mode.is_empty() && !COMPLETION_MODES.contains(&mode) {
            let at = "spec.completionMode";
            errors.push(FieldError::not_supported(at, mode, COMPLETION_MODES));
        }
        if mode == "Indexed" && number("completions").is_none() {
            let detail = "when completion mode is Indexed";
            errors.push(FieldError::required("spec.completions", detail));
        }
        let policy = text(spec, "podReplacementPolicy");
        if !policy.is_empty() && !REPLACEMENT.contains(&policy) {
            let at = "spec.podReplacementPolicy";
            errors.push(FieldError::not_supported(at, policy, REPLACEMENT));
        }
        errors.extend(selector(spec));
        errors.extend(template("spec.template", child(spec, "template")));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            let status = field(&new.0, "status");
            let count = |key: &&str| {
                let number = present(status, key).and_then(Value::as_i64)?;
                check::non_negative(&format!("status.{key}"), number)
            };
            return ["active", "succeeded", "failed"]
                .iter()
                .filter_map(count)
                .collect();
        }
        let mut errors = self.validate(new);
        let (is, was) = (field(&new.0, "spec"), field(&old.0, "spec"));
        for key in FROZEN {
            // An indexed Job may grow and shrink, as long as both numbers do.
            let elastic = key == "completions"
                && text(is, "completionMode") == "Indexed"
                && child(is, "completions") == child(is, "parallelism");
            if !elastic {
                let at = format!("spec.{key}");
                errors.extend(check::immutable(&at, is.get(key), was.get(key)));
            }
        }
        if !is_unstarted(old) {
            let template = "template";
            errors.extend(check::immutable(
                "spec.template",
                is.get(template),
                was.get(template),
            ));
        }
        errors
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let mut said = Vec::from_iter(pod_template::name_warning(new, old));
        said.extend(warnings(&["spec"], new, old));
        said
    }
}

/// A suspended Job that never ran may still be told where its Pods go.
fn is_unstarted(job: &Object) -> bool {
    job.at(&["spec", "suspend"]) == Some(&json!(true))
        && job.at(&["status", "startTime"]).is_none_or(Value::is_null)
}

fn selector(spec: &Value) -> Vec<FieldError> {
    const AT: &str = "spec.selector";
    let Some(selector) = present(spec, "selector") else {
        return vec![FieldError::required(AT, "")];
    };
    let mut errors = check::selector(AT, selector);
    let labels = child(child(child(spec, "template"), "metadata"), "labels");
    if let Ok(parsed) = LabelSelector::from_json(selector)
        && !parsed.matches(|key| labels.get(key).and_then(Value::as_str))
    {
        let at = "spec.template.metadata.labels";
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(at, labels.clone(), detail));
    }
    errors
}

/// What is said of the spec of a Job at a path, of a new object or one whose generation an update counts on.
pub(super) fn warnings(path: &[&str], new: &Object, old: Option<&Object>) -> Vec<String> {
    let generation = |object: &Object| object.at(&["metadata", "generation"]).cloned();
    if old.is_some_and(|old| generation(old) == generation(new)) {
        return Vec::new();
    }
    let spec = new.at(path).unwrap_or(&Value::Null);
    let many = text(spec, "completionMode") == "Indexed"
        && int(spec, "completions") > MANY_COMPLETIONS
        && int(spec, "parallelism") > MANY_AT_ONCE;
    let mut said = Vec::new();
    if many {
        said.push(format!(
            "{}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, \
             Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
            path.join(".")
        ));
    }
    said.extend(pod_template::warnings(
        &[path, &["template"]].concat(),
        new,
        old,
    ));
    said
}

/// A template whose Pods end.
pub(super) fn template(at: &str, template: &Value) -> Vec<FieldError> {
    let mut errors = pod_template::validate(at, template);
    let policy = text(child(template, "spec"), "restartPolicy");
    let at = format!("{at}.spec.restartPolicy");
    if matches!(policy, "" | "Always") {
        let detail = "valid values: \"OnFailure\", \"Never\"";
        errors.push(FieldError::required(at, detail));
    } else if !RESTART.contains(&policy) {
        errors.push(FieldError::not_supported(at, policy, RESTART));
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn job(more: Value) -> Object {
        let mut body = json!({"metadata": {"name": "j", "uid": "u"}, "spec": {
            "template": {
                "metadata": {"labels": {"app": "j"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]},
            },
        }});
        let spec = body["spec"].as_object_mut().unwrap();
        spec.extend(more.as_object().unwrap().clone());
        let mut object = Object::from_value(body).unwrap();
        Job.default(&mut object);
        Job.prepare_create(&mut object);
        object
    }

    #[test]
    fn what_is_filled_in() {
        let job = job(json!({}));
        assert_eq!(job.at(&["metadata", "labels"]), Some(&json!({"app": "j"})));
        let spec = &job.0["spec"];
        for (key, value) in [
            ("parallelism", json!(1)),
            ("completions", json!(1)),
            ("backoffLimit", json!(6)),
            ("completionMode", json!("NonIndexed")),
            ("suspend", json!(false)),
            ("manualSelector", json!(false)),
            ("podReplacementPolicy", json!("TerminatingOrFailed")),
            (
                "selector",
                json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}),
            ),
        ] {
            assert_eq!(spec[key], value, "{key}");
        }
        assert_eq!(
            spec["template"]["metadata"]["labels"],
            json!({
                "app": "j", "batch.kubernetes.io/controller-uid": "u", "batch.kubernetes.io/job-name": "j",
                "controller-uid": "u", "job-name": "j",
            })
        );
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"parallelism": -1, "backoffLimit": -1}), &["spec.parallelism", "spec.backoffLimit"])]
    #[case(json!({"completionMode": "Indexed", "parallelism": 2}), &["spec.completions"])]
    #[case(json!({"completionMode": "Other"}), &["spec.completionMode"])]
    #[case(json!({"manualSelector": true}), &["spec.selector"])]
    #[case(json!({"manualSelector": true, "selector": {"matchLabels": {"a": "b"}}}), &["spec.template.metadata.labels"])]
    #[case(json!({"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}), &["spec.template.spec.restartPolicy"])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let errors = Job.validate(&job(spec));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[rstest]
    #[case(json!({}), json!({"parallelism": 3, "completions": 1, "suspend": true}), &[])]
    #[case(json!({}), json!({"completions": 2}), &["spec.completions"])]
    #[case(
        json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2}),
        json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3}),
        &[]
    )]
    #[case(
        json!({}),
        json!({"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "other"}]}}}),
        &["spec.template"]
    )]
    fn what_may_change(#[case] old: Value, #[case] new: Value, #[case] wrong: &[&str]) {
        let errors = Job.validate_update(&job(new), &job(old), "");
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }
}
