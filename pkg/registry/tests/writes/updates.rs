//! Updates, applies and writes of the status; what they do to versions and generations.

use kedge_registry::{Patch, PatchKind, WriteOptions};
use serde_json::json;

use crate::common::{configmap, object, options, parse, world};

#[tokio::test]
async fn updates_conflict_only_when_they_name_a_version() {
    let world = world().await;
    let made = world.create("configmaps", configmap("c")).await.unwrap();
    let versioned = |version: &str| json!({"metadata": {"name": "c", "resourceVersion": version}, "data": {"a": "2"}});
    assert!(
        world
            .update("configmaps", versioned("1"))
            .await
            .unwrap_err()
            .is_conflict()
    );
    let latest = made["metadata"]["resourceVersion"].as_str().unwrap();
    world.update("configmaps", versioned(latest)).await.unwrap();
    world.update("configmaps", configmap("c")).await.unwrap();
    assert!(
        world
            .update("configmaps", configmap("none"))
            .await
            .unwrap_err()
            .is_not_found()
    );
    let other = json!({"metadata": {"name": "c", "uid": "other"}});
    assert!(
        world
            .update("configmaps", other)
            .await
            .unwrap_err()
            .is_conflict()
    );
}

#[tokio::test]
async fn a_write_that_changes_nothing_is_none() {
    let world = world().await;
    world.create("configmaps", configmap("c")).await.unwrap();
    let before = world.registry.revision();
    world.update("configmaps", configmap("c")).await.unwrap();
    world
        .merge(
            &world.target("configmaps", "c"),
            json!({"data": {"a": "1"}}),
        )
        .await
        .unwrap();
    assert_eq!(world.registry.revision(), before);
}

#[tokio::test]
async fn concurrent_patches_all_arrive() {
    let world = world().await;
    world.create("configmaps", configmap("c")).await.unwrap();
    let target = world.target("configmaps", "c");
    let patches = (0..40).map(|i| world.merge(&target, json!({"data": {format!("k{i}"): "v"}})));
    for patched in futures_util::future::join_all(patches).await {
        patched.unwrap();
    }
    let data = world.get("configmaps", "c").unwrap()["data"]
        .as_object()
        .unwrap()
        .len();
    assert_eq!(data, 41);
}

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let world = world().await;
    let service = json!({
        "metadata": {"name": "s"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    });
    let made = world.create("services", service).await.unwrap();
    assert_eq!(made["status"], json!({"loadBalancer": {}}));
    let status = world.target("services", "s").subresource("status");
    let both = json!({"spec": {"sessionAffinity": "ClientIP"}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
    let patched = world.merge(&status, both).await.unwrap();
    assert_eq!(patched["spec"], made["spec"]);
    let ingress = json!([{"ip": "192.0.2.1", "ipMode": "VIP"}]);
    assert_eq!(patched["status"]["loadBalancer"]["ingress"], ingress);
    let main = world
        .merge(
            &world.target("services", "s"),
            json!({"status": {"loadBalancer": null}}),
        )
        .await
        .unwrap();
    assert_eq!(main["status"]["loadBalancer"]["ingress"], ingress);
}

#[tokio::test]
async fn a_pod_is_reported_of_by_who_stands_in_for_a_kubelet() {
    let world = world().await;
    let spec = json!({"containers": [{"name": "c", "image": "i"}]});
    let pod = json!({"metadata": {"name": "p"}, "spec": spec});
    let made = world.create("pods", pod).await.unwrap();
    let target = world.target("pods", "p").subresource("status");
    let mut report = made.clone();
    report["status"] = json!({"phase": "Running", "podIP": "2001:DB8::1"});
    let options = options();
    let put = world.registry.update(&target, object(report), &options);
    let put = put.await.unwrap();
    let status = &parse(&put.value)["status"];
    assert_eq!(status["qosClass"], made["status"]["qosClass"]);
    assert_eq!(status["podIPs"], json!([{"ip": "2001:DB8::1"}]));
    assert_eq!(put.warnings.len(), 1, "{:?}", put.warnings);
    let moved = world.merge(&target, json!({"status": {"podIP": "10.0.0.2"}}));
    let moved = moved.await.unwrap();
    assert_eq!(moved["status"]["podIPs"], json!([{"ip": "10.0.0.2"}]));
    let twice = json!({"status": {"podIPs": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.3"}]}});
    let refused = world.merge(&target, twice).await.unwrap_err();
    assert_eq!(refused.details.unwrap().causes[0].field, "status.podIPs");
}

#[tokio::test]
async fn generations_count_changes_of_the_spec() {
    let world = world().await;
    let slice =
        json!({"metadata": {"name": "e"}, "addressType": "IPv4", "endpoints": [], "ports": []});
    let made = world.create("endpointslices", slice).await.unwrap();
    assert_eq!(made["metadata"]["generation"], 1);
    let target = world.target("endpointslices", "e");
    let annotated = world
        .merge(&target, json!({"metadata": {"annotations": {"a": "b"}}}))
        .await
        .unwrap();
    assert_eq!(annotated["metadata"]["generation"], 1);
    let labelled = world
        .merge(&target, json!({"metadata": {"labels": {"a": "b"}}}))
        .await
        .unwrap();
    assert_eq!(labelled["metadata"]["generation"], 2);
    let filled = world
        .merge(&target, json!({"endpoints": [{"addresses": ["10.0.0.1"]}]}))
        .await
        .unwrap();
    assert_eq!(filled["metadata"]["generation"], 3);
}

#[tokio::test]
async fn an_apply_makes_and_changes() {
    let world = world().await;
    let target = world.target("configmaps", "c");
    let apply = |data: serde_json::Value| {
        Patch {
        kind: PatchKind::Apply,
        body: json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}).to_string().into(),
    }
    };
    let first = world
        .registry
        .patch(&target, apply(json!({"a": "1"})), &options())
        .await
        .unwrap();
    assert!(first.created);
    let second = world
        .registry
        .patch(&target, apply(json!({"b": "2"})), &options())
        .await
        .unwrap();
    assert!(!second.created);
    assert_eq!(parse(&second.value)["data"], json!({"b": "2"}));
    let other = WriteOptions {
        field_manager: "other".into(),
        ..options()
    };
    let conflict = world
        .registry
        .patch(&target, apply(json!({"b": "3"})), &other)
        .await
        .unwrap_err();
    assert!(conflict.is_conflict());
    let stale = Patch {
        kind: PatchKind::Apply,
        body: json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "c", "resourceVersion": "1"}, "data": {"b": "2"},
        })
        .to_string()
        .into(),
    };
    let refused = world.registry.patch(&target, stale, &options()).await;
    assert!(refused.unwrap_err().is_conflict());
    let forced = WriteOptions {
        force: true,
        ..other
    };
    world
        .registry
        .patch(&target, apply(json!({"b": "3"})), &forced)
        .await
        .unwrap();
    let revision = world.registry.revision();
    world
        .registry
        .patch(&target, apply(json!({"b": "3"})), &forced)
        .await
        .unwrap();
    assert_eq!(world.registry.revision(), revision);
}

