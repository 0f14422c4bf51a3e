//! Jobs (`pkg/apis/batch/v1/defaults.go`, `validation`, `pkg/registry/batch/job`).

use kedge_machinery::object::child_mut;
use kedge_machinery::selector::LabelSelector;
use kedge_machinery::{FieldError, Object, names};
use serde_json::{Map, Value, json};

use super::spec::{MANY_COMPLETIONS, MAX_OF_MANY};
use super::{generated, policy, status};
use crate::check;
use crate::strategy::{Strategy, pod_template};
use crate::value::{child, default, field, int, present, text};

/// Fields of the spec that stay.
const FROZEN: [&str; 5] = [
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
        policy::default(spec);
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

    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), json!({}));
        generated::fill(new);
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = generated::validate(object);
        errors.extend(spec(object));
        errors.extend(last_hostname(object));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return status::validate(new, old);
        }
        self.validate(new)
    }

    /// Upstream looks at the spec once as that of a Job, and once as that of a changed one.
    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let (is, was) = (field(&new.0, "spec"), field(&old.0, "spec"));
        let mut errors = spec(new);
        errors.extend(completions(is, was));
        let frozen =
            |key: &str| check::immutable(&format!("spec.{key}"), is.get(key), was.get(key));
        errors.extend(frozen("selector"));
        let [before, after] = [was, is].map(|spec| child(spec, "template"));
        if !is_unstarted(old) || without_directives(before) != without_directives(after) {
            errors.extend(frozen("template"));
        }
        errors.extend(FROZEN.into_iter().filter_map(frozen));
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

/// A template without what says where its Pods go and what they ask of a node.
fn without_directives(template: &Value) -> Value {
    let mut rest = template.clone();
    let mut forget = |parent: &str, keys: &[&str]| {
        let part = rest.pointer_mut(parent).and_then(Value::as_object_mut);
        if let Some(part) = part {
            keys.iter().for_each(|key| drop(part.remove(*key)));
        }
    };
    forget("/metadata", &["annotations", "labels"]);
    forget("/spec/affinity", &["nodeAffinity"]);
    if template
        .pointer("/spec/affinity")
        .is_some_and(is_only_of_nodes)
    {
        forget("/spec", &["affinity"]);
    }
    forget("/spec", &["nodeSelector", "schedulingGates", "tolerations"]);
    for list in ["containers", "initContainers"] {
        let count = template["spec"][list].as_array().map_or(0, Vec::len);
        (0..count).for_each(|i| forget(&format!("/spec/{list}/{i}"), &["resources"]));
    }
    rest
}

fn is_only_of_nodes(affinity: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"]
        .iter()
        .all(|key| present(affinity, key).is_none())
}

/// Indexed Jobs grow and shrink, Pods at once and completions alike.
fn completions(is: &Value, was: &Value) -> Option<FieldError> {
    const AT: &str = "spec.completions";
    let [after, before] = [is, was].map(|spec| present(spec, "completions"));
    if text(is, "completionMode") != "Indexed" {
        return check::immutable(AT, after, before);
    }
    let after = after.filter(|after| Some(*after) != before)?;
    let detail = "can only be modified in tandem with spec.parallelism";
    (child(is, "parallelism") != after).then(|| FieldError::invalid(AT, after.clone(), detail))
}

fn spec(job: &Object) -> Vec<FieldError> {
    const AT: &str = "spec.selector";
    let spec = field(&job.0, "spec");
    let mut errors = super::spec::validate("spec", spec);
    let Some(selector) = present(spec, "selector") else {
        errors.push(FieldError::required(AT, ""));
        return errors;
    };
    errors.extend(check::selector(AT, selector));
    let labels = generated::labels(spec);
    if let Ok(parsed) = LabelSelector::from_json(selector)
        && !parsed.matches(|key| labels.get(key).and_then(Value::as_str))
    {
        let at = "spec.template.metadata.labels";
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(at, labels.clone(), detail));
    }
    errors
}

