//! The controller against a server in memory.

use serde_json::json;

use super::*;
use crate::fake::{Fake, Running};

fn run(fake: &Fake) -> Running {
    let client = fake.client();
    fake.run(move || Namespaces::new(client.clone(), &Kind::builtin()))
}

fn namespace(name: &str, going: bool) -> Value {
    let mut namespace = json!({"metadata": {"name": name}, "spec": {"finalizers": ["kubernetes"]}});
    if going {
        namespace["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    namespace
}

fn object(namespace: &str, name: &str) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name}})
}

#[tokio::test]
async fn a_namespace_goes_with_all_that_is_in_it() {
    let fake = Fake::new();
    for space in ["a", "b"] {
        fake.put(Resource::NAMESPACES, namespace(space, false));
        fake.put(Resource::CONFIGMAPS, object(space, "one"));
        fake.put(Resource::SERVICES, object(space, "two"));
    }
    let _running = run(&fake);
    assert!(fake.settled().await.is_empty());
    fake.put(Resource::NAMESPACES, namespace("a", true));
    fake.until(|fake| fake.one(Resource::NAMESPACES, "", "a").is_none())
        .await;
    assert_eq!(fake.take_writes().len(), 3, "two deletions and an end");
    assert!(fake.one(Resource::CONFIGMAPS, "b", "one").is_some());
    assert!(fake.one(Resource::NAMESPACES, "", "b").is_some());
}

#[tokio::test]
async fn it_waits_for_what_has_a_finalizer() {
    let fake = Fake::new();
    fake.put(Resource::NAMESPACES, namespace("a", true));
    let mut held = object("a", "held");
    held["metadata"]["finalizers"] = json!(["some/body"]);
    fake.put(Resource::CONFIGMAPS, held);
    let _running = run(&fake);
    fake.until(|fake| {
        fake.one(Resource::CONFIGMAPS, "a", "held")
            .unwrap()
            .is_terminating()
    })
    .await;
    // It says so, once.
    fake.until(|fake| {
        let namespace = fake.one(Resource::NAMESPACES, "", "a").unwrap();
        namespace.at(&["status", "conditions"]).is_some()
    })
    .await;
    fake.take_writes();
    assert!(fake.settled().await.is_empty());
    let namespace = fake.one(Resource::NAMESPACES, "", "a").unwrap();
    assert_eq!(
        namespace.into_value()["status"]["conditions"][3]["message"],
        "Some resources are remaining: configmaps. has 1 resource instances"
    );
    fake.remove(Resource::CONFIGMAPS, "a", "held");
    fake.until(|fake| fake.one(Resource::NAMESPACES, "", "a").is_none())
        .await;
}

#[tokio::test]
async fn one_that_begins_to_go_while_another_is_going() {
    let fake = Fake::new();
    let mut held = object("a", "held");
    held["metadata"]["finalizers"] = json!(["some/body"]);
    fake.put(Resource::CONFIGMAPS, held);
    fake.put(Resource::CONFIGMAPS, object("b", "one"));
    fake.put(Resource::NAMESPACES, namespace("a", true));
    fake.put(Resource::NAMESPACES, namespace("b", false));
    let _running = run(&fake);
    fake.until(|fake| {
        fake.one(Resource::CONFIGMAPS, "a", "held")
            .unwrap()
            .is_terminating()
    })
    .await;
    fake.put(Resource::NAMESPACES, namespace("b", true));
    fake.until(|fake| fake.one(Resource::NAMESPACES, "", "b").is_none())
        .await;
}

#[tokio::test]
async fn a_refused_deletion_is_asked_for_again() {
    let fake = Fake::new();
    fake.put(Resource::CONFIGMAPS, object("a", "one"));
    fake.put(Resource::NAMESPACES, namespace("a", true));
    fake.fail(vec![kedge_machinery::Status::internal("disk full")]);
    let _running = run(&fake);
    fake.until(|fake| fake.one(Resource::NAMESPACES, "", "a").is_none())
        .await;
}

#[tokio::test]
async fn its_pods_go_first() {
    let fake = Fake::new();
    let mut held = object("a", "held");
    held["metadata"]["finalizers"] = json!(["some/body"]);
    fake.put(Resource::PODS, held);
    fake.put(Resource::PODS, object("a", "free"));
    fake.put(Resource::CONFIGMAPS, object("a", "one"));
    fake.put(Resource::NAMESPACES, namespace("a", true));
    let _running = run(&fake);
    fake.until(|fake| {
        let namespace = fake.one(Resource::NAMESPACES, "", "a").unwrap();
        namespace.into_value()["status"]["conditions"][4]["status"] == "True"
            && fake.one(Resource::PODS, "a", "free").is_none()
    })
    .await;
    let pod = fake.one(Resource::PODS, "a", "held").unwrap();
    assert!(pod.is_terminating());
    fake.settled().await;
    assert!(fake.one(Resource::CONFIGMAPS, "a", "one").is_some());
    fake.remove(Resource::PODS, "a", "held");
    fake.until(|fake| fake.one(Resource::NAMESPACES, "", "a").is_none())
        .await;
    assert!(fake.one(Resource::CONFIGMAPS, "a", "one").is_none());
}
