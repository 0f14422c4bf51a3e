//! The selector and the labels of a Job whose client chose none (upstream: `generateSelector`,
//! `validateGeneratedSelector`).

use kedge_machinery::object::child_mut;
use kedge_machinery::selector::LabelSelector;
use kedge_machinery::{FieldError, Object};
use serde_json::{Value, json};

use crate::value::{child, default, field, present};

/// Labels that tie a Pod to its Job: of the Job's uid and name, each in the newer and the older form.
const UID_LABELS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
const NAME_LABELS: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

/// Unless the client chose a selector, the Job's uid is it.
pub(super) fn fill(new: &mut Object) {
    if new.at(&["spec", "manualSelector"]) == Some(&json!(true)) {
        return;
    }
    let (uid, name) = (new.uid().to_string(), new.name().to_string());
    let spec = child_mut(&mut new.0, "spec");
    let template = child_mut(child_mut(spec, "template"), "metadata");
    let labels = child_mut(template, "labels");
    for (keys, value) in [(UID_LABELS, &uid), (NAME_LABELS, &name)] {
        keys.iter()
            .for_each(|key| default(labels, key, value.as_str()));
    }
    let selector = child_mut(child_mut(spec, "selector"), "matchLabels");
    if !selector.contains_key(UID_LABELS[1]) {
        default(selector, UID_LABELS[0], uid);
    }
}

/// The labels of the template.
pub(super) fn labels(spec: &Value) -> &Value {
    child(child(child(spec, "template"), "metadata"), "labels")
}

/// What ties Pods to a Job that chose no selector: nobody gave other labels, and the selector fits them.
pub(super) fn validate(job: &Object) -> Vec<FieldError> {
    let spec = field(&job.0, "spec");
    let Some(selector) =
        present(spec, "selector").filter(|_| child(spec, "manualSelector") != &json!(true))
    else {
        return Vec::new();
    };
    let labels = labels(spec);
    let [newer, older] = [0, 1].map(|i| [(UID_LABELS[i], job.uid()), (NAME_LABELS[i], job.name())]);
    let own = [older, newer].concat();
    let mut errors = Vec::new();
    for (key, want) in &own {
        let at = format!("spec.template.metadata.labels[{key}]");
        let detail = format!("must be '{want}'");
        match labels.get(key).and_then(Value::as_str) {
            None => errors.push(FieldError::required(at, detail)),
            Some(value) if value != *want => {
                errors.push(FieldError::invalid(at, labels.clone(), detail));
            }
            Some(_) => {}
        }
    }
    let value = |key: &str| {
        own.iter()
            .find(|(own, _)| *own == key)
            .map(|(_, value)| *value)
    };
    if LabelSelector::from_json(selector).is_ok_and(|parsed| !parsed.matches(value)) {
        let detail = "`selector` not auto-generated";
        errors.push(FieldError::invalid(
            "spec.selector",
            selector.clone(),
            detail,
        ));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(labels: Value, selector: Value) -> Object {
        let template = json!({"metadata": {"labels": labels}});
        let mut job = Object::from_value(json!({
            "metadata": {"name": "j", "uid": "u"}, "spec": {"template": template, "selector": selector},
        }))
        .unwrap();
        fill(&mut job);
        job
    }

    fn said(job: &Object) -> Vec<String> {
        let errors = validate(job).into_iter();
        errors
            .map(|e| format!("{}: {}", e.field, e.detail))
            .collect()
    }

    #[test]
    fn labels_are_the_servers() {
        let at = |key: &str, want: &str| {
            format!("spec.template.metadata.labels[{key}]: must be '{want}'")
        };
        assert!(said(&job(json!({"app": "j"}), json!({}))).is_empty());
        let mut taken = job(json!({"job-name": "other"}), json!({}));
        assert_eq!(said(&taken), [at("job-name", "j")]);
        taken.0["spec"]["template"]["metadata"]["labels"] = json!({UID_LABELS[0]: "u"});
        let missing = [
            at(UID_LABELS[1], "u"),
            at(NAME_LABELS[1], "j"),
            at(NAME_LABELS[0], "j"),
        ];
        assert_eq!(said(&taken), missing);
    }

    #[test]
    fn a_selector_asks_for_nothing_else() {
        let other = json!({"matchLabels": {"a": "b"}});
        let found = said(&job(json!({"a": "b"}), other));
        assert_eq!(found, ["spec.selector: `selector` not auto-generated"]);
        let newer = json!({"matchLabels": {UID_LABELS[0]: "u"}});
        assert!(said(&job(json!({}), newer)).is_empty());
    }
}
