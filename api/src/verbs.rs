//! Verbs in the words of discovery, sorted.

/// Every verb of an ordinary resource.
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
/// Verbs of a part of an object.
pub(crate) const PART: &[&str] = &["get", "patch", "update"];
/// Verbs that clients are told of while a definition is going.
pub(crate) const GOING: &[&str] = &["delete", "deletecollection", "get", "list", "watch"];
