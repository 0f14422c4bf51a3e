//! One Event, through both of its APIs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::{World, object, options, parse, world};
use kedge_registry::{ListOptions, Patch, PatchKind, Target, WatchEvent, WatchOptions};
use serde_json::{Value, json};

fn target(world: &World, group: &str, name: &str) -> Target {
    let catalog = world.registry.catalog();
    let kind = catalog.find(group, "v1", "events").unwrap();
    Target::new(Arc::clone(kind), "default", name)
}

fn event() -> Value {
    json!({
        "metadata": {"name": "e"}, "regarding": {"kind": "Node", "name": "n"}, "note": "hello", "reason": "Greeted",
        "action": "Greet", "type": "Normal", "reportingController": "example.com/greeter", "reportingInstance": "one",
        "eventTime": "2026-01-01T00:00:00.000000Z",
    })
}

#[tokio::test]
async fn what_one_writes_the_other_reads() {
    let world = world().await;
    let (core, events) = (
        target(&world, "", "e"),
        target(&world, "events.k8s.io", "e"),
    );
    let watch = |of: &Target| {
        let options = WatchOptions::default();
        world.registry.watch(&of.kind, "default", &options).unwrap()
    };
    let mut watchers = [watch(&core), watch(&events)];
    let made = world
        .registry
        .create(
            &target(&world, "events.k8s.io", ""),
            object(event()),
            &options(),
        )
        .await
        .unwrap();
    let made = parse(&made.value);
    assert_eq!(made["apiVersion"], "events.k8s.io/v1");
    assert_eq!(made["note"], "hello");

    let read = |of: &Target| parse(&world.registry.get(of, &Default::default()).unwrap().value());
    let (as_core, as_events) = (read(&core), read(&events));
    assert_eq!(as_core["apiVersion"], "v1");
    assert_eq!(as_core["message"], "hello");
    assert_eq!(
        as_core["involvedObject"],
        json!({"kind": "Node", "name": "n"})
    );
    assert_eq!(as_core["reportingComponent"], "example.com/greeter");
    assert_eq!(as_events, made);
    assert_eq!(
        as_core["metadata"]["resourceVersion"],
        made["metadata"]["resourceVersion"]
    );

    for (watcher, field) in watchers.iter_mut().zip(["message", "note"]) {
        let Some(WatchEvent::Added(told)) = watcher.next().await else {
            panic!("no event");
        };
        assert_eq!(parse(&told)[field], "hello");
    }
    let list = |of: &Target, selector: &str| {
        let options = ListOptions {
            field_selector: selector.into(),
            ..ListOptions::default()
        };
        world
            .registry
            .list(&of.kind, "default", &options)
            .unwrap()
            .items
    };
    assert_eq!(list(&core, "involvedObject.name=n").len(), 1);
    assert_eq!(list(&events, "regarding.name=n").len(), 1);
    assert_eq!(list(&events, "regarding.name=m").len(), 0);
    assert_eq!(parse(&list(&events, "")[0].value()), made);

    let patch = Patch {
        kind: PatchKind::Merge,
        body: json!({"message": "good bye"}).to_string().into(),
    };
    world
        .registry
        .patch(&core, patch, &options())
        .await
        .unwrap();
    assert_eq!(read(&events)["note"], "good bye");
    let frozen = Patch {
        kind: PatchKind::Merge,
        body: json!({"note": "no"}).to_string().into(),
    };
    let refused = world.registry.patch(&events, frozen, &options()).await;
    assert_eq!(refused.unwrap_err().code, 422);
    world
        .registry
        .delete(&events, &Default::default())
        .await
        .unwrap();
    assert!(world.registry.get(&core, &Default::default()).is_err());
}
