//! What is asked and what is answered, in Kubernetes' words.

use std::sync::Arc;

use bytes::Bytes;
use kedge_api::Kind;
use kedge_machinery::Status;
use kedge_store::Entry;

use crate::user::User;

/// What a request is about.
#[derive(Debug, Clone)]
pub struct Target {
    pub kind: Arc<Kind>,
    /// Empty for a cluster-scoped kind.
    pub namespace: String,
    /// Empty for a create that leaves the name to the object.
    pub name: String,
    /// Empty, or for example `status`.
    pub subresource: String,
}

impl Target {
    /// An object itself, not one of its subresources.
    #[must_use]
    pub fn new(kind: Arc<Kind>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
            subresource: String::new(),
        }
    }

    /// The same object's subresource.
    #[must_use]
    pub fn subresource(mut self, subresource: impl Into<String>) -> Self {
        self.subresource = subresource.into();
        self
    }
}

/// What becomes of fields that the schema does not know, and of duplicate ones (KEP-2885).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldValidation {
    /// 400 that names each.
    Strict,
    /// A warning for each.
    #[default]
    Warn,
    /// Nothing is said.
    Ignore,
}

/// How to write.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Who asks; `None` is kedge itself.
    pub user: Option<Arc<User>>,
    /// Everything but the commit.
    pub dry_run: bool,
    /// The owner in `managedFields`; never empty for an apply (the caller answers 422 for that).
    pub field_manager: String,
    /// An apply takes fields from their owners.
    pub force: bool,
    pub field_validation: FieldValidation,
    /// Why the user, who may change an object, may not make one: the answer to a change of an object that is not there.
    pub may_not_create: Option<Box<Status>>,
    /// Duplicate fields that the caller's parser met, worded as upstream's strict decoder words them:
    /// `duplicate field "metadata.name"`.
    pub duplicates: Vec<String>,
    /// The JSON that the object was read from, for the order in which its problems are told; empty where there is none.
    pub source: Bytes,
}

/// The answer to a write.
#[derive(Debug, Clone)]
pub struct Written {
    /// The object as JSON.
    pub value: Bytes,
    /// True when the object is new (HTTP 201).
    pub created: bool,
    /// Texts for `Warning` headers.
    pub warnings: Vec<String>,
}

/// The language of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 6902, `application/json-patch+json`.
    Json,
    /// RFC 7386, `application/merge-patch+json`.
    Merge,
    /// `application/strategic-merge-patch+json`.
    Strategic,
    /// Server-side apply, `application/apply-patch+yaml`.
    Apply,
}

/// A patch; the body is JSON (YAML was turned into JSON by the caller).
#[derive(Debug, Clone)]
pub struct Patch {
    pub kind: PatchKind,
    pub body: Bytes,
}

/// How to read one object.
#[derive(Debug, Clone, Default)]
pub struct GetOptions {
    /// Empty or a revision: the answer is never older than it.
    pub resource_version: String,
}

/// How to list. Texts are as in the query; errors in them are answered with upstream's 400 and 422.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// 0 means all.
    pub limit: usize,
    pub continue_token: String,
    pub resource_version: String,
    /// Empty, `Exact` or `NotOlderThan`.
    pub resource_version_match: String,
    pub label_selector: String,
    pub field_selector: String,
    /// `sendInitialEvents`, which is for watches: 422.
    pub send_initial_events: Option<bool>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// The revision that the whole list shows: `metadata.resourceVersion`.
    pub revision: u64,
    pub items: Vec<Arc<Entry>>,
    /// Empty on the last page.
    pub continue_token: String,
    /// `metadata.remainingItemCount`; `None` where upstream leaves it out (last page, or a selector).
    pub remaining: Option<u64>,
}

/// How to watch.
#[derive(Debug, Clone, Default)]
pub struct WatchOptions {
    /// Empty: the state now and then changes; `0`: the same; else the changes after that revision.
    pub resource_version: String,
    pub resource_version_match: String,
    /// A list's; a watch can do nothing with it, and may be refused for it.
    pub continue_token: String,
    pub label_selector: String,
    pub field_selector: String,
    pub allow_bookmarks: bool,
    /// `sendInitialEvents` (KEP-3157).
    pub send_initial_events: Option<bool>,
}

/// One step of a watch. Bytes are the object's JSON.
#[derive(Debug, Clone)]
pub enum WatchEvent {
    Added(Bytes),
    Modified(Bytes),
    /// The object's last state that the selectors matched, at the revision of the change.
    Deleted(Bytes),
    /// Everything up to `revision` has been said; `initial_end` marks the end of the initial events.
    Bookmark {
        revision: u64,
        initial_end: bool,
    },
    /// The watch ends after this.
    Error(Status),
}

/// What becomes of an object's dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They lose their owner reference.
    Orphan,
    /// The object goes now, they later.
    Background,
    /// The object stays until they are gone.
    Foreground,
}

/// How to delete.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Who asks; `None` is kedge itself.
    pub user: Option<Arc<User>>,
    pub dry_run: bool,
    /// Seconds; `None` leaves it to the kind.
    pub grace_period: Option<i64>,
    /// `propagationPolicy`; the caller turns the older `orphanDependents` into it.
    pub propagation: Option<Propagation>,
    /// `preconditions.uid`.
    pub uid: Option<String>,
    /// `preconditions.resourceVersion`.
    pub resource_version: Option<String>,
}

/// The answer to a delete.
#[derive(Debug, Clone)]
pub struct Deleted {
    /// The object's last or present state, or a `Status` of success, as upstream answers for the kind.
    pub value: Bytes,
    /// False while finalizers or grace hold the object.
    pub gone: bool,
}
