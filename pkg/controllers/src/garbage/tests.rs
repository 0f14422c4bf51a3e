//! The controller against a server in memory.

use serde_json::{Value, json};

use super::*;
use crate::fake::{Fake, Running};

fn run(fake: &Fake) -> Running {
    let client = fake.client();
    fake.run(move || Garbage::new(client.clone(), &Kind::builtin()))
}

fn object(name: &str) -> Value {
    json!({"metadata": {"namespace": "a", "name": name}})
}

fn reference(kind: &str, owner: &Object, block: bool) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "name": owner.name(), "uid": owner.uid(), "blockOwnerDeletion": block})
}

fn owned(name: &str, owners: &[Value]) -> Value {
    json!({"metadata": {"namespace": "a", "name": name, "ownerReferences": owners}})
}

fn going(name: &str, uid: &str, finalizer: &str) -> Value {
    json!({"metadata": {
        "namespace": "a", "name": name, "uid": uid, "finalizers": [finalizer],
        "deletionTimestamp": "2026-01-01T00:00:00Z",
    }})
}

fn is_there(fake: &Fake, name: &str) -> bool {
    fake.one(Resource::CONFIGMAPS, "a", name).is_some()
}

#[tokio::test]
async fn dependents_go_with_their_owner_and_theirs_with_them() {
    let fake = Fake::new();
    let service = fake.put(Resource::SERVICES, object("web"));
    let child = fake.put(
        Resource::CONFIGMAPS,
        owned("child", &[reference("Service", &service, true)]),
    );
    fake.put(
        Resource::CONFIGMAPS,
        owned("grandchild", &[reference("ConfigMap", &child, true)]),
    );
    fake.put(Resource::CONFIGMAPS, object("free"));
    let _running = run(&fake);
    assert!(fake.settled().await.is_empty());
    fake.remove(Resource::SERVICES, "a", "web");
    fake.until(|fake| !is_there(fake, "child") && !is_there(fake, "grandchild"))
        .await;
    assert!(is_there(&fake, "free"));
}

#[tokio::test]
async fn an_owner_that_went_while_nobody_looked() {
    let fake = Fake::new();
    let service = fake.put(Resource::SERVICES, object("web"));
    fake.put(
        Resource::CONFIGMAPS,
        owned("child", &[reference("Service", &service, true)]),
    );
    fake.remove(Resource::SERVICES, "a", "web");
    // Another one of the same name is not the owner.
    fake.put(Resource::SERVICES, object("web"));
    let _running = run(&fake);
    fake.until(|fake| !is_there(fake, "child")).await;
}

#[tokio::test]
async fn a_dependent_that_names_an_owner_that_never_was() {
    let fake = Fake::new();
    let _running = run(&fake);
    fake.settled().await;
    let owner = Object::from_value(json!({"metadata": {"name": "ghost", "uid": "x"}})).unwrap();
    fake.put(
        Resource::CONFIGMAPS,
        owned("child", &[reference("Service", &owner, false)]),
    );
    fake.until(|fake| !is_there(fake, "child")).await;
}

#[tokio::test]
async fn an_owner_replaced_under_its_name() {
    let fake = Fake::new();
    let service = fake.put(Resource::SERVICES, object("web"));
    fake.put(
        Resource::CONFIGMAPS,
        owned("child", &[reference("Service", &service, true)]),
    );
    let _running = run(&fake);
    fake.settled().await;
    // Both within one batch of the feed.
    fake.remove(Resource::SERVICES, "a", "web");
    fake.put(Resource::SERVICES, object("web"));
    fake.until(|fake| !is_there(fake, "child")).await;
    assert!(fake.one(Resource::SERVICES, "a", "web").is_some());
}

#[tokio::test]
async fn with_one_owner_left_only_the_reference_goes() {
    let fake = Fake::new();
    let one = fake.put(Resource::SERVICES, object("one"));
    let two = fake.put(Resource::SERVICES, object("two"));
    let owners = [
        reference("Service", &one, true),
        reference("Service", &two, true),
    ];
    fake.put(Resource::CONFIGMAPS, owned("child", &owners));
    let _running = run(&fake);
    fake.settled().await;
    fake.remove(Resource::SERVICES, "a", "one");
    let left = |fake: &Fake| {
        fake.one(Resource::CONFIGMAPS, "a", "child")
            .unwrap()
            .at(&["metadata", "ownerReferences"])
            .cloned()
    };
    fake.until(|fake| left(fake) == Some(json!([owners[1]])))
        .await;
}