/// The Pods of an Indexed Job are named after it and their index.
fn last_hostname(job: &Object) -> Option<FieldError> {
    let spec = field(&job.0, "spec");
    let (name, completions) = (job.name(), int(spec, "completions"));
    if text(spec, "completionMode") != "Indexed" || completions <= 0 {
        return None;
    }
    let last = format!("{name}-{}", completions - 1);
    (!names::dns1123_label(&last).is_empty()).then(|| {
        let detail = format!("will not able to create pod with invalid DNS label: {last}");
        FieldError::invalid("metadata.name", name, detail)
    })
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
        && int(spec, "parallelism") > MAX_OF_MANY;
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
    #[case(json!({"selector": {"matchLabels": {"a": "b"}}}), &["spec.selector", "spec.template.metadata.labels"])]
    #[case(json!({"completionMode": "Indexed", "completions": 0}), &[])]
    #[case(json!({"manualSelector": true, "selector": {"matchLabels": {"a": "b"}}}), &["spec.template.metadata.labels"])]
    #[case(json!({"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}), &["spec.template.spec.restartPolicy"])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let errors = Job.validate(&job(spec));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn names_leave_room_for_indexes() {
        let named = |name: &str, completions: i64| {
            let mut job = job(json!({"completionMode": "Indexed", "completions": completions}));
            job.meta_mut().insert("name".into(), name.into());
            last_hostname(&job)
        };
        let long = "j".repeat(61);
        assert!(named(&long, 10).is_none() && named("a.b", 0).is_none());
        assert_eq!(named(&long, 11).unwrap().field, "metadata.name");
        assert!(named("a.b", 1).is_some());
    }

    #[test]
    fn a_long_name_is_no_label() {
        let mut long = job(json!({}));
        long.meta_mut().insert("name".into(), "j".repeat(64).into());
        long.0["spec"]["template"]["metadata"]["labels"] = json!({"app": "j"});
        Job.prepare_create(&mut long);
        let errors = Job.validate(&long);
        assert_eq!(errors[0].field, "spec.template.labels");
        assert!(errors[0].detail.starts_with("must be no more than 63 "));
    }

    #[test]
    fn a_suspended_job_may_be_told_where_to_run() {
        let with = |pod: Value| {
            let mut spec =
                json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
            spec.as_object_mut()
                .unwrap()
                .extend(pod.as_object().unwrap().clone());
            job(json!({"suspend": true, "template": {"spec": spec}}))
        };
        let old = with(json!({}));
        let moved = |pod: Value| !Job.validate_change(&with(pod), &old).is_empty();
        assert!(!moved(
            json!({"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]})
        ));
        assert!(!moved(json!({"affinity": {"nodeAffinity": {}}})));
        assert!(moved(json!({"affinity": {"podAffinity": {}}})));
        assert!(moved(json!({"hostNetwork": true})));
        let mut started = old.clone();
        started.0["status"] = json!({"startTime": "2026-01-01T00:00:00Z"});
        let selected = with(json!({"nodeSelector": {"a": "b"}}));
        assert_eq!(
            Job.validate_change(&selected, &started)[0].field,
            "spec.template"
        );
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
        json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2}),
        json!({"completionMode": "Indexed", "completions": 3, "parallelism": 2}),
        &["spec.completions"]
    )]
    #[case(
        json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2}),
        json!({"completionMode": "Indexed", "completions": 2, "parallelism": 1}),
        &[]
    )]
    #[case(json!({}), json!({"parallelism": -1, "completions": 1}), &["spec.parallelism"])]
    #[case(
        json!({}),
        json!({"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "other"}]}}}),
        &["spec.template"]
    )]
    fn what_may_change(#[case] old: Value, #[case] new: Value, #[case] wrong: &[&str]) {
        let errors = Job.validate_change(&job(new), &job(old));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }
}
