//! What a deletion makes of objects of several kinds.

use std::sync::Arc;

use rstest::rstest;

use super::*;

const NOW: &str = "2026-01-01T00:00:00Z";

fn target(kind: &str) -> Target {
    let kind = Kind {
        group: if kind == "Job" { "batch" } else { "" }.into(),
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
    let object = |finalizers: Value| json!({"metadata": {"name": "c", "finalizers": finalizers}});
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

/// What finalizers a deletion leaves; none: it is gone.
fn left(kind: &str, had: &str, asked: Option<Propagation>) -> String {
    let had: Vec<&str> = had.split_whitespace().collect();
    let object = json!({"metadata": {"name": "c", "generation": 1, "finalizers": had}});
    let options = DeleteOptions {
        propagation: asked,
        ..DeleteOptions::default()
    };
    match decide(kind, object, &options).unwrap() {
        Plan::Remove(_) => String::new(),
        Plan::Mark(object) => {
            let meta = object.meta().unwrap();
            assert_eq!(meta["deletionGracePeriodSeconds"], 0);
            assert_eq!(meta["generation"], 2);
            object.finalizers().collect::<Vec<_>>().join(" ")
        }
        Plan::Wait => panic!("nothing was done"),
    }
}

const ASKED: [Option<Propagation>; 4] = [
    None,
    Some(Propagation::Background),
    Some(Propagation::Foreground),
    Some(Propagation::Orphan),
];

/// Each row: what the object has, and what it has then by each of `ASKED`. What is there already keeps its place.
#[rstest]
#[case("ConfigMap", "", ["", "", "foregroundDeletion", "orphan"])]
#[case("ConfigMap", "orphan", ["orphan", "", "foregroundDeletion", "orphan"])]
#[case("ConfigMap", "foregroundDeletion", ["foregroundDeletion", "", "foregroundDeletion", "orphan"])]
#[case("ConfigMap", "a/x b/y", ["a/x b/y", "a/x b/y", "a/x b/y foregroundDeletion", "a/x b/y orphan"])]
#[case("ConfigMap", "a/x orphan b/y", ["a/x orphan b/y", "a/x b/y", "a/x b/y foregroundDeletion", "a/x orphan b/y"])]
#[case("Job", "", ["orphan", "", "foregroundDeletion", "orphan"])]
#[case("Job", "foregroundDeletion", ["foregroundDeletion", "", "foregroundDeletion", "orphan"])]
#[case("Job", "a/x", ["a/x orphan", "a/x", "a/x foregroundDeletion", "a/x orphan"])]
#[case("Event", "", ["", "", "", ""])]
#[case("Event", "orphan", ["", "", "", ""])]
#[case("Event", "a/x foregroundDeletion", ["a/x", "a/x", "a/x", "a/x"])]
fn what_becomes_of_dependents(#[case] kind: &str, #[case] had: &str, #[case] want: [&str; 4]) {
    for (asked, want) in ASKED.into_iter().zip(want) {
        assert_eq!(left(kind, had, asked), want, "{kind} {had} {asked:?}");
    }
}

#[test]
fn who_deletes_jobs_is_told_of_their_pods() {
    let said = |kind: &str, propagation| {
        let options = DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        };
        deletion_warnings(&target(kind).kind, &options).len()
    };
    assert_eq!(said("Job", None), 1);
    assert_eq!(said("Job", Some(Propagation::Background)), 0);
    assert_eq!(said("ConfigMap", None), 0);
}

/// A Pod that waits for its grace is not touched: its finalizers neither.
#[test]
fn grace_that_runs_is_only_shortened() {
    let pod = json!({
        "metadata": {
            "name": "p", "generation": 2, "finalizers": ["a/b"], "deletionTimestamp": "2026-01-01T00:00:30Z",
            "deletionGracePeriodSeconds": 30,
        },
        "spec": {"nodeName": "n"}, "status": {"phase": "Succeeded"},
    });
    let delete = |grace_period, propagation| {
        let options = DeleteOptions {
            grace_period,
            propagation,
            ..DeleteOptions::default()
        };
        decide("Pod", pod.clone(), &options).unwrap()
    };
    for grace in [None, Some(30), Some(60)] {
        assert_eq!(delete(grace, Some(Propagation::Orphan)), Plan::Wait);
    }
    let shorter = marked(delete(Some(-5), Some(Propagation::Foreground)));
    assert_eq!(shorter["metadata"]["deletionGracePeriodSeconds"], 1);
    assert_eq!(
        shorter["metadata"]["finalizers"],
        json!(["a/b", FOREGROUND])
    );
    let over = marked(delete(Some(0), None));
    assert_eq!(over["metadata"]["deletionTimestamp"], NOW);
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
    let again = decide("Namespace", ending.clone(), &DeleteOptions::default());
    assert_eq!(again.unwrap(), Plan::Wait);
    let free = json!({"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Active"}});
    let options = DeleteOptions {
        propagation: Some(Propagation::Orphan),
        ..DeleteOptions::default()
    };
    let first = marked(decide("Namespace", free, &options).unwrap());
    assert_eq!(first["metadata"]["finalizers"], json!(["orphan"]));
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
