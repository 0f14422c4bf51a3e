//! What a write may say of metadata, and how often it is told what is wrong with it.

use kedge_registry::Target;
use serde_json::{Value, json};

use crate::common::{World, causes, configmap, world};

/// How often a label that is none is told of, when it is put on an object that is there.
async fn labelled(world: &World, target: &Target) -> usize {
    let label = json!({"metadata": {"labels": {"app": "two words"}}});
    let told = causes(world.merge(target, label).await.unwrap_err());
    assert!(
        told.iter().all(|field| field == "metadata.labels"),
        "{told:?}"
    );
    told.len()
}

#[tokio::test]
async fn parts_of_an_object_are_looked_at_as_often_as_upstream_looks() {
    let world = world().await;
    let pod = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let made = json!({"selector": {"matchLabels": {"a": "b"}}, "template": pod});
    for (plural, rest) in [
        ("services", json!({"spec": {"ports": [{"port": 80}]}})),
        ("replicasets", json!({"spec": made})),
    ] {
        let mut object = rest;
        object["metadata"] = json!({"name": "x"});
        world.create(plural, object).await.unwrap();
    }
    let status = world.target("services", "x").subresource("status");
    assert_eq!(labelled(&world, &status).await, 3);
    let scale = world.target("replicasets", "x");
    let fewer = json!({"spec": {"replicas": -1}});
    let fields = causes(world.merge(&scale, fewer).await.unwrap_err());
    assert_eq!(fields, ["spec.replicas"; 2]);
    // Who is told of a new one is told by the kind alone.
    let labelled = json!({"metadata": {"name": "y", "labels": {"app": "two words"}}});
    let fields = causes(world.create("configmaps", labelled).await.unwrap_err());
    assert_eq!(fields, ["metadata.labels"]);
}

