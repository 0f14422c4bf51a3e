//! Create, update, patch and delete, as their callers see them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "writes/deletes.rs"]
mod deletes;
#[path = "writes/looks.rs"]
mod looks;
#[path = "writes/metadata.rs"]
mod metadata;
#[path = "writes/owners.rs"]
mod owners;
#[path = "writes/patches.rs"]
mod patches;
#[path = "writes/updates.rs"]
mod updates;

use common::{configmap, object, options, parse, world};
use kedge_registry::{DeleteOptions, FieldValidation, Patch, PatchKind, Target, WriteOptions};
use serde_json::json;

#[tokio::test]
async fn a_new_object_has_what_the_server_gives() {
    let world = world().await;
    let made = world.create("configmaps", configmap("c")).await.unwrap();
    let meta = &made["metadata"];
    assert_eq!(
        (made["kind"].as_str(), made["apiVersion"].as_str()),
        (Some("ConfigMap"), Some("v1"))
    );
    assert_eq!(meta["namespace"], "default");
    assert_eq!(meta["uid"].as_str().unwrap().len(), 36);
    assert!(meta["creationTimestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        meta["resourceVersion"].as_str().unwrap(),
        world.registry.revision().to_string()
    );
    assert!(meta.get("generation").is_none());
    assert_eq!(world.get("configmaps", "c").unwrap(), made);
    assert_eq!(
        world
            .create("configmaps", configmap("c"))
            .await
            .unwrap_err()
            .reason,
        "AlreadyExists"
    );
}

#[tokio::test]
async fn names_are_generated_until_one_is_free() {
    let world = world().await;
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let made = world
            .create("configmaps", json!({"metadata": {"generateName": "g-"}}))
            .await
            .unwrap();
        let name = made["metadata"]["name"].as_str().unwrap().to_string();
        assert!(name.starts_with("g-") && name.len() == 7, "{name}");
        names.insert(name);
    }
    assert_eq!(names.len(), 20);
    let nameless = world
        .create("configmaps", json!({"metadata": {}}))
        .await
        .unwrap_err();
    assert_eq!(nameless.details.unwrap().causes[0].field, "metadata.name");
    // A name that was given beside the beginning of one is said to be the server's, too.
    let both = || json!({"metadata": {"name": "fixed", "generateName": "g-"}});
    world.create("configmaps", both()).await.unwrap();
    let taken = world.create("configmaps", both()).await.unwrap_err();
    let why = "the server was not able to generate a unique name for the object";
    assert_eq!(
        (taken.code, taken.reason, taken.message.as_str()),
        (
            409,
            "AlreadyExists",
            &*format!("configmaps \"fixed\" already exists, {why}")
        )
    );
    assert_eq!(taken.details.unwrap().retry_after_seconds, Some(1));
}

#[tokio::test]
async fn an_address_is_no_beginning_of_a_name() {
    let world = world().await;
    let address = |base: &str| {
        object(json!({
            "metadata": {"generateName": base}, "spec": {"parentRef": {"resource": "services", "name": "s"}},
        }))
    };
    let all = world.cluster_target("ipaddresses", "");
    let create = |base: &str| {
        let new = address(base);
        let (registry, all) = (&world.registry, &all);
        async move { registry.create(all, new, &options()).await }
    };
    let made = create("192.0.2.1").await.unwrap();
    assert_eq!(parse(&made.value)["metadata"]["name"], "192.0.2.1");
    assert!(create("192.0.2.1").await.unwrap_err().is_already_exists());
    assert_eq!(create("192.0.2.").await.unwrap_err().code, 422);
}

#[tokio::test]
async fn bodies_must_fit_their_path() {
    let world = world().await;
    let elsewhere = json!({"metadata": {"name": "c", "namespace": "other"}});
    assert_eq!(
        world
            .create("configmaps", elsewhere)
            .await
            .unwrap_err()
            .code,
        400
    );
    let other = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}});
    assert_eq!(
        world.create("configmaps", other).await.unwrap_err().code,
        400
    );
    let version = json!({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "c"}});
    assert_eq!(
        world.create("configmaps", version).await.unwrap_err().code,
        400
    );
    world.create("configmaps", configmap("c")).await.unwrap();
    let target = world.target("configmaps", "c");
    let renamed = world
        .registry
        .update(&target, object(configmap("d")), &options())
        .await;
    assert_eq!(renamed.unwrap_err().code, 400);
    let wrong = json!({"metadata": {"name": "x"}, "data": {"a": 1}});
    assert_eq!(
        world.create("configmaps", wrong).await.unwrap_err().code,
        400
    );
}

