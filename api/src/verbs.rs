//! Verbs in the words of discovery, in the order in which it tells them.

/// Every verb of an ordinary resource, sorted.
pub(crate) const ALL: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
/// The same of a custom resource, which upstream does not sort (`customresource_discovery_controller.go`).
pub(crate) const CUSTOM: &[&str] = &[
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];
/// Verbs of a part of an object.
pub(crate) const PART: &[&str] = &["get", "patch", "update"];
/// Verbs that clients are told of while a definition is going.
pub(crate) const GOING: &[&str] = &["delete", "deletecollection", "get", "list", "watch"];
