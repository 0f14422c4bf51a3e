//! Templates of Pods: the kind PodTemplate, and the part of everything that makes Pods.

use kedge_machinery::object::child_mut;
use kedge_machinery::selector::{LabelSelector, SelectorError};
use kedge_machinery::{FieldError, Object, names};
use serde_json::{Map, Value, json};

use super::{Strategy, pod};
use crate::check;
use crate::value::{child, field, list, pairs, present, text};

/// What is said of the template at a path, of a new object or one whose generation an update counts on.
pub(super) fn warnings(path: &[&str], new: &Object, old: Option<&Object>) -> Vec<String> {
    let generation = |object: &Object| object.at(&["metadata", "generation"]).cloned();
    if old.is_some_and(|old| generation(old) == generation(new)) {
        return Vec::new();
    }
    let at = path.join(".") + ".";
    new.at(path)
        .map(|template| pod::warnings(&at, template))
        .unwrap_or_default()
}

/// What is said of a name that becomes part of names of Pods, of a new object.
pub(super) fn name_warning(new: &Object, old: Option<&Object>) -> Option<String> {
    let bad = names::dns1123_label(new.name());
    (old.is_none() && !bad.is_empty()).then(|| {
        format!(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; \
             a DNS label is recommended: [{}]",
            bad.join(" ")
        )
    })
}

/// The empty template of Go's types.
pub(super) fn blank() -> Value {
    json!({"metadata": {}, "spec": {"containers": null}})
}

/// Fills the template that `parent` holds.
pub(super) fn default(parent: &mut Map<String, Value>) {
    let template = child_mut(parent, "template");
    child_mut(template, "metadata");
    pod::default_template(template);
}

/// What is wrong with a template (`ValidatePodTemplateSpec`). Upstream's paths of labels and annotations leave the
/// metadata out.
pub(super) fn validate(at: &str, template: &Value) -> Vec<FieldError> {
    let (metadata, spec) = (child(template, "metadata"), child(template, "spec"));
    let mut errors = check::labels(&format!("{at}.labels"), pairs(metadata, "labels"));
    errors.extend(annotations(at, metadata));
    errors.extend(pod::validate_template(at, template));
    if !list(spec, "ephemeralContainers").is_empty() {
        let at = format!("{at}.spec.ephemeralContainers");
        let detail = "ephemeral containers not allowed in pod template";
        errors.push(FieldError::forbidden(at, detail));
    }
    errors
}

fn annotations(at: &str, metadata: &Value) -> Vec<FieldError> {
    let at = format!("{at}.annotations");
    pairs(metadata, "annotations")
        .flat_map(|(key, _)| check::annotation_key(&at, key))
        .collect()
}

/// What makes Pods that run until somebody removes them, in upstream's words.
pub(super) struct Maker {
    /// Its name in errors of its selector.
    pub(super) selects: &'static str,
    /// Its name in errors of its template.
    pub(super) makes: &'static str,
    /// What is said of a selector that cannot be read.
    pub(super) unread: &'static str,
}

impl Maker {
    /// The selector and the template: a selector that is there, not for everything, and matches what the template makes.
    /// A template is looked at only beside a selector that can be read.
    pub(super) fn validate(&self, spec: &Value, template: &Value) -> Vec<FieldError> {
        let mut errors = match present(spec, "selector") {
            None => vec![FieldError::required(SELECTOR, "")],
            Some(selector) => {
                let mut errors = check::selector(SELECTOR, selector);
                errors.extend(not_for_all(selector, self.selects));
                errors
            }
        };
        match mismatch(spec) {
            Ok(mismatch) => {
                errors.extend(mismatch);
                errors.extend(validate("spec.template", template));
                errors.extend(lasting(template, self.makes));
            }
            Err(_) => {
                let selector = child(spec, "selector").clone();
                errors.push(FieldError::invalid(SELECTOR, selector, self.unread));
            }
        }
        errors
    }
}

const SELECTOR: &str = "spec.selector";

/// A selector of what makes Pods is not for everything.
pub(super) fn not_for_all(selector: &Value, kind: &str) -> Option<FieldError> {
    let empty = pairs(selector, "matchLabels").next().is_none()
        && list(selector, "matchExpressions").is_empty();
    let detail = format!("empty selector is invalid for {kind}");
    empty.then(|| FieldError::invalid(SELECTOR, selector.clone(), detail))
}