#[tokio::test]
async fn what_an_update_says_of_what_the_server_gave() {
    let world = world().await;
    let made = world.create("configmaps", configmap("c")).await.unwrap();
    let target = world.target("configmaps", "c");
    let patch = |meta: Value| world.merge(&target, json!({"metadata": meta}));
    let kept =
        json!({"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 7, "selfLink": "/x"});
    assert_eq!(patch(kept).await.unwrap(), made);
    for (meta, fields) in [
        (json!({"uid": "other"}), vec!["metadata.uid"; 2]),
        (
            json!({"deletionTimestamp": "2001-01-01T00:00:00Z"}),
            vec!["metadata.deletionTimestamp"; 2],
        ),
        (
            json!({"deletionGracePeriodSeconds": 1}),
            vec!["metadata.deletionGracePeriodSeconds"; 2],
        ),
        (
            json!({"finalizers": ["orphan", "foregroundDeletion"]}),
            vec!["metadata.finalizers"; 2],
        ),
        (
            json!({"generateName": "a/b"}),
            vec!["metadata.generateName"; 2],
        ),
    ] {
        let refused = patch(meta.clone()).await.unwrap_err();
        assert_eq!(causes(refused), fields, "{meta}");
    }
    assert_eq!(world.get("configmaps", "c").unwrap(), made);
}

#[tokio::test]
async fn a_version_is_a_number() {
    let world = world().await;
    let made = world.create("configmaps", configmap("c")).await.unwrap();
    let latest = made["metadata"]["resourceVersion"].as_str().unwrap();
    let put = |version: &str| {
        let meta = json!({"name": "c", "resourceVersion": version});
        world.update("configmaps", json!({"metadata": meta, "data": {"a": "1"}}))
    };
    for (version, why) in [
        ("abc", "strconv.ParseUint: parsing \"abc\": invalid syntax"),
        ("+1", "strconv.ParseUint: parsing \"+1\": invalid syntax"),
        (
            "99999999999999999999",
            "strconv.ParseUint: parsing \"99999999999999999999\": value out of range",
        ),
    ] {
        let refused = put(version).await.unwrap_err();
        assert_eq!(
            (refused.code, refused.reason, refused.message.as_str()),
            (500, "", why)
        );
    }
    put(&format!("00{latest}")).await.unwrap();
    put("00").await.unwrap();
    assert!(put("1").await.unwrap_err().is_conflict());
    let lease = json!({"metadata": {"name": "l"}});
    world.create("leases", lease.clone()).await.unwrap();
    let refused = world.update("leases", lease).await.unwrap_err();
    let details = refused.details.as_ref().unwrap();
    assert_eq!(
        (details.group.as_str(), details.kind.as_str()),
        ("coordination.k8s.io", "leases")
    );
    assert_eq!(causes(refused), ["metadata.resourceVersion"]);
}

#[tokio::test]
async fn who_is_said_to_own_fields_has_a_name_that_a_manager_may_have() {
    let world = world().await;
    let entry = |change: Value| {
        let mut entry = json!({"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"});
        entry
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        json!({"metadata": {"name": "c", "managedFields": [entry]}, "data": {"a": "1"}})
    };
    let fields = json!({"f:data": {"f:b": {}}});
    let long = json!({"manager": "m".repeat(129), "fieldsV1": fields});
    let refused = world.create("configmaps", entry(long.clone())).await;
    assert_eq!(
        causes(refused.unwrap_err()),
        ["metadata.managedFields[0].manager"]
    );
    let made = world.create("configmaps", entry(json!({}))).await.unwrap();
    let managers = |object: &Value| -> Vec<String> {
        let entries = object["metadata"]["managedFields"]
            .as_array()
            .unwrap()
            .iter();
        entries.map(|entry| entry["manager"].to_string()).collect()
    };
    assert_eq!(managers(&made), ["\"test\""]);
    let target = world.target("configmaps", "c");
    for (change, field) in [
        (long, "manager"),
        (json!({"manager": "a\tb", "fieldsV1": fields}), "manager"),
        (
            json!({"subresource": "s".repeat(257), "fieldsV1": fields}),
            "subresource",
        ),
    ] {
        let refused = world.merge(&target, entry(change)).await.unwrap_err();
        let field = format!("metadata.managedFields[0].{field}");
        assert_eq!(causes(refused), [field.clone(), field]);
    }
    // A manager of nothing is one that was told of: it takes the place of those who were there.
    let other = json!({"metadata": {"managedFields": entry(json!({}))["metadata"]["managedFields"]}, "data": {"b": "2"}});
    let patched = world.merge(&target, other).await.unwrap();
    let owned = &patched["metadata"]["managedFields"];
    assert_eq!(owned.as_array().unwrap().len(), 1);
    assert_eq!(owned[0]["fieldsV1"], json!({"f:data": {"f:b": {}}}));
}

#[tokio::test]
async fn a_name_that_is_still_held_is_told_as_such() {
    let world = world().await;
    let held = json!({"metadata": {"name": "c", "finalizers": ["a/b"]}});
    world.create("configmaps", held.clone()).await.unwrap();
    let again = world.create("configmaps", held.clone()).await.unwrap_err();
    assert_eq!(again.message, "configmaps \"c\" already exists");
    world.delete("configmaps", "c").await.unwrap();
    let again = world.create("configmaps", held).await.unwrap_err();
    assert_eq!(
        again.message,
        "object is being deleted: configmaps \"c\" already exists"
    );
}

#[tokio::test]
async fn some_names_need_only_fit_into_a_path() {
    let world = world().await;
    let budget = |name: &str| json!({"metadata": {"name": name, "finalizers": ["bare"]}});
    world
        .create("poddisruptionbudgets", budget("Mixed_Case"))
        .await
        .unwrap();
    let refused = world.create("poddisruptionbudgets", budget("a%b")).await;
    assert_eq!(causes(refused.unwrap_err()), ["metadata.name"]);
}
