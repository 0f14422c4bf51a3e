//! How often upstream looks at the metadata of an object: once for every kind (`BeforeCreate`, `validateCommonFields`), and
//! as often as the strategy of the kind does. What is wrong is a cause each time, and in the message once.

use kedge_api::Kind;

/// A look at metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// As at that of a new object (`ValidateObjectMeta`).
    Whole,
    /// As at that of a changed one (`ValidateObjectMetaUpdate`).
    Change,
}
use Look::{Change, Whole};

/// A strategy's own looks at the metadata of a change, before it looks at the rest of the object and after.
pub(crate) type Looks = (&'static [Look], &'static [Look]);

/// False for a strategy that leaves the metadata of what is new to the look that every kind gets, by which a name is
/// whatever fits into a path.
pub(crate) fn at_new(kind: &Kind) -> bool {
    !matches!(
        (kind.group.as_str(), kind.kind.as_str()),
        ("" | "events.k8s.io", "Event") | ("policy", _)
    )
}

/// The looks of a strategy at a change of an object, or of its subresource.
pub(crate) fn at_change(kind: &Kind, subresource: &str) -> Looks {
    match (kind.group.as_str(), kind.kind.as_str(), subresource) {
        ("" | "events.k8s.io", "Event", _) | ("policy", ..) | ("batch", "CronJob", "status") => {
            (&[], &[])
        }
        ("certificates.k8s.io", ..) => (&[Whole], &[Change]),
        ("", "Pod", "ephemeralcontainers" | "resize") => (&[Change, Whole], &[]),
        // A Scale is the object itself; other parts are written apart from what the object is.
        (_, _, part) if !matches!(part, "" | "scale") => (&[Change], &[]),
        ("", "PodTemplate" | "Service", _) => (&[Change], &[]),
        ("", "Namespace" | "Node", _)
        | ("apps", "DaemonSet" | "ReplicaSet", _)
        | ("batch", "Job", _)
        | ("networking.k8s.io", "IPAddress" | "NetworkPolicy" | "ServiceCIDR", _)
        | ("storage.k8s.io", "StorageClass", _)
        | ("node.k8s.io" | "rbac.authorization.k8s.io", ..) => (&[Whole], &[Change]),
        ("discovery.k8s.io", ..) | ("storage.k8s.io", "CSINode", _) => (&[Whole], &[]),
        ("", ..)
        | ("apps", "ControllerRevision", _)
        | ("networking.k8s.io", "Ingress" | "IngressClass", _) => (&[Change, Whole], &[]),
        _ => (&[Change], &[]),
    }
}
