//! How often upstream looks at an object and its metadata, and in which order: at metadata once for every kind
//! (`BeforeCreate`, `validateCommonFields`), and at all of it as the strategy of the kind does. What is wrong is a cause each
//! time, and in the message once.

use kedge_api::Kind;

/// A part of what a strategy says of a change, metadata included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The metadata as that of a new object (`ValidateObjectMeta`).
    Whole,
    /// The metadata as that of a changed one (`ValidateObjectMetaUpdate`).
    Change,
    /// The object (`Strategy::validate_update`).
    Object,
    /// What the object was before (`Strategy::validate_change`).
    Moved,
}
use Part::{Change, Moved, Object, Whole};

/// False for a strategy that leaves the metadata of what is new to the look that every kind gets, by which a name is
/// whatever fits into a path.
pub(crate) fn at_new(kind: &Kind) -> bool {
    !matches!(
        (kind.group.as_str(), kind.kind.as_str()),
        ("" | "events.k8s.io", "Event") | ("policy", _)
    )
}

/// What a strategy says of a change of an object, or of its subresource, in its order.
pub(crate) fn at_change(kind: &Kind, subresource: &str) -> &'static [Part] {
    match (kind.group.as_str(), kind.kind.as_str(), subresource) {
        ("" | "events.k8s.io", "Event", _) | ("policy", ..) | ("batch", "CronJob", "status") => {
            &[Object]
        }
        ("certificates.k8s.io", ..) => &[Whole, Object, Change],
        ("", "Pod", "ephemeralcontainers" | "resize") => &[Change, Whole, Object],
        ("", "Node", "status") => &[Change, Moved],
        // A Scale is the object itself; other parts are written apart from what the object is.
        (_, _, part) if !matches!(part, "" | "scale") => &[Change, Object],
        ("", "PodTemplate" | "Service", _) => &[Change, Object],
        ("", "Namespace" | "Node", _)
        | ("batch", "Job", _)
        | ("networking.k8s.io", "IPAddress", _)
        | ("storage.k8s.io", "StorageClass", _)
        | ("node.k8s.io", ..) => &[Whole, Object, Change, Moved],
        ("apps", "DaemonSet" | "ReplicaSet", _) | ("networking.k8s.io", "NetworkPolicy", _) => {
            &[Whole, Object, Change, Object, Moved]
        }
        ("rbac.authorization.k8s.io", ..) => &[Whole, Object, Whole, Object, Change, Moved],
        ("discovery.k8s.io", ..) => &[Whole, Object],
        ("storage.k8s.io", "CSINode", _) => &[Whole, Object, Whole, Object, Moved],
        ("", "Pod", _) | ("apps", "ControllerRevision", _) => &[Change, Whole, Object],
        ("", ..) | ("networking.k8s.io", "Ingress" | "IngressClass", _) => {
            &[Change, Moved, Whole, Object]
        }
        _ => &[Change, Object],
    }
}
