//! Namespaces as admission sees them: nothing is made in one that is not there or is going.

use kedge_machinery::{Cause, Status};
use kedge_store::{Condition, Snapshot};

use crate::keys;
use crate::request::Target;
use crate::stored::parse;

/// That an object may be made in its namespace; the condition under which that still holds at the commit.
pub(super) fn admit(target: &Target, snapshot: &Snapshot) -> Result<Option<Condition>, Status> {
    if !target.kind.namespaced {
        return Ok(None);
    }
    let key = keys::namespace(&target.namespace);
    let Some(entry) = snapshot.get(&key) else {
        return Err(Status::not_found("", "namespaces", &target.namespace));
    };
    if parse(&entry)?.is_terminating() {
        return Err(terminating(target));
    }
    Ok(Some(Condition::Revision {
        key,
        revision: entry.revision,
    }))
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
