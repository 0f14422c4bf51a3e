//! What a node may: its own Node and Lease, and nothing of another's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use http::Method;
use serde_json::{Value, json};
use support::json;
use support::node_world::{World, send};

#[tokio::test]
async fn its_own_node() {
    let world = World::start().await;
    let (own, other) = ("/api/v1/nodes/n1", "/api/v1/nodes/n2");
    assert_eq!(world.get(own).await, 200);
    assert_eq!(
        world
            .get("/api/v1/nodes?fieldSelector=metadata.name%3Dn1")
            .await,
        200
    );
    world
        .refused(
            Method::GET,
            other,
            Value::Null,
            "at the cluster scope: node 'n1' cannot read 'n2', only its own Node object",
        )
        .await;
    world
        .refused(
            Method::GET,
            "/api/v1/nodes",
            Value::Null,
            ": node 'n1' cannot read all nodes, only its own Node object",
        )
        .await;
    let label = |key: &str| json!({"metadata": {"labels": {key: "x"}}});
    assert_eq!(
        world
            .ask(Method::PATCH, own, label("example.com/a"))
            .await
            .0,
        200
    );
    assert_eq!(
        world
            .ask(Method::PATCH, own, label("topology.kubernetes.io/zone"))
            .await
            .0,
        200
    );
    let why = "nodes \"n1\" is forbidden: is not allowed to modify labels: node-role.kubernetes.io/master";
    world
        .refused(
            Method::PATCH,
            own,
            label("node-role.kubernetes.io/master"),
            why,
        )
        .await;
    let taint = json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}});
    world
        .refused(
            Method::PATCH,
            own,
            taint,
            "node \"n1\" is not allowed to modify taints",
        )
        .await;
    let why = "node \"n1\" is not allowed to modify node \"n2\"";
    world
        .refused(Method::PATCH, other, label("example.com/a"), why)
        .await;
    world
        .refused(
            Method::PATCH,
            &format!("{other}/status"),
            json!({"status": {}}),
            why,
        )
        .await;
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    assert_eq!(
        world
            .ask(Method::PATCH, &format!("{own}/status"), ready)
            .await
            .0,
        200
    );
    world
        .refused(Method::DELETE, own, Value::Null, "at the cluster scope")
        .await;
    let stranger = json!({"metadata": {"name": "n3"}});
    world
        .refused(
            Method::POST,
            "/api/v1/nodes",
            stranger,
            "node \"n1\" is not allowed to modify node \"n3\"",
        )
        .await;
}

#[tokio::test]
async fn its_own_lease() {
    let world = World::start().await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    let lease = |name: &str| json!({"metadata": {"name": name}, "spec": {"holderIdentity": name}});
    assert_eq!(world.ask(Method::POST, leases, lease("n1")).await.0, 201);
    assert_eq!(world.get(&format!("{leases}/n1")).await, 200);
    let why = "can only access node lease with the same name as the requesting node";
    world.refused(Method::POST, leases, lease("n2"), why).await;
    world
        .refused(Method::GET, &format!("{leases}/n2"), Value::Null, why)
        .await;
    world
        .refused(
            Method::GET,
            leases,
            Value::Null,
            "can only get, create, update, patch, or delete a node lease",
        )
        .await;
    let elsewhere = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    world
        .refused(
            Method::POST,
            elsewhere,
            lease("n1"),
            "can only access leases in the \"kube-node-lease\" system namespace",
        )
        .await;
}

#[tokio::test]
async fn a_name_without_the_group_is_no_node() {
    let world = World::start().await;
    for user in [("system:node:n1", "people"), ("n1", "system:nodes")] {
        let client = world.lab.user(user.0, user.1);
        assert_eq!(
            send(&client, Method::GET, "/api/v1/nodes/n1", Value::Null)
                .await
                .status,
            403
        );
    }
    let nameless = world.lab.user("system:node:", "system:nodes");
    let refused = send(&nameless, Method::GET, "/api/v1/nodes/n1", Value::Null).await;
    let text = json(&refused)["message"].as_str().unwrap().to_string();
    assert!(
        text.ends_with("unknown node for user \"system:node:\""),
        "{text}"
    );
}

#[tokio::test]
async fn its_rules_are_no_list() {
    let world = World::start().await;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let (_, answer) = world
        .ask(
            Method::POST,
            path,
            json!({"spec": {"namespace": "default"}}),
        )
        .await;
    assert_eq!(answer["status"]["incomplete"], true);
    assert_eq!(
        answer["status"]["evaluationError"],
        "node authorizer does not support user rule resolution"
    );
}
