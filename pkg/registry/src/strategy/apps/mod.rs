//! Kinds of `apps`: stored and checked; the controllers that act on them are other programs'.

mod controller_revision;
mod daemon_set;
mod deployment;
mod replica_set;
mod stateful_set;

pub(super) use controller_revision::ControllerRevision;
pub(super) use daemon_set::DaemonSet;
pub(super) use deployment::Deployment;
pub(super) use replica_set::ReplicaSet;
pub(super) use stateful_set::StatefulSet;

use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use crate::check;
use crate::value::{field, present};

/// Counts in a spec or a status, each 0 or more.
fn counts(object: &Object, part: &str, keys: &[&str]) -> Vec<FieldError> {
    let part_of = field(&object.0, part);
    keys.iter()
        .filter_map(|key| {
            let number = present(part_of, key)?.as_i64()?;
            check::non_negative(&format!("{part}.{key}"), number)
        })
        .collect()
}

/// What a controller counts cannot be more than what it counts it of.
fn status(object: &Object, keys: &[&str], parts: &[(&str, &str)]) -> Vec<FieldError> {
    let mut errors = counts(object, "status", keys);
    let status = field(&object.0, "status");
    let number = |key: &str| present(status, key).and_then(Value::as_i64).unwrap_or(0);
    for (part, whole) in parts {
        if number(part) > number(whole) {
            let whole = match *whole {
                "replicas" => "status.replicas",
                other => other,
            };
            let detail = format!("cannot be greater than {whole}");
            errors.push(FieldError::invalid(
                format!("status.{part}"),
                number(part),
                detail,
            ));
        }
    }
    errors
}

/// The selector of what makes Pods stays.
fn same_selector(new: &Object, old: &Object) -> Option<FieldError> {
    let selector = |object: &Object| object.at(&["spec", "selector"]).cloned();
    check::immutable(
        "spec.selector",
        selector(new).as_ref(),
        selector(old).as_ref(),
    )
}