#[tokio::test]
async fn some_kinds_are_made_by_a_put() {
    let world = world().await;
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    let put = world.update("services", service).await.unwrap();
    assert!(put.created);
    let known = json!({"metadata": {"name": "t", "uid": "u"}, "spec": {"ports": [{"port": 80}]}});
    let refused = world.update("services", known).await;
    assert!(refused.unwrap_err().is_conflict());
    let nowhere = world.target("services", "s").subresource("scale");
    let missing = world.merge(&nowhere, json!({})).await;
    assert!(missing.unwrap_err().is_not_found());
}

/// Upstream does so since 1.36 (`ServiceCIDRStatusFieldWiping`).
#[tokio::test]
async fn the_status_of_a_range_is_its_own_part() {
    let world = world().await;
    let ready = json!([{"type": "Ready", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    let mut range = json!({
        "metadata": {"name": "more"},
        "spec": {"cidrs": ["10.99.0.0/24"]},
        "status": {"conditions": ready},
    });
    let made = world.create("servicecidrs", range.clone()).await.unwrap();
    assert_eq!(made["status"], json!({}));
    range["metadata"]["labels"] = json!({"a": "b"});
    world.update("servicecidrs", range.clone()).await.unwrap();
    let stands = world.get("servicecidrs", "more").unwrap();
    assert_eq!(stands["metadata"]["labels"], json!({"a": "b"}));
    assert_eq!(stands["status"], json!({}));
    let mut target = world.cluster_target("servicecidrs", "more");
    target.subresource = "status".into();
    range["metadata"]["labels"] = json!({"a": "c"});
    let options = options();
    let written = world.registry.update(&target, object(range), &options);
    let said = parse(&written.await.unwrap().value);
    assert_eq!(said["status"]["conditions"], ready);
    assert_eq!(said["metadata"]["labels"], json!({"a": "b"}));
}
