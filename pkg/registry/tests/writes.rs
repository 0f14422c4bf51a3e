//! Create, update, patch and delete, as their callers see them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "writes/patches.rs"]
mod patches;

use common::{configmap, object, options, parse, world};
use kedge_registry::{
    DeleteOptions, FieldValidation, Patch, PatchKind, Propagation, Target, WriteOptions,
};
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
async fn finalizers_hold_until_the_last_is_gone() {
    let world = world().await;
    let held = json!({"metadata": {"name": "c", "finalizers": ["example.com/hold"]}});
    world.create("configmaps", held).await.unwrap();
    let deleted = world.delete("configmaps", "c").await.unwrap();
    assert!(!deleted.gone);
    assert_eq!(
        parse(&deleted.value)["metadata"]["deletionGracePeriodSeconds"],
        0
    );
    let target = world.target("configmaps", "c");
    world
        .merge(&target, json!({"data": {"late": "yes"}}))
        .await
        .unwrap();
    world
        .merge(
            &target,
            json!({"metadata": {"finalizers": ["a/b", "example.com/hold"]}}),
        )
        .await
        .unwrap_err();
    let last = world
        .merge(&target, json!({"metadata": {"finalizers": null}}))
        .await
        .unwrap();
    assert_eq!(last["data"]["late"], "yes");
    assert!(world.get("configmaps", "c").unwrap_err().is_not_found());
}

#[tokio::test]
async fn deletes_answer_as_their_kind_does() {
    let world = world().await;
    let made = world.create("configmaps", configmap("c")).await.unwrap();
    let status = parse(&world.delete("configmaps", "c").await.unwrap().value);
    assert_eq!(status["status"], "Success");
    assert_eq!(status["details"]["uid"], made["metadata"]["uid"]);
    assert!(
        world
            .delete("configmaps", "c")
            .await
            .unwrap_err()
            .is_not_found()
    );

    world
        .create(
            "services",
            json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}}),
        )
        .await
        .unwrap();
    let endpoints =
        json!({"metadata": {"name": "s"}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]});
    world.create("endpoints", endpoints).await.unwrap();
    assert_eq!(
        parse(&world.delete("services", "s").await.unwrap().value)["kind"],
        "Service"
    );
    assert!(world.get("endpoints", "s").unwrap_err().is_not_found());

    world.create("configmaps", configmap("d")).await.unwrap();
    let wrong = DeleteOptions {
        uid: Some("other".into()),
        ..DeleteOptions::default()
    };
    let target = world.target("configmaps", "d");
    assert!(
        world
            .registry
            .delete(&target, &wrong)
            .await
            .unwrap_err()
            .is_conflict()
    );
    let orphan = DeleteOptions {
        propagation: Some(Propagation::Orphan),
        ..DeleteOptions::default()
    };
    assert!(!world.registry.delete(&target, &orphan).await.unwrap().gone);
}

#[tokio::test]
async fn pods_on_a_node_wait_and_others_do_not() {
    let world = world().await;
    let pod = |name: &str, node: &str| {
        json!({
            "metadata": {"name": name}, "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]},
        })
    };
    world.create("pods", pod("free", "")).await.unwrap();
    assert!(world.delete("pods", "free").await.unwrap().gone);
    world.create("pods", pod("bound", "n1")).await.unwrap();
    assert!(!world.delete("pods", "bound").await.unwrap().gone);
    let now = DeleteOptions {
        grace_period: Some(0),
        ..DeleteOptions::default()
    };
    assert!(
        world
            .registry
            .delete(&world.target("pods", "bound"), &now)
            .await
            .unwrap()
            .gone
    );
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
async fn namespaces_live_and_end() {
    let world = world().await;
    let kind = world.kind("namespaces");
    let target = Target::new(kind.clone(), "", "shop");
    let inside = Target::new(world.kind("configmaps"), "shop", "");
    let missing = world
        .registry
        .create(&inside, object(configmap("c")), &options())
        .await
        .unwrap_err();
    assert_eq!(missing.details.as_ref().unwrap().kind, "namespaces");
    assert!(missing.is_not_found());

    let made = world
        .registry
        .create(
            &target,
            object(json!({"metadata": {"name": "shop"}})),
            &options(),
        )
        .await
        .unwrap();
    let made = parse(&made.value);
    assert_eq!(
        made["metadata"]["labels"]["kubernetes.io/metadata.name"],
        "shop"
    );
    assert_eq!(
        (&made["spec"]["finalizers"], &made["status"]["phase"]),
        (&json!(["kubernetes"]), &json!("Active"))
    );
    world
        .registry
        .create(&inside, object(configmap("c")), &options())
        .await
        .unwrap();

    let ending = world
        .registry
        .delete(&target, &DeleteOptions::default())
        .await
        .unwrap();
    assert!(!ending.gone);
    let late = world
        .registry
        .create(&inside, object(configmap("d")), &options())
        .await
        .unwrap_err();
    assert_eq!(
        (late.code, late.details.unwrap().causes[0].reason.as_str()),
        (403, "NamespaceTerminating")
    );
    assert!(
        world
            .registry
            .delete(&target, &DeleteOptions::default())
            .await
            .unwrap_err()
            .is_conflict()
    );

    let mut body = parse(&ending.value);
    body["spec"]["finalizers"] = json!([]);
    let finalize = target.clone().subresource("finalize");
    world
        .registry
        .update(&finalize, object(body), &options())
        .await
        .unwrap();
    assert!(
        world
            .registry
            .get(&target, &Default::default())
            .unwrap_err()
            .is_not_found()
    );
    let immortal = Target::new(kind, "", "kube-system");
    assert_eq!(
        world
            .registry
            .delete(&immortal, &DeleteOptions::default())
            .await
            .unwrap_err()
            .code,
        403
    );
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
async fn collections_are_deleted_by_selector() {
    let world = world().await;
    for (name, label) in [("a", "1"), ("b", "2"), ("c", "1")] {
        let body = json!({"metadata": {"name": name, "labels": {"k": label}}});
        world.create("configmaps", body).await.unwrap();
    }
    let selection = kedge_registry::ListOptions {
        label_selector: "k=1".into(),
        ..Default::default()
    };
    let kind = world.kind("configmaps");
    let page = world
        .registry
        .delete_collection(&kind, "default", &DeleteOptions::default(), &selection)
        .await
        .unwrap();
    assert_eq!(common::names(&page), ["a", "c"]);
    assert_eq!(
        common::names(&world.list("configmaps", &Default::default()).unwrap()),
        ["b"]
    );
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
