//! ReplicaSets (`pkg/apis/apps/v1/defaults.go` and `validation`).

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::json;

use super::{counts, same_selector, status};
use crate::strategy::Strategy;
use crate::strategy::pod_template::{self, Maker};
use crate::value::{child, default, field};

/// Also that of a Deployment, which makes ReplicaSets.
pub(super) const MAKER: Maker = Maker {
    selects: "deployment",
    makes: "ReplicaSet",
    unread: "invalid label selector",
};

pub(in crate::strategy) struct ReplicaSet;

impl Strategy for ReplicaSet {
    fn default(&self, object: &mut Object) {
        let spec = child_mut(&mut object.0, "spec");
        pod_template::default(spec);
        default(spec, "replicas", 1);
        default(child_mut(&mut object.0, "status"), "replicas", 0);
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({
            "metadata": {}, "status": {"replicas": 0},
            "spec": {"selector": null, "template": pod_template::blank()},
        }))
    }

    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), json!({"replicas": 0}));
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let mut errors = counts(object, "spec", &["replicas", "minReadySeconds"]);
        errors.extend(MAKER.validate(spec, child(spec, "template")));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return status(
                new,
                old,
                &[
                    "replicas",
                    "fullyLabeledReplicas",
                    "readyReplicas",
                    "availableReplicas",
                    "terminatingReplicas",
                    "observedGeneration",
                ],
                &[
                    ("fullyLabeledReplicas", "status.replicas"),
                    ("readyReplicas", "status.replicas"),
                    ("availableReplicas", "status.replicas"),
                    ("availableReplicas", "readyReplicas"),
                ],
            );
        }
        self.validate(new)
    }

    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        Vec::from_iter(same_selector(new, old))
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let mut said = Vec::from_iter(pod_template::name_warning(new, old));
        said.extend(pod_template::warnings(&["spec", "template"], new, old));
        said
    }
}
