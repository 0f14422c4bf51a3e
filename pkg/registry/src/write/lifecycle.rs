//! What an object is made in, as admission sees it: nothing is made in a namespace that is not there or is going, and nothing of a
//! definition that is going.

use kedge_machinery::{Cause, Status};
use kedge_store::{Condition, Entry, Snapshot};
use serde::Deserialize;

use crate::keys;
use crate::request::Target;
use crate::stored::Going;

/// That an object may be made; the conditions under which that still holds at the commit.
pub(super) fn admit(target: &Target, snapshot: &Snapshot) -> Result<Vec<Condition>, Status> {
    let mut conditions = Vec::new();
    if target.kind.custom.is_some() {
        let key = keys::definition(&target.kind);
        let Some(entry) = snapshot.get(&key) else {
            return Err(Status::no_such_resource());
        };
        if is_terminating(&entry)? {
            return Err(definition_terminating(target));
        }
        conditions.push(unchanged(&entry));
    }
    if target.kind.namespaced {
        let Some(entry) = snapshot.get(&keys::namespace(&target.namespace)) else {
            return Err(Status::not_found("", "namespaces", &target.namespace));
        };
        if is_terminating(&entry)? {
            return Err(terminating(target));
        }
        conditions.push(unchanged(&entry));
    }
    Ok(conditions)
}

fn unchanged(entry: &Entry) -> Condition {
    Condition::Revision {
        key: entry.key.to_string(),
        revision: entry.revision,
    }
}

/// True of an object that was deleted and waits; false of one that cannot be read.
pub(super) fn is_going(entry: &Entry) -> bool {
    is_terminating(entry).unwrap_or(false)
}

/// Read for every write: no more of the object than that, and nothing of one that does not have the word in it.
fn is_terminating(entry: &Entry) -> Result<bool, Status> {
    if !entry.contains(b"\"deletionTimestamp\"") {
        return Ok(false);
    }
    #[derive(Deserialize)]
    struct View {
        metadata: Going,
    }
    serde_json::from_slice(&entry.value())
        .map(|View { metadata }| metadata.is_terminating())
        .map_err(|error| Status::internal(format!("{}: {error}", entry.key)))
}

fn definition_terminating(target: &Target) -> Status {
    let mut status = Status::method_not_allowed(&target.kind.group, &target.kind.plural, "create");
    status.message = "create not allowed while custom resource definition is terminating".into();
    status
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
