//! What a node may of Pods: its own ones, and what these lead to.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use http::Method;
use serde_json::{Value, json};
use support::node_world::{PODS, World, pod};

#[tokio::test]
async fn its_own_pods() {
    let world = World::start().await;
    let (own, other) = (format!("{PODS}/own"), format!("{PODS}/other"));
    assert_eq!(world.get(&own).await, 200);
    world
        .refused(
            Method::GET,
            &other,
            Value::Null,
            "no relationship found between node 'n1' and this object",
        )
        .await;
    assert_eq!(
        world
            .get("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1")
            .await,
        200
    );
    for path in [
        "/api/v1/pods",
        "/api/v1/pods?fieldSelector=spec.nodeName%3Dn2",
        "/api/v1/pods?fieldSelector=spec.nodeName!%3Dn1",
    ] {
        world
            .refused(
                Method::GET,
                path,
                Value::Null,
                "can only list/watch pods with spec.nodeName field selector",
            )
            .await;
    }
    let status = json!({"status": {"phase": "Running"}});
    assert_eq!(
        world
            .ask(Method::PATCH, &format!("{own}/status"), status.clone())
            .await
            .0,
        200
    );
    let why = "node \"n1\" can only update pod status for pods with spec.nodeName set to itself";
    world
        .refused(Method::PATCH, &format!("{other}/status"), status, why)
        .await;
    let labels = json!({"metadata": {"labels": {"app": "other"}}});
    world
        .refused(
            Method::PATCH,
            &format!("{own}/status"),
            labels,
            "node \"n1\" cannot update labels through pod status",
        )
        .await;
    let why = "node \"n1\" can only delete pods with spec.nodeName set to itself";
    world
        .refused(Method::DELETE, &other, Value::Null, why)
        .await;
    let eviction =
        |name: &str| json!({"metadata": {"name": name}, "deleteOptions": {"dryRun": ["All"]}});
    let why = "node n1 can only evict pods with spec.nodeName set to itself";
    world
        .refused(
            Method::POST,
            &format!("{other}/eviction"),
            eviction("other"),
            why,
        )
        .await;
    assert_eq!(
        world
            .ask(Method::POST, &format!("{own}/eviction"), eviction("own"))
            .await
            .0,
        201
    );
    assert_eq!(
        world
            .ask(Method::DELETE, &own, json!({"gracePeriodSeconds": 0}))
            .await
            .0,
        200
    );
    world
        .refused(
            Method::POST,
            PODS,
            pod("new", "n1", json!({})),
            "node \"n1\" can only create mirror pods",
        )
        .await;
}

#[tokio::test]
async fn mirrors_of_its_own() {
    let world = World::start().await;
    let uid = world.uid("/api/v1/nodes/n1").await;
    let mirror = |name: &str, node: &str, owner: Value, more: Value| {
        let mut pod = pod(name, node, more);
        pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
        pod["metadata"]["ownerReferences"] = json!([owner]);
        pod
    };
    let owner = |name: &str, uid: &Value| json!({"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid, "controller": true});
    let good = owner("n1", &uid);
    let mismatch = format!(
        "node n1 UID mismatch: expected x got {}",
        uid.as_str().unwrap()
    );
    let cases = [
        (
            mirror("a", "n2", good.clone(), json!({})),
            "node \"n1\" can only create pods with spec.nodeName set to itself",
        ),
        (
            mirror("b", "n1", owner("n2", &uid), json!({})),
            "node \"n1\" can only create pods with an owner reference set to itself",
        ),
        (
            mirror("c", "n1", owner("n1", &json!("x")), json!({})),
            mismatch.as_str(),
        ),
        (
            mirror(
                "d",
                "n1",
                good.clone(),
                json!({"serviceAccountName": "robot"}),
            ),
            "node \"n1\" can not create pods that reference a service account",
        ),
        (
            mirror(
                "e",
                "n1",
                good.clone(),
                json!({"imagePullSecrets": [{"name": "theirs"}]}),
            ),
            "node \"n1\" can not create pods that reference secrets",
        ),
    ];
    for (pod, why) in cases {
        world.refused(Method::POST, PODS, pod, why).await;
    }
    let made = world
        .ask(Method::POST, PODS, mirror("f", "n1", good, json!({})))
        .await;
    assert_eq!(made.0, 201, "{}", made.1);
}

#[tokio::test]
async fn what_its_pods_lead_to() {
    let world = World::start().await;
    let base = "/api/v1/namespaces/default";
    assert_eq!(world.get(&format!("{base}/secrets/mine")).await, 200);
    assert_eq!(
        world
            .get(&format!(
                "{base}/secrets?fieldSelector=metadata.name%3Dmine"
            ))
            .await,
        200
    );
    assert_eq!(world.get(&format!("{base}/configmaps/mine")).await, 200);
    let unrelated = "no relationship found between node 'n1' and this object";
    world
        .refused(
            Method::GET,
            &format!("{base}/secrets/theirs"),
            Value::Null,
            unrelated,
        )
        .await;
    world
        .refused(
            Method::GET,
            &format!("{base}/configmaps/theirs"),
            Value::Null,
            unrelated,
        )
        .await;
    world
        .refused(
            Method::GET,
            &format!("{base}/secrets"),
            Value::Null,
            "No Object name found",
        )
        .await;
    world
        .refused(
            Method::GET,
            "/api/v1/secrets",
            Value::Null,
            "can only read namespaced object of this type",
        )
        .await;
    world
        .refused(
            Method::DELETE,
            &format!("{base}/secrets/mine"),
            Value::Null,
            "can only read resources of this type",
        )
        .await;
    assert_eq!(world.get("/api/v1/services").await, 200);
    assert_eq!(
        world.get("/apis/discovery.k8s.io/v1/endpointslices").await,
        200
    );
}

#[tokio::test]
async fn tokens_of_its_pods() {
    let world = World::start().await;
    let uid = world.uid(&format!("{PODS}/own")).await;
    let account = |name: &str| format!("/api/v1/namespaces/default/serviceaccounts/{name}/token");
    let bound = |name: &str, uid: &Value| json!({"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}}});
    let made = world
        .ask(Method::POST, &account("robot"), bound("own", &uid))
        .await;
    assert_eq!(made.0, 201, "{}", made.1);
    world
        .refused(
            Method::POST,
            &account("robot"),
            json!({"spec": {}}),
            "node requested token not bound to a pod",
        )
        .await;
    world
        .refused(
            Method::POST,
            &account("robot"),
            bound("own", &json!("")),
            "node requested token with a pod binding without a uid",
        )
        .await;
    let other = world.uid(&format!("{PODS}/other")).await;
    world
        .refused(
            Method::POST,
            &account("robot"),
            bound("other", &other),
            "node requested token bound to a pod scheduled on a different node",
        )
        .await;
    world
        .refused(
            Method::POST,
            &account("android"),
            bound("own", &uid),
            "no relationship found between node 'n1' and this object",
        )
        .await;
}
