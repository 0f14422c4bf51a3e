//! Templates of Pods: the kind PodTemplate, and the part of everything that makes Pods.

use kedge_machinery::object::child_mut;
use kedge_machinery::selector::LabelSelector;
use kedge_machinery::{FieldError, Object};
use serde_json::{Map, Value, json};

use super::{Strategy, pod};
use crate::check;
use crate::value::{child, field, list, pairs, present, text};

/// The empty template of Go's types.
pub(super) fn blank() -> Value {
    json!({"metadata": {}, "spec": {"containers": null}})
}

/// Fills the template that `parent` holds.
pub(super) fn default(parent: &mut Map<String, Value>) {
    let template = child_mut(parent, "template");
    pod::spec_of_template(child_mut(template, "spec"));
}

/// What is wrong with a template (`ValidatePodTemplateSpec`).
pub(super) fn validate(at: &str, template: &Value) -> Vec<FieldError> {
    let (metadata, spec) = (child(template, "metadata"), child(template, "spec"));
    let mut errors = check::labels(&format!("{at}.metadata.labels"), pairs(metadata, "labels"));
    errors.extend(annotations(at, metadata));
    errors.extend(pod::validate_spec(&format!("{at}.spec"), spec));
    if !list(spec, "ephemeralContainers").is_empty() {
        let at = format!("{at}.spec.ephemeralContainers");
        let detail = "ephemeral containers not allowed in pod template";
        errors.push(FieldError::forbidden(at, detail));
    }
    errors
}

fn annotations(at: &str, metadata: &Value) -> Vec<FieldError> {
    let at = format!("{at}.metadata.annotations");
    pairs(metadata, "annotations")
        .flat_map(|(key, _)| check::qualified_name(&at, &key.to_lowercase()))
        .collect()
}

/// The selector and the template of what makes Pods that run until somebody removes them: upstream's name of the kind
/// in errors of the one and of the other.
pub(super) fn validate_lasting(spec: &Value, selects: &str, makes: &str) -> Vec<FieldError> {
    const AT: &str = "spec.template";
    let template = child(spec, "template");
    let mut errors = validate_selector(spec, selects);
    errors.extend(validate(AT, template));
    let pod = child(template, "spec");
    let policy = text(pod, "restartPolicy");
    if !matches!(policy, "Always" | "") {
        let at = format!("{AT}.spec.restartPolicy");
        errors.push(FieldError::not_supported(at, policy, &["Always"]));
    }
    if present(pod, "activeDeadlineSeconds").is_some() {
        let at = format!("{AT}.spec.activeDeadlineSeconds");
        let detail = format!("activeDeadlineSeconds in {makes} is not Supported");
        errors.push(FieldError::forbidden(at, detail));
    }
    errors
}

/// The selector of what makes Pods: there, not for everything, and one that its own Pods match.
fn validate_selector(spec: &Value, kind: &str) -> Vec<FieldError> {
    const AT: &str = "spec.selector";
    let Some(selector) = present(spec, "selector") else {
        return vec![FieldError::required(AT, "")];
    };
    let mut errors = check::selector(AT, selector);
    let Ok(parsed) = LabelSelector::from_json(selector) else {
        return errors;
    };
    if parsed.is_empty() {
        let detail = format!("empty selector is invalid for {kind}");
        errors.push(FieldError::invalid(AT, selector.clone(), detail));
        return errors;
    }
    let labels = child(child(child(spec, "template"), "metadata"), "labels");
    if !parsed.matches(|key| labels.get(key).and_then(Value::as_str)) {
        let at = "spec.template.metadata.labels";
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(at, labels.clone(), detail));
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
    #[case(json!({"matchLabels": {"app": "web"}}), &[])]
    #[case(Value::Null, &["spec.selector"])]
    #[case(json!({}), &["spec.selector"])]
    #[case(json!({"matchLabels": {"app": "other"}}), &["spec.template.metadata.labels"])]
    #[case(json!({"matchExpressions": [{"key": "app", "operator": "In", "values": []}]}), &["spec.selector.matchExpressions[0].values"])]
    fn selectors(#[case] selector: Value, #[case] wrong: &[&str]) {
        let spec = json!({
            "selector": selector, "template": {"metadata": {"labels": {"app": "web"}}},
        });
        let errors = validate_selector(&spec, "deployment");
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }
}
