//! Pods. No kubelet runs them here: they are the endpoints that people and tools declare.

mod defaults;
mod update;
mod validate;

pub(super) use defaults::spec_of_template;
pub(super) use validate::spec as validate_spec;

use kedge_machinery::{FieldError, Object};
use serde_json::json;

use super::Strategy;
use crate::value::{copy_field, field, int, text};

pub(super) struct Pod;

impl Strategy for Pod {
    fn default(&self, object: &mut Object) {
        defaults::apply(object);
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({"metadata": {}, "spec": {"containers": null}}))
    }

    fn prepare_create(&self, new: &mut Object) {
        defaults::admit(new);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        if subresource == "status" {
            // Old kubelets wrote broken owner references here.
            let Some(meta) = old.meta() else { return };
            copy_field(new.meta_mut(), meta, "ownerReferences");
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate::pod(object)
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            validate::status(new, old)
        } else {
            update::validate(new, old)
        }
    }

    /// A pod on no node, or one that has ended, has nobody to wait for.
    fn grace(&self, object: &Object, asked: Option<i64>) -> Option<i64> {
        let spec = field(&object.0, "spec");
        let own = || int(spec, "terminationGracePeriodSeconds");
        let seconds = asked.unwrap_or_else(own);
        let ended = matches!(
            text(field(&object.0, "status"), "phase"),
            "Failed" | "Succeeded"
        );
        let unscheduled = text(spec, "nodeName").is_empty();
        Some(if ended || unscheduled {
            0
        } else if seconds < 0 {
            1
        } else {
            seconds
        })
    }
}
