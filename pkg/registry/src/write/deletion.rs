//! What a DELETE makes of an object: nothing at once, or an object that is marked and waits for its grace
//! and its finalizers (upstream: `rest.BeforeDelete` and the generic registry's `Delete`).

use jiff::{SignedDuration, Timestamp};
use kedge_machinery::{Object, Status, time};
use serde_json::{Value, json};

use super::metadata;
use crate::request::{DeleteOptions, Propagation, Target};
use crate::strategy::{definition, namespace};
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
    let is_namespace = kind.group.is_empty() && kind.kind == "Namespace";
    if is_namespace {
        if namespace::IMMORTAL.contains(&old.name()) {
            return Err(Status::forbidden(
                "",
                "namespaces",
                old.name(),
                "this namespace may not be deleted",
            ));
        }
        if old.is_terminating() && !namespace::is_released(old) {
            let why = "The system is ensuring all content is removed from this namespace.  Upon completion, this \
                namespace will automatically be purged by the system.";
            return Err(target.conflict(why));
        }
        namespace::set_terminating(&mut new);
    }
    if definition::is(kind) && !old.is_terminating() {
        definition::set_terminating(&mut new, now);
    }
    set_finalizers(&mut new, options.propagation);
    let held = new.finalizers().next().is_some() || !target.strategy().is_released(&new);
    let pending = match target.strategy().grace(old, options.grace_period) {
        Some(seconds) => graceful(&mut new, old, seconds, options.grace_period, now),
        None if held && !old.is_terminating() => {
            mark(&mut new, now, (!is_namespace).then_some(0));
            false
        }
        None => false,
    };
    Ok(if !held && !pending {
        Plan::Remove(new)
    } else if new == *old {
        Plan::Wait
    } else {
        Plan::Mark(new)
    })
}

/// Finalizers that stand for what is to become of dependents.
fn set_finalizers(object: &mut Object, propagation: Option<Propagation>) {
    let Some(propagation) = propagation else {
        return;
    };
    let mut finalizers: Vec<String> = object
        .finalizers()
        .filter(|f| *f != ORPHAN && *f != FOREGROUND)
        .map(String::from)
        .collect();
    match propagation {
        Propagation::Orphan => finalizers.push(ORPHAN.into()),
        Propagation::Foreground => finalizers.push(FOREGROUND.into()),
        Propagation::Background => {}
    }
    if finalizers.is_empty() {
        object.meta_mut().remove("finalizers");
    } else {
        object
            .meta_mut()
            .insert("finalizers".into(), json!(finalizers));
    }
}

