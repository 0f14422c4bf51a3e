//! What a DELETE makes of an object: nothing at once, or an object that is marked and waits for its grace
//! and its finalizers (upstream: `rest.BeforeDelete` and the generic registry's `Delete`).

use jiff::{SignedDuration, Timestamp};
use kedge_api::Kind;
use kedge_machinery::{Object, Status, time};
use serde_json::{Value, json};

use super::metadata;
use crate::request::{DeleteOptions, Propagation, Target};
use crate::strategy::{Dependents, definition, namespace, rules};
use crate::value::field;

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Plan {
    /// It is going already and nothing changes.
    Wait,
    /// Write this, and wait.
    Mark(Object),
    /// Nothing holds it; this is its last state.
    Remove(Object),
}

/// Decides by the object, its kind and the options.
pub(super) fn plan(
    target: &Target,
    old: &Object,
    options: &DeleteOptions,
    now: Timestamp,
) -> Result<Plan, Status> {
    let kind = &target.kind;
    let mut new = old.clone();
    if namespace::is(kind) {
        if namespace::IMMORTAL.contains(&old.name()) {
            return Err(Status::forbidden(
                "",
                "namespaces",
                old.name(),
                "this namespace may not be deleted",
            ));
        }
        // The first time it is marked, held or not; who finalizes it ends it.
        if !old.is_terminating() {
            namespace::set_terminating(&mut new);
            set_finalizers(&mut new, options.propagation, target.rules().dependents);
            mark(&mut new, now, None);
            return Ok(Plan::Mark(new));
        }
        if !namespace::is_released(old) {
            return Ok(Plan::Wait);
        }
    }
    if definition::is(kind) && !old.is_terminating() {
        definition::set_terminating(&mut new, now);
    }
    let grace = match target.strategy().grace(old, options.grace_period) {
        Some(seconds) => graceful(&mut new, old, seconds, options.grace_period, now),
        None => Grace::Over,
    };
    // What becomes of dependents is not decided anew while it waits for its grace.
    if grace == Grace::Running {
        return Ok(Plan::Wait);
    }
    set_finalizers(&mut new, options.propagation, target.rules().dependents);
    let held = new.finalizers().next().is_some() || !target.strategy().is_released(&new);
    if grace == Grace::Over && held && !old.is_terminating() {
        mark(&mut new, now, Some(0));
    }
    let waits = matches!(grace, Grace::Set(seconds) if seconds > 0);
    Ok(if !held && !waits {
        Plan::Remove(new)
    } else if new == *old {
        Plan::Wait
    } else {
        Plan::Mark(new)
    })
}

/// What clients are told that delete Jobs and do not say what is to become of their Pods.
#[must_use]
pub fn deletion_warnings(kind: &Kind, options: &DeleteOptions) -> Vec<String> {
    let orphans = rules::of(kind).dependents == Dependents::Orphaned;
    let told = orphans && options.propagation.is_none();
    Vec::from_iter(told.then(|| {
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or \
         set propagationPolicy=Orphan to suppress this warning"
            .to_string()
    }))
}

/// Finalizers that stand for what is to become of dependents: what was asked, else what the object has already, else
/// what its kind does.
fn set_finalizers(object: &mut Object, asked: Option<Propagation>, dependents: Dependents) {
    let had: Vec<&str> = object.finalizers().collect();
    let own = had.iter().find_map(|finalizer| match *finalizer {
        ORPHAN => Some(Propagation::Orphan),
        FOREGROUND => Some(Propagation::Foreground),
        _ => None,
    });
    let propagation = match dependents {
        Dependents::None => Propagation::Background,
        Dependents::Deleted => asked.or(own).unwrap_or(Propagation::Background),
        Dependents::Orphaned => asked.or(own).unwrap_or(Propagation::Orphan),
    };
    let wanted = match propagation {
        Propagation::Orphan => Some(ORPHAN),
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Background => None,
    };
    let others = had.iter().filter(|f| **f != ORPHAN && **f != FOREGROUND);
    let new: Vec<&str> = others.copied().chain(wanted).collect();
    if new.len() == had.len() && new.iter().all(|finalizer| had.contains(finalizer)) {
        return;
    }
    let new = (!new.is_empty()).then(|| json!(new));
    match new {
        Some(new) => object.meta_mut().insert("finalizers".into(), new),
        None => object.meta_mut().remove("finalizers"),
    };
}

/// How an object waits before it ends.
#[derive(Debug, PartialEq)]
enum Grace {
    /// For so many seconds, from now or from when it was marked.
    Set(i64),
    /// As it did before: this deletion changes nothing.
    Running,
    /// No more, or its kind knows no grace.
    Over,
}

/// Marks the object, or shortens the grace of one that is marked.
fn graceful(
    new: &mut Object,
    old: &Object,
    seconds: i64,
    asked: Option<i64>,
    now: Timestamp,
) -> Grace {
    if !old.is_terminating() {
        let end = now.saturating_add(SignedDuration::from_secs(seconds));
        mark(new, end.unwrap_or(now), Some(seconds));
        return Grace::Set(seconds);
    }
    let left = old
        .meta()
        .and_then(|meta| field(meta, "deletionGracePeriodSeconds").as_i64())
        .unwrap_or_default();
    if left == 0 {
        return Grace::Over;
    }
    let asked = asked.map(|seconds| if seconds < 0 { 1 } else { seconds });
    let Some(shorter) = asked.filter(|seconds| *seconds < left) else {
        return Grace::Running;
    };
    let end = old
        .meta_text("deletionTimestamp")
        .parse::<Timestamp>()
        .unwrap_or(now);
    let end = end
        .saturating_sub(SignedDuration::from_secs(left - shorter))
        .unwrap_or(now);
    let meta = new.meta_mut();
    meta.insert("deletionTimestamp".into(), time::rfc3339(end).into());
    meta.insert("deletionGracePeriodSeconds".into(), shorter.into());
    Grace::Set(shorter)
}

fn mark(object: &mut Object, end: Timestamp, grace: Option<i64>) {
    let meta = object.meta_mut();
    meta.insert("deletionTimestamp".into(), time::rfc3339(end).into());
    if let Some(grace) = grace {
        meta.insert("deletionGracePeriodSeconds".into(), Value::from(grace));
    }
    metadata::bump(object);
}

#[cfg(test)]
mod tests;
