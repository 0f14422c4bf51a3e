//! Names and amounts of resources (`pkg/apis/core/helper`).

use kedge_machinery::quantity::Quantity;
use kedge_machinery::{FieldError, names};

/// What a quota writes before a resource's name.
const REQUESTS: &str = "requests.";
/// What stands before the size of a page.
pub(crate) const HUGE_PAGES: &str = "hugepages-";
/// What is counted besides extended resources.
const COUNTED: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

/// Kubernetes' own: without a domain, or of one of its own.
pub(crate) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// A resource that Kubernetes does not know: of a domain, and such that a quota can name it.
pub(crate) fn is_extended(name: &str) -> bool {
    let of_quota = format!("{REQUESTS}{name}");
    !is_native(name) && !name.starts_with(REQUESTS) && names::qualified_name(&of_quota).is_empty()
}

/// An amount: never less than none, and whole of what is counted.
pub(crate) fn amount(path: &str, name: &str, amount: Quantity) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |detail| {
        errors.push(FieldError::invalid(path, amount.to_string(), detail));
    };
    if amount.is_negative() {
        wrong("must be greater than or equal to 0");
    }
    let is_counted = COUNTED.contains(&name) || is_extended(name);
    if is_counted && !amount.is_whole() {
        wrong("must be an integer");
    }
    errors
}