/// Marks the object, or shortens the grace of one that is marked; true while grace is left.
fn graceful(
    new: &mut Object,
    old: &Object,
    seconds: i64,
    asked: Option<i64>,
    now: Timestamp,
) -> bool {
    if !old.is_terminating() {
        mark(
            new,
            now.saturating_add(SignedDuration::from_secs(seconds))
                .unwrap_or(now),
            Some(seconds),
        );
        return seconds > 0;
    }
    let left = old
        .meta()
        .and_then(|meta| field(meta, "deletionGracePeriodSeconds").as_i64())
        .unwrap_or_default();
    if left == 0 {
        return false;
    }
    let Some(shorter) = asked.map(|_| seconds).filter(|seconds| *seconds < left) else {
        return true;
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
    shorter > 0
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
mod tests {
    use std::sync::Arc;

    use kedge_api::Kind;

    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn target(kind: &str) -> Target {
        let kind = Kind {
            kind: kind.into(),
            plural: format!("{}s", kind.to_lowercase()),
            ..Kind::default()
        };
        Target::new(Arc::new(kind), "", "x")
    }

    fn decide(kind: &str, object: Value, options: &DeleteOptions) -> Result<Plan, Status> {
        plan(
            &target(kind),
            &Object::from_value(object).unwrap(),
            options,
            NOW.parse().unwrap(),
        )
    }

    fn marked(plan: Plan) -> Value {
        match plan {
            Plan::Mark(object) => object.into_value(),
            other => panic!("{other:?}"),
        }
    }

    fn removed(plan: Plan) -> Value {
        match plan {
            Plan::Remove(object) => object.into_value(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn most_kinds_go_at_once_and_unmarked() {
        let object = json!({"metadata": {"name": "c"}});
        assert_eq!(
            removed(decide("ConfigMap", object.clone(), &DeleteOptions::default()).unwrap()),
            object
        );
    }

    #[test]
    fn finalizers_hold_and_mark_once() {
        let object = json!({"metadata": {"name": "c", "finalizers": ["a/b"]}});
        let first = marked(decide("ConfigMap", object, &DeleteOptions::default()).unwrap());
        assert_eq!(first["metadata"]["deletionTimestamp"], NOW);
        assert_eq!(first["metadata"]["deletionGracePeriodSeconds"], 0);
        assert_eq!(
            decide("ConfigMap", first, &DeleteOptions::default()).unwrap(),
            Plan::Wait
        );
    }

    #[test]
    fn propagation_is_a_finalizer() {
        let object =
            |finalizers: Value| json!({"metadata": {"name": "c", "finalizers": finalizers}});
        let with = |propagation, finalizers| {
            let options = DeleteOptions {
                propagation: Some(propagation),
                ..DeleteOptions::default()
            };
            decide("ConfigMap", object(finalizers), &options).unwrap()
        };
        assert_eq!(
            marked(with(Propagation::Foreground, json!([])))["metadata"]["finalizers"],
            json!(["foregroundDeletion"])
        );
        assert_eq!(
            marked(with(Propagation::Orphan, json!(["a/b"])))["metadata"]["finalizers"],
            json!(["a/b", "orphan"])
        );
        removed(with(Propagation::Background, json!(["foregroundDeletion"])));
    }

    #[test]
    fn pods_have_grace() {
        let pod = |node: &str, meta: Value| json!({"metadata": meta, "spec": {"nodeName": node, "terminationGracePeriodSeconds": 30}});
        let new = || json!({"name": "p", "generation": 1});
        let delete = |object, grace| {
            decide(
                "Pod",
                object,
                &DeleteOptions {
                    grace_period: grace,
                    ..DeleteOptions::default()
                },
            )
            .unwrap()
        };
        let waiting = marked(delete(pod("n1", new()), None));
        assert_eq!(
            waiting["metadata"]["deletionTimestamp"],
            "2026-01-01T00:00:30Z"
        );
        assert_eq!(waiting["metadata"]["generation"], 2);
        assert_eq!(delete(waiting.clone(), None), Plan::Wait);
        assert_eq!(delete(waiting.clone(), Some(60)), Plan::Wait);
        let shorter = marked(delete(waiting.clone(), Some(10)));
        assert_eq!(
            shorter["metadata"]["deletionTimestamp"],
            "2026-01-01T00:00:10Z"
        );
        assert_eq!(shorter["metadata"]["generation"], 2);
        let gone = removed(delete(waiting, Some(0)));
        assert_eq!(gone["metadata"]["deletionGracePeriodSeconds"], 0);
        let at_once = removed(delete(pod("n1", new()), Some(0)));
        assert_eq!(at_once["metadata"]["generation"], 2);
        assert_eq!(at_once["metadata"]["deletionGracePeriodSeconds"], 0);
        removed(delete(pod("", new()), None));
    }

    #[test]
    fn namespaces_end_in_two_steps() {
        let active = json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
        let ending = marked(decide("Namespace", active, &DeleteOptions::default()).unwrap());
        assert_eq!(ending["status"]["phase"], "Terminating");
        assert!(
            ending["metadata"]
                .get("deletionGracePeriodSeconds")
                .is_none()
        );
        assert!(
            decide("Namespace", ending.clone(), &DeleteOptions::default())
                .unwrap_err()
                .is_conflict()
        );
        let mut released = ending;
        released["spec"]["finalizers"] = json!([]);
        removed(decide("Namespace", released, &DeleteOptions::default()).unwrap());
        let immortal = json!({"metadata": {"name": "default"}});
        assert_eq!(
            decide("Namespace", immortal, &DeleteOptions::default())
                .unwrap_err()
                .code,
            403
        );
    }
}
