//! The client in the process, over a real store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use kedge_api::Catalog;
use kedge_client::local::Local;
use kedge_client::{Change, Client, Feed, ObjectKey, Resource};
use kedge_machinery::Object;
use kedge_registry::{Registry, RegistryConfig};
use kedge_store::{EngineKind, Options, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

async fn client() -> (Local, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        path: folder.path().join("store"),
        engine: EngineKind::Sled,
        window: 8,
    };
    let opened = tokio::task::spawn_blocking(move || Store::open(&options)).await;
    let (store, _) = opened.unwrap().unwrap();
    let registry = Registry::new(RegistryConfig {
        store,
        catalog: Catalog::builtin(),
        service_cidrs: vec!["10.43.0.0/24".parse().unwrap()],
        node_ports: 30000..=30099,
        admission: kedge_registry::admission::builtin(),
    });
    registry.bootstrap().await.unwrap();
    (Local::new(registry, "test"), folder)
}

fn key(resource: Resource, name: &str) -> ObjectKey {
    ObjectKey {
        resource,
        namespace: "default".into(),
        name: name.into(),
    }
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn configmap(name: &str, value: &str) -> Object {
    object(json!({"metadata": {"name": name, "namespace": "default"}, "data": {"a": value}}))
}

async fn create(client: &Local, name: &str) -> Object {
    let made = client.create(Resource::CONFIGMAPS, configmap(name, "0"));
    made.await.unwrap()
}

async fn update(client: &Local, name: &str, value: &str) {
    let changed = client.update(Resource::CONFIGMAPS, "", configmap(name, value));
    changed.await.unwrap();
}

async fn delete(client: &Local, name: &str) {
    client
        .delete(&key(Resource::CONFIGMAPS, name), None)
        .await
        .unwrap();
}

/// A batch in short: kind, name, and what `data.a` is, or that it is gone.
async fn next(feed: &mut Box<dyn Feed>) -> Vec<String> {
    let of = |change: Change| {
        let state = change.object.map_or("gone".to_string(), |json| {
            let object: Value = serde_json::from_slice(&json.text()).unwrap();
            object["data"]["a"].as_str().unwrap_or("-").to_string()
        });
        format!("{} {} {state}", change.key.resource.kind, change.key.name)
    };
    let batch = feed.next_batch().await.unwrap();
    batch.into_iter().map(of).collect()
}

#[tokio::test]
async fn reads_and_writes() {
    let (client, _folder) = client().await;
    let made = create(&client, "c").await;
    let place = key(Resource::CONFIGMAPS, "c");
    assert_eq!(client.get(&place).await.unwrap(), made);
    let listed = client.list(Resource::CONFIGMAPS, "default").await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&made));
    let everywhere = client.list(Resource::NAMESPACES, "").await.unwrap();
    assert_eq!(everywhere.len(), 4);

    let mut changed = made.clone();
    changed.0["data"] = json!({"a": "2"});
    let update = async |object| client.update(Resource::CONFIGMAPS, "", object).await;
    update(changed.clone()).await.unwrap();
    assert!(update(changed).await.unwrap_err().is_conflict());

    let wrong = client.delete(&place, Some("other")).await;
    assert!(wrong.unwrap_err().is_conflict());
    client.delete(&place, Some(made.uid())).await.unwrap();
    let gone = client.delete(&place, None).await;
    assert!(gone.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_feed_is_the_state_and_then_its_changes_in_order() {
    let (client, _folder) = client().await;
    create(&client, "a").await;
    let mut feed = client.feed(&[Resource::CONFIGMAPS, Resource::SECRETS]);
    assert_eq!(next(&mut feed).await, ["ConfigMap a 0"]);

    create(&client, "b").await;
    let secret = object(json!({"metadata": {"name": "s", "namespace": "default"}}));
    client.create(Resource::SECRETS, secret).await.unwrap();
    update(&client, "b", "2").await;
    delete(&client, "a").await;
    // Everything at once, what was overtaken left out.
    let want = ["Secret s -", "ConfigMap b 2", "ConfigMap a gone"];
    assert_eq!(next(&mut feed).await, want);

    let waiting = tokio::spawn(async move { next(&mut feed).await });
    tokio::task::yield_now().await;
    create(&client, "c").await;
    assert_eq!(waiting.await.unwrap(), ["ConfigMap c 0"]);
}

#[tokio::test]
async fn a_feed_of_nothing_begins_empty() {
    let (client, _folder) = client().await;
    let mut feed = client.feed(&[Resource::SECRETS]);
    assert!(next(&mut feed).await.is_empty());
}

#[tokio::test]
async fn a_gap_is_bridged_by_what_differs() {
    let (client, _folder) = client().await;
    for name in ["gone", "same", "changed"] {
        create(&client, name).await;
    }
    let mut feed = client.feed(&[Resource::CONFIGMAPS]);
    assert_eq!(next(&mut feed).await.len(), 3);
    delete(&client, "gone").await;
    // More than the store lets a watch wait for.
    for i in 1..=1200 {
        update(&client, "changed", &i.to_string()).await;
    }
    create(&client, "new").await;
    let mut batch = next(&mut feed).await;
    batch.sort();
    let want = [
        "ConfigMap changed 1200",
        "ConfigMap gone gone",
        "ConfigMap new 0",
    ];
    assert_eq!(batch, want);
    update(&client, "same", "1").await;
    assert_eq!(next(&mut feed).await, ["ConfigMap same 1"]);
}
