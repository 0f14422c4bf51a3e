//! Namespaces as admission sees them: nothing is made in one that is not there or is going.

use kedge_machinery::{Cause, Status};
use kedge_store::{Condition, Entry, Snapshot};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::keys;
use crate::request::Target;

/// That an object may be made in its namespace; the condition under which that still holds at the commit.
pub(super) fn admit(target: &Target, snapshot: &Snapshot) -> Result<Option<Condition>, Status> {
    if !target.kind.namespaced {
        return Ok(None);
    }
    let key = keys::namespace(&target.namespace);
    let Some(entry) = snapshot.get(&key) else {
        return Err(Status::not_found("", "namespaces", &target.namespace));
    };
    if is_terminating(&entry)? {
        return Err(terminating(target));
    }
    Ok(Some(Condition::Revision {
        key,
        revision: entry.revision,
    }))
}

/// Read for every write: no more of the object than that.
fn is_terminating(namespace: &Entry) -> Result<bool, Status> {
    #[derive(Deserialize)]
    struct View {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        deletion_timestamp: Option<IgnoredAny>,
    }
    serde_json::from_slice(&namespace.value)
        .map(|View { metadata }| metadata.deletion_timestamp.is_some())
        .map_err(|error| Status::internal(format!("{}: {error}", namespace.key)))
}

fn terminating(target: &Target) -> Status {
    let namespace = &target.namespace;
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let mut status = Status::forbidden(&target.kind.group, &target.kind.plural, &target.name, &why);
    if let Some(details) = &mut status.details {
        details.causes.push(Cause {
            reason: "NamespaceTerminating".into(),
            message: format!("namespace {namespace} is being terminated"),
            field: "metadata.namespace".into(),
        });
    }
    status
}