/// A selector matches the labels of its own template. One that is not there matches nothing.
///
/// # Errors
/// The selector cannot be read.
pub(super) fn mismatch(spec: &Value) -> Result<Option<FieldError>, SelectorError> {
    let labels = child(child(child(spec, "template"), "metadata"), "labels");
    let matches = match present(spec, "selector") {
        None => false,
        Some(selector) => LabelSelector::from_json(selector)?
            .matches(|key| labels.get(key).and_then(Value::as_str)),
    };
    let at = "spec.template.metadata.labels";
    let detail = "`selector` does not match template `labels`";
    Ok((!matches).then(|| FieldError::invalid(at, labels.clone(), detail)))
}

/// What only Pods that end may say.
pub(super) fn lasting(template: &Value, kind: &str) -> Vec<FieldError> {
    let pod = child(template, "spec");
    let at = |key: &str| format!("spec.template.spec.{key}");
    let mut errors = Vec::new();
    match text(pod, "restartPolicy") {
        "Always" => {}
        policy => errors.push(FieldError::not_supported(
            at("restartPolicy"),
            policy,
            &["Always"],
        )),
    }
    if present(pod, "activeDeadlineSeconds").is_some() {
        let detail = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(FieldError::forbidden(at("activeDeadlineSeconds"), detail));
    }
    errors
}

pub(super) struct PodTemplate;

impl Strategy for PodTemplate {
    fn default(&self, object: &mut Object) {
        default(&mut object.0);
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({"metadata": {}, "template": blank()}))
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate("template", field(&object.0, "template"))
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        warnings(&["template"], new, old)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_template_is_given_less_than_a_pod() {
        let mut object = Object::from_value(json!({"template": {"spec": {"containers": [
            {"name": "c", "image": "i:1", "resources": {"limits": {"cpu": "1"}}},
        ]}}}))
        .unwrap();
        PodTemplate.default(&mut object);
        assert_eq!(
            object.into_value()["template"]["spec"],
            json!({
                "containers": [{
                    "name": "c", "image": "i:1", "imagePullPolicy": "IfNotPresent",
                    "resources": {"limits": {"cpu": "1"}},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                }],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
                "securityContext": {}, "terminationGracePeriodSeconds": 30,
            })
        );
    }

    #[rstest]
    #[case(json!({"labels": {"a": "b c"}}), "t.labels: Invalid value: \"b c\": ")]
    #[case(json!({"labels": {"a b": ""}}), "t.labels: Invalid value: \"a b\": ")]
    #[case(json!({"annotations": {"A b": ""}}), "t.annotations: Invalid value: \"A b\": ")]
    fn labels_and_annotations(#[case] metadata: Value, #[case] wrong: &str) {
        let spec = json!({"containers": [{"name": "c", "image": "i"}]});
        let mut parent = json!({"template": {"metadata": metadata, "spec": spec}});
        default(parent.as_object_mut().unwrap());
        let errors = validate("t", &parent["template"]);
        assert!(errors[0].to_string().starts_with(wrong), "{}", errors[0]);
        assert_eq!(errors.len(), 1);
    }

    #[rstest]
    #[case(json!({"matchLabels": {"app": "web"}}), &[])]
    #[case(Value::Null, &["spec.selector", "spec.template.metadata.labels"])]
    #[case(json!({}), &["spec.selector"])]
    #[case(json!({"matchLabels": {"app": "other"}}), &["spec.template.metadata.labels"])]
    #[case(
        json!({"matchExpressions": [{"key": "app", "operator": "In", "values": []}]}),
        &["spec.selector.matchExpressions[0].values", "spec.selector"]
    )]
    fn selectors(#[case] selector: Value, #[case] wrong: &[&str]) {
        let mut spec = json!({"selector": selector, "template": {
            "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]},
        }});
        default(spec.as_object_mut().unwrap());
        let maker = Maker {
            selects: "deployment",
            makes: "ReplicaSet",
            unread: "invalid label selector",
        };
        let errors = maker.validate(&spec, &spec["template"]);
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }
}