#[tokio::test]
async fn unknown_and_duplicate_fields() {
    let world = world().await;
    let body = || object(json!({"metadata": {"name": "c"}, "bogus": 1}));
    let target = world.target("configmaps", "");
    let with = |field_validation| WriteOptions {
        field_validation,
        duplicates: vec!["duplicate field \"data\"".into()],
        ..options()
    };
    let strict = world
        .registry
        .create(&target, body(), &with(FieldValidation::Strict))
        .await
        .unwrap_err();
    assert_eq!(strict.code, 400);
    assert!(
        strict
            .message
            .ends_with("strict decoding error: duplicate field \"data\", unknown field \"bogus\""),
        "{strict}"
    );
    let warned = world
        .registry
        .create(&target, body(), &with(FieldValidation::Warn))
        .await
        .unwrap();
    assert_eq!(
        warned.warnings,
        ["duplicate field \"data\"", "unknown field \"bogus\""]
    );
    assert!(parse(&warned.value).get("bogus").is_none());
    world.delete("configmaps", "c").await.unwrap();
    let silent = world
        .registry
        .create(&target, body(), &with(FieldValidation::Ignore))
        .await
        .unwrap();
    assert!(silent.warnings.is_empty());
}

#[tokio::test]
async fn dry_runs_leave_no_trace() {
    let world = world().await;
    let before = (world.registry.revision(), world.keys("/"));
    let dry = WriteOptions {
        dry_run: true,
        ..options()
    };
    let service =
        json!({"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
    let shown = world
        .registry
        .create(&world.target("services", ""), object(service), &dry)
        .await
        .unwrap();
    let shown = parse(&shown.value);
    assert!(shown["spec"]["ports"][0]["nodePort"].as_i64().unwrap() >= 30000);
    assert!(
        shown["spec"]["clusterIP"]
            .as_str()
            .unwrap()
            .starts_with("10.43.0.")
    );
    assert!(shown["metadata"].get("resourceVersion").is_none());
    let options = DeleteOptions {
        dry_run: true,
        ..DeleteOptions::default()
    };
    world
        .registry
        .delete(&world.target("configmaps", "none"), &options)
        .await
        .unwrap_err();
    assert_eq!((world.registry.revision(), world.keys("/")), before);
}

#[tokio::test]
async fn what_may_surprise_is_told_of_on_every_way_in() {
    let world = world().await;
    let deployment = |image: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a.b"}, "spec": {
            "selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": {
                "nodeSelector": {"beta.kubernetes.io/os": "linux"},
                "containers": [{"name": "c", "image": image}],
            }},
        }})
    };
    let catalog = world.registry.catalog();
    let kind = catalog.find("apps", "v1", "deployments").unwrap();
    let all = Target::new(kind.clone(), "default", "");
    let one = Target::new(kind.clone(), "default", "a.b");
    let made = world
        .registry
        .create(&all, object(deployment("i:1")), &options())
        .await
        .unwrap();
    assert_eq!(made.warnings.len(), 2, "{:?}", made.warnings);
    assert!(made.warnings[0].starts_with("metadata.name: this is used in Pod names"));
    assert!(made.warnings[1].starts_with("spec.template.spec.nodeSelector[beta.kubernetes.io/os]"));
    let same = world
        .registry
        .update(&one, object(deployment("i:1")), &options())
        .await
        .unwrap();
    assert!(same.warnings.is_empty(), "{:?}", same.warnings);
    let patch = Patch {
        kind: PatchKind::Apply,
        body: deployment("i:2").to_string().into(),
    };
    let force = WriteOptions {
        force: true,
        ..options()
    };
    let applied = world.registry.patch(&one, patch, &force).await.unwrap();
    assert_eq!(applied.warnings.len(), 1, "{:?}", applied.warnings);
}