#[tokio::test]
async fn unknown_kinds_are_not_guessed_about() {
    let fake = Fake::new();
    let owner = json!({"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "x"});
    fake.put(Resource::CONFIGMAPS, owned("child", &[owner]));
    // A namespaced owner of a cluster-scoped object is none that could be found.
    let service = fake.put(Resource::SERVICES, object("web"));
    fake.put(Resource::NODES, json!({"metadata": {"name": "n", "ownerReferences": [reference("Service", &service, true)]}}));
    let _running = run(&fake);
    assert!(fake.settled().await.is_empty());
}

#[tokio::test]
async fn foreground_deletion_waits_for_what_blocks_it() {
    let fake = Fake::new();
    let service = fake.put(Resource::SERVICES, object("web"));
    let mut child = owned("child", &[reference("Service", &service, true)]);
    child["metadata"]["finalizers"] = json!(["some/body"]);
    fake.put(Resource::CONFIGMAPS, child);
    fake.put(
        Resource::CONFIGMAPS,
        owned("loose", &[reference("Service", &service, false)]),
    );
    let _running = run(&fake);
    fake.settled().await;
    fake.put(Resource::SERVICES, going("web", service.uid(), FOREGROUND));
    fake.until(|fake| !is_there(fake, "loose")).await;
    fake.settled().await;
    assert!(
        fake.one(Resource::CONFIGMAPS, "a", "child")
            .unwrap()
            .is_terminating()
    );
    assert!(fake.one(Resource::SERVICES, "a", "web").is_some());
    fake.remove(Resource::CONFIGMAPS, "a", "child");
    fake.until(|fake| fake.one(Resource::SERVICES, "a", "web").is_none())
        .await;
}

#[tokio::test]
async fn those_below_go_before_those_above() {
    let fake = Fake::new();
    let top = fake.put(Resource::SERVICES, object("top"));
    let middle = fake.put(
        Resource::CONFIGMAPS,
        owned("middle", &[reference("Service", &top, true)]),
    );
    let mut bottom = owned("bottom", &[reference("ConfigMap", &middle, true)]);
    bottom["metadata"]["finalizers"] = json!(["some/body"]);
    fake.put(Resource::CONFIGMAPS, bottom);
    let _running = run(&fake);
    fake.settled().await;
    fake.put(Resource::SERVICES, going("top", top.uid(), FOREGROUND));
    fake.until(|fake| {
        let bottom = fake.one(Resource::CONFIGMAPS, "a", "bottom");
        bottom.unwrap().is_terminating()
    })
    .await;
    fake.settled().await;
    assert!(is_there(&fake, "middle"));
    assert!(fake.one(Resource::SERVICES, "a", "top").is_some());
    fake.remove(Resource::CONFIGMAPS, "a", "bottom");
    fake.until(|fake| fake.one(Resource::SERVICES, "a", "top").is_none())
        .await;
    assert!(!is_there(&fake, "middle"));
}

#[tokio::test]
async fn owners_in_a_circle_go_together() {
    let fake = Fake::new();
    let made = ["one", "two", "three"].map(|name| fake.put(Resource::CONFIGMAPS, object(name)));
    let _running = run(&fake);
    let ring = |name: &str, owner: &Object| owned(name, &[reference("ConfigMap", owner, true)]);
    for (object, owner) in made.iter().zip([&made[2], &made[0], &made[1]]) {
        let mut owned = ring(object.name(), owner);
        owned["metadata"]["uid"] = object.uid().into();
        fake.put(Resource::CONFIGMAPS, owned);
    }
    assert!(fake.settled().await.is_empty());
    let mut first = ring("one", &made[2]);
    let meta = going("one", made[0].uid(), FOREGROUND)["metadata"].take();
    let first_meta = first["metadata"].as_object_mut().unwrap();
    first_meta.extend(meta.as_object().unwrap().clone());
    fake.put(Resource::CONFIGMAPS, first);
    fake.until(|fake| {
        !["one", "two", "three"]
            .iter()
            .any(|name| is_there(fake, name))
    })
    .await;
}

#[tokio::test]
async fn orphans_stay_without_their_owner() {
    let fake = Fake::new();
    let service = fake.put(Resource::SERVICES, object("web"));
    fake.put(
        Resource::CONFIGMAPS,
        owned("child", &[reference("Service", &service, true)]),
    );
    let _running = run(&fake);
    fake.settled().await;
    fake.put(Resource::SERVICES, going("web", service.uid(), ORPHAN));
    fake.until(|fake| fake.one(Resource::SERVICES, "a", "web").is_none())
        .await;
    fake.settled().await;
    let child = fake.one(Resource::CONFIGMAPS, "a", "child").unwrap();
    assert!(child.at(&["metadata", "ownerReferences"]).is_none());
}

#[tokio::test]
async fn nothing_is_deleted_on_a_guess() {
    let fake = Fake::new();
    let service = fake.put(Resource::SERVICES, object("web"));
    fake.put(
        Resource::CONFIGMAPS,
        owned("child", &[reference("Service", &service, true)]),
    );
    let _running = run(&fake);
    fake.settled().await;
    fake.put(
        Resource::CONFIGMAPS,
        owned("child", &[reference("Service", &service, false)]),
    );
    assert!(fake.settled().await.is_empty(), "the owner is there");
}
