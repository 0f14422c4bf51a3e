//! Pods and the accounts that they run as.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{World, build_with, object, options, parse};
use kedge_machinery::Status;
use kedge_registry::admission::ServiceAccount;
use serde_json::{Value, json};

async fn world() -> World {
    build_with(&["10.43.0.0/28"], 100, vec![Box::new(ServiceAccount)]).await
}

async fn account(world: &World, more: Value) {
    let mut account = json!({"metadata": {"name": "robot"}});
    account
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let target = world.target("serviceaccounts", "");
    world
        .registry
        .create(&target, object(account), &options())
        .await
        .unwrap();
}

async fn run(world: &World, meta: Value, spec: Value) -> Result<Value, Status> {
    let mut pod =
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    pod["metadata"]
        .as_object_mut()
        .unwrap()
        .extend(meta.as_object().unwrap().clone());
    pod["spec"]
        .as_object_mut()
        .unwrap()
        .extend(spec.as_object().unwrap().clone());
    let target = world.target("pods", "");
    let made = world
        .registry
        .create(&target, object(pod), &options())
        .await?;
    Ok(parse(&made.value))
}

#[tokio::test]
async fn a_pod_that_names_no_account_is_the_default_one() {
    let world = world().await;
    let pod = run(&world, json!({}), json!({})).await.unwrap();
    let spec = &pod["spec"];
    assert_eq!(
        (&spec["serviceAccountName"], &spec["serviceAccount"]),
        (&json!("default"), &json!("default"))
    );
    let volume = spec["volumes"][0]["name"].as_str().unwrap();
    assert!(volume.starts_with("kube-api-access-"), "{volume}");
    assert_eq!(spec["containers"][0]["volumeMounts"][0]["name"], volume);
    // What admission adds belongs to nobody.
    let fields = &pod["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
    assert!(fields.get("f:volumes").is_none() && fields.get("f:serviceAccountName").is_none());
}

#[tokio::test]
async fn an_account_lends_its_pull_secrets_and_may_keep_its_token() {
    let world = world().await;
    let lent =
        json!({"automountServiceAccountToken": false, "imagePullSecrets": [{"name": "hub"}]});
    account(&world, lent).await;
    let robot = |more: Value| {
        let mut spec = json!({"serviceAccountName": "robot"});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        spec
    };
    let spec = &run(&world, json!({}), robot(json!({}))).await.unwrap()["spec"];
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "hub"}]));
    assert!(spec.get("volumes").is_none());
    let more = json!({"automountServiceAccountToken": true, "imagePullSecrets": [{"name": "own"}]});
    let spec = &run(&world, json!({"name": "q"}), robot(more))
        .await
        .unwrap()["spec"];
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "own"}]));
    assert_eq!(spec["volumes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_that_is_not_there_is_refused() {
    let world = world().await;
    let refused = run(&world, json!({}), json!({"serviceAccountName": "robot"}))
        .await
        .unwrap_err();
    let text = "pods \"p\" is forbidden: error looking up service account default/robot: serviceaccount \"robot\" not found";
    assert_eq!((refused.code, refused.message.as_str()), (403, text));
}

#[tokio::test]
async fn only_listed_secrets_where_the_account_says_so() {
    let world = world().await;
    let strict = json!({
        "metadata": {"name": "robot", "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
        "secrets": [{"name": "own"}], "imagePullSecrets": [{"name": "hub"}], "automountServiceAccountToken": false,
    });
    account(&world, strict).await;
    let variable = |name: &str| {
        json!({"name": "c", "image": "i", "env": [
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}]})
    };
    let every =
        |name: &str| json!({"name": "c", "image": "i", "envFrom": [{"secretRef": {"name": name}}]});
    let volume = |name: &str| json!([{"name": "v", "secret": {"secretName": name}}]);
    let cases = [
        (
            json!({"volumes": volume("other")}),
            "volume with secret.secretName=\"other\" is not allowed",
        ),
        (
            json!({"containers": [variable("other")]}),
            "container c with envVar KEY referencing secret.secretName=\"other\"",
        ),
        (
            json!({"containers": [every("other")]}),
            "container c with envFrom referencing secret.secretName=\"other\"",
        ),
        (
            json!({"imagePullSecrets": [{"name": "own"}]}),
            "imagePullSecrets[0].name=\"own\" is not allowed",
        ),
    ];
    for (mut spec, expected) in cases {
        spec["serviceAccountName"] = "robot".into();
        let refused = run(&world, json!({}), spec).await.unwrap_err();
        assert!(
            refused.code == 403 && refused.message.contains(expected),
            "{}",
            refused.message
        );
    }
    let good = json!({"serviceAccountName": "robot", "volumes": volume("own"), "containers": [variable("own")]});
    run(&world, json!({}), good).await.unwrap();
}

#[tokio::test]
async fn a_mirror_has_no_account_and_no_secrets() {
    let world = world().await;
    let mirror = json!({"annotations": {"kubernetes.io/config.mirror": "x"}});
    let placed = json!({"nodeName": "n"});
    let pod = run(&world, mirror.clone(), placed).await.unwrap();
    assert!(pod["spec"].get("serviceAccountName").is_none());
    let token =
        json!([{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]);
    let secret = json!([{"name": "v", "secret": {"secretName": "s"}}]);
    for (spec, code, expected) in [
        (
            json!({"nodeName": "n", "serviceAccountName": "default"}),
            403,
            "may not reference service accounts",
        ),
        (
            json!({"nodeName": "n", "volumes": secret}),
            403,
            "may not reference secrets",
        ),
        (
            json!({"nodeName": "n", "volumes": token}),
            422,
            "must not be specified when serviceAccountName is not set",
        ),
    ] {
        let refused = run(&world, mirror.clone(), spec).await.unwrap_err();
        assert!(
            refused.code == code && refused.message.contains(expected),
            "{}",
            refused.message
        );
    }
}
