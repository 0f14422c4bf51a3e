//! Deletes: finalizers, graces, Namespaces, collections.

use kedge_registry::{DeleteOptions, Propagation, Target};
use serde_json::json;

use crate::common::{self, configmap, object, options, parse, world};

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
    let refused = world.registry.delete(&target, &wrong).await.unwrap_err();
    assert!(refused.is_conflict());
    assert_eq!(refused.details.as_ref().unwrap().kind, "ConfigMap");
    let older = DeleteOptions {
        resource_version: Some("1".into()),
        ..DeleteOptions::default()
    };
    let refused = world.registry.delete(&target, &older).await.unwrap_err();
    let said = &refused.message;
    assert!(
        said.starts_with("Operation cannot be fulfilled on ConfigMap \"d\": the ResourceVersion"),
        "{said}"
    );
    assert!(
        said.ends_with("The object might have been modified"),
        "{said}"
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
    let again = DeleteOptions::default();
    let again = world.registry.delete(&target, &again).await.unwrap();
    assert!(!again.gone);
    assert_eq!(parse(&again.value), parse(&ending.value));
    let other = DeleteOptions {
        uid: Some("other".into()),
        ..DeleteOptions::default()
    };
    let refused = world.registry.delete(&target, &other).await.unwrap_err();
    assert!(refused.is_conflict());
    assert_eq!(refused.details.unwrap().kind, "namespaces");

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
async fn priority_classes_of_the_system_stay() {
    let world = world().await;
    let target = world.cluster_target("priorityclasses", "system-node-critical");
    let options = DeleteOptions::default();
    let refused = world.registry.delete(&target, &options).await.unwrap_err();
    assert_eq!((refused.code, refused.reason), (403, "Forbidden"));
    assert_eq!(refused.details.unwrap().kind, "priorityclasses");
    assert!(world.registry.get(&target, &Default::default()).is_ok());
    // A collection goes whole.
    let all = Default::default();
    let kind = world.kind("priorityclasses");
    let gone = world.registry.delete_collection(&kind, "", &options, &all);
    assert_eq!(gone.await.unwrap().items.len(), 2);
    assert!(world.registry.get(&target, &Default::default()).is_err());
}
