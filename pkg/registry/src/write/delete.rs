//! DELETE of one object.

use jiff::Timestamp;
use kedge_machinery::{Object, Status};
use serde_json::json;

use super::commit::{Outcome, Step, transaction};
use super::deletion::{self, Plan};
use super::{ATTEMPTS, finish};
use crate::admission::{Attributes, Operation};
use crate::registry::{MODIFIED, Registry};
use crate::request::{DeleteOptions, Deleted, Target};
use crate::stored;
use crate::strategy::{namespace, priority_class};

impl Registry {
    /// DELETE of one object. 403 for a PriorityClass that every cluster has, 404 when there is none, 409 when a
    /// precondition does not hold.
    pub async fn delete(
        &self,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Deleted, Status> {
        let kind = &target.kind;
        if kind.group == "scheduling.k8s.io" && priority_class::is_system(&target.name) {
            let why = "this is a system priority class and cannot be deleted";
            let status = Status::forbidden(&kind.group, &kind.plural, &target.name, why);
            return Err(status);
        }
        self.delete_any(target, options).await
    }

    /// The same of whatever it is: a collection goes whole.
    pub(super) async fn delete_any(
        &self,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Deleted, Status> {
        for _ in 0..ATTEMPTS {
            let now = Timestamp::now();
            let snapshot = self.store().snapshot();
            let entry = snapshot
                .get(&target.key())
                .ok_or_else(|| target.not_found())?;
            let old = stored::read(&target.kind, &entry)?;
            check_preconditions(target, &old, options)?;
            let attributes = Attributes {
                operation: Operation::Delete,
                target,
                user: options.user.as_deref(),
                old: Some(&old),
                dry_run: options.dry_run,
                view: self.view(&snapshot),
            };
            self.admit(&attributes, None)?;
            let plan = deletion::plan(target, &old, options, now)?;
            let (object, gone) = match &plan {
                Plan::Wait => {
                    return Ok(answer(
                        target,
                        &old,
                        stored::value(&target.kind, &entry),
                        false,
                    ));
                }
                Plan::Mark(marked) => (marked.clone(), false),
                Plan::Remove(last) => (last.clone(), true),
            };
            if options.dry_run {
                return Ok(answer(target, &old, finish::bytes(object), gone));
            }
            let step = if gone {
                Step::Delete(entry.revision, &old, object)
            } else {
                Step::Update(entry.revision, &old, object)
            };
            if let Outcome::Done(entry) = self
                .commit(transaction(target, step, &snapshot, now)?, false)
                .await?
            {
                return Ok(answer(
                    target,
                    &old,
                    stored::value(&target.kind, &entry),
                    gone,
                ));
            }
        }
        Err(target.conflict(MODIFIED))
    }
}

/// The object, or for most kinds that are gone, a `Status` of success.
fn answer(target: &Target, old: &Object, object: bytes::Bytes, gone: bool) -> Deleted {
    let kind = &target.kind;
    if !gone || target.rules().returns_deleted {
        return Deleted {
            value: object,
            gone,
        };
    }
    let mut details = json!({"name": target.name, "kind": kind.plural, "uid": old.uid()});
    if let (false, Some(details)) = (kind.group.is_empty(), details.as_object_mut()) {
        details.insert("group".into(), kind.group.as_str().into());
    }
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    });
    Deleted {
        value: status.to_string().into(),
        gone,
    }
}

/// The object is the one that is meant, as it is known.
pub(super) fn check_preconditions(
    target: &Target,
    old: &Object,
    options: &DeleteOptions,
) -> Result<(), Status> {
    let rules = [
        (
            "UID",
            options.uid.as_deref(),
            old.uid(),
            "deleted and then recreated",
        ),
        (
            "ResourceVersion",
            options.resource_version.as_deref(),
            old.resource_version(),
            "modified",
        ),
    ];
    for (what, asked, found, how) in rules {
        let Some(asked) = asked.filter(|asked| *asked != found) else {
            continue;
        };
        if namespace::is(&target.kind) {
            return Err(target.precondition_failed(what, asked, found));
        }
        let why = format!(
            "the {what} in the precondition ({asked}) does not match the {what} in record ({found}). \
                 The object might have been {how}"
        );
        // Upstream names the kind here, not the resource.
        let kind = &target.kind;
        let (group, name) = (&kind.group, &target.name);
        return Err(Status::conflict(group, &kind.kind, name, &why));
    }
    Ok(())
}
