//! Pods. No kubelet runs them here: they are the endpoints that people and tools declare.

mod defaults;
mod ephemeral;
mod mutate;
mod part;
mod quality;
mod resize;
mod status;
mod sysctls;
mod update;
mod validate;
mod warnings;

pub(super) use defaults::template as default_template;
pub(super) use validate::overhead as validate_overhead;
pub(super) use validate::template as validate_template;
pub(super) use warnings::warnings;

use kedge_machinery::{FieldError, Object, names};
use serde_json::{Value, json};

use super::Strategy;
use crate::value::{field, int, text};

/// The lists of containers of a Pod.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// On a Pod: a kubelet's own, of which this object is only the mirror.
pub(crate) const MIRROR: &str = "kubernetes.io/config.mirror";
/// How upstream's refusals spell the path of what is wrong as a whole.
const NOWHERE: &str = "[]";

pub(super) struct Pod;

impl Strategy for Pod {
    fn default(&self, object: &mut Object) {
        defaults::apply(object);
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({"metadata": {}, "spec": {"containers": null}}))
    }

    fn narrow(&self, subresource: &str) -> Option<fn(&mut Object)> {
        match subresource {
            "ephemeralcontainers" => Some(part::ephemeral),
            "resize" => Some(part::sizes),
            _ => None,
        }
    }

    fn reset(&self, new: &mut Object, old: Option<&Object>, subresource: &str) {
        match (subresource, old) {
            ("ephemeralcontainers", Some(old)) => part::keep_all_but_ephemeral(new, old),
            ("resize", Some(old)) => part::keep_all_but_sizes(new, old),
            _ => {}
        }
    }

    fn prepare_create(&self, new: &mut Object) {
        defaults::admit(new);
        mutate::mutate(new);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        if subresource == "status" {
            status::prepare(new, old);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate::new(object)
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        match subresource {
            "ephemeralcontainers" => ephemeral::validate(new, old),
            "resize" => resize::validate(new, old),
            "status" => status::validate(new, old),
            _ => update::validate(new, old),
        }
    }

    /// Nothing is said of an update: those are programs'.
    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        if old.is_some() {
            return Vec::new();
        }
        let bad = names::dns1123_label(new.name());
        let mut said = Vec::new();
        if !bad.is_empty() {
            said.push(format!(
                "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; \
                 a DNS label is recommended: [{}]",
                bad.join(" ")
            ));
        }
        said.extend(warnings("", &Value::Object(new.0.clone())));
        said
    }

    fn status_warnings(&self, new: &Object) -> Vec<String> {
        status::warnings(new)
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
