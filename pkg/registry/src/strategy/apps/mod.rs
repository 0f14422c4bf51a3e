//! Kinds of `apps`: stored and checked; the controllers that act on them are other programs'.

mod claims;
mod controller_revision;
mod daemon_set;
mod deployment;
mod replica_set;
mod stateful_set;

pub(super) use claims::claim_spec;
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

/// What a controller counts cannot be more than what it counts it of: `parts` of `status`, each with the path of its whole.
/// Collisions are counted up alone.
fn status(new: &Object, old: &Object, keys: &[&str], parts: &[(&str, &str)]) -> Vec<FieldError> {
    const COLLISIONS: &str = "collisionCount";
    let mut errors = counts(new, "status", keys);
    let number = |object: &Object, key: &str| {
        let key = key.trim_start_matches("status.");
        present(field(&object.0, "status"), key).and_then(Value::as_i64)
    };
    let invalid = |key: &str, detail: String| {
        let value = number(new, key).unwrap_or(0);
        FieldError::invalid(format!("status.{key}"), value, detail)
    };
    for (part, whole) in parts {
        if number(new, part) > Some(number(new, whole).unwrap_or(0)) {
            errors.push(invalid(part, format!("cannot be greater than {whole}")));
        }
    }
    if keys.contains(&COLLISIONS) && number(new, COLLISIONS) < number(old, COLLISIONS) {
        errors.push(invalid(COLLISIONS, "cannot be decremented".into()));
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
