//! Server-side apply: who owns what, what goes with its last owner, and whose word counts.

use http::Method;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::typed::{APPLY, MERGE, Typed};
use crate::wire::PROTOBUF;

fn deployments(lab: &Lab) -> Typed {
    Typed::new(
        &lab.admin,
        "apps/v1",
        "Deployment",
        "namespaces/default/deployments",
    )
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": {"app": "x"}},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": "x"}},
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {
                    "hostname": "named",
                    "containers": [{"name": "c", "image": "c", "ports": [{"containerPort": 80, "protocol": "TCP"}]}],
                },
            },
        },
    })
}

fn without(mut object: Value, parent: &str, key: &str) -> Value {
    let parent = object.pointer_mut(parent).unwrap();
    parent.as_object_mut().unwrap().remove(key).unwrap();
    object
}

async fn apply(to: &Typed, manager: &str, object: &Value) -> Result<Value, (u16, Value)> {
    to.patch(&format!("d?fieldManager={manager}"), APPLY, object)
        .await
}

#[tokio::test]
async fn two_who_apply_the_same_own_it_both() {
    let lab = Lab::start().await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "image": "c"}]}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
        "spec": {"ports": [{"port": 8080, "protocol": "UDP"}]}});
    let container =
        r#"{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{}}}}}"#;
    let port = r#"{"f:spec":{"f:ports":{"k:{\"port\":8080,\"protocol\":\"UDP\"}":{".":{},"f:port":{},"f:protocol":{}}}}}"#;
    for (plural, object, owned) in [("pods", pod, container), ("services", service, port)] {
        let mut last = String::new();
        for manager in ["one", "two"] {
            let path = format!("/api/v1/namespaces/default/{plural}/a?fieldManager={manager}");
            let headers = [("content-type", APPLY), ("accept", PROTOBUF)];
            let body = object.to_string();
            let answer = lab
                .admin
                .request(Method::PATCH, &path, &headers, body)
                .await;
            let answer = answer.unwrap();
            assert!(answer.status.is_success(), "{plural}: {}", answer.status);
            last = String::from_utf8_lossy(&answer.body).into_owned();
        }
        // The very text, in its order.
        assert_eq!(last.matches(owned).count(), 2, "{last}");
    }
}

#[tokio::test]
async fn status_is_applied_by_its_own_way_in_alone() {
    let lab = Lab::start().await;
    let pods = Typed::new(&lab.admin, "v1", "Pod", "namespaces/default/pods");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "d"},
        "spec": {"containers": [{"name": "c", "image": "c"}]}});
    apply(&pods, "one", &pod).await.unwrap();
    let status = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "d"},
        "status": {"conditions": [{"type": "Mine", "status": "True"}]}});
    let has_mine = |pod: Value| {
        let conditions = pod["status"]["conditions"].as_array().cloned();
        conditions
            .into_iter()
            .flatten()
            .any(|one| one["type"] == "Mine")
    };
    apply(&pods, "two", &status).await.unwrap();
    assert!(!has_mine(pods.get("d").await.unwrap()));
    pods.patch("d/status?fieldManager=two", APPLY, &status)
        .await
        .unwrap();
    assert!(has_mine(pods.get("d").await.unwrap()));
}

#[tokio::test]
async fn what_its_last_owner_leaves_out_goes() {
    let lab = Lab::start().await;
    let all = deployments(&lab);
    apply(&all, "one", &deployment()).await.unwrap();
    let less = without(deployment(), "/spec/template/spec/containers/0", "ports");
    let left = apply(&all, "one", &less).await.unwrap();
    assert_eq!(left.pointer("/spec/template/spec/containers/0/ports"), None);

    apply(&all, "two", &less).await.unwrap();
    let less = without(
        without(less, "/spec/template/spec", "hostname"),
        "/spec",
        "replicas",
    );
    let left = apply(&all, "one", &less).await.unwrap();
    assert_eq!(left["spec"]["template"]["spec"]["hostname"], "named");
    assert_eq!(left["spec"]["replicas"], 3);
    let left = apply(&all, "two", &less).await.unwrap();
    assert_eq!(left["spec"]["template"]["spec"].get("hostname"), None);
    assert_eq!(left["spec"]["replicas"], 1);
}

#[tokio::test]
async fn a_conflict_is_refused_or_forced() {
    let lab = Lab::start().await;
    let all = deployments(&lab);
    apply(&all, "one", &deployment()).await.unwrap();
    all.patch("d", MERGE, &json!({"spec": {"replicas": 5}}))
        .await
        .unwrap();
    let refused = apply(&all, "one", &deployment()).await.unwrap_err();
    assert_eq!((refused.0, &refused.1["reason"]), (409, &json!("Conflict")));
    assert_eq!(all.get("d").await.unwrap()["spec"]["replicas"], 5);
    let forced = apply(&all, "one&force=true", &deployment()).await.unwrap();
    assert_eq!(forced["spec"]["replicas"], 3);
}

#[tokio::test]
async fn what_another_has_taken_stays_when_it_is_no_longer_applied() {
    let lab = Lab::start().await;
    let all = deployments(&lab);
    let mut made = apply(&all, "one", &deployment()).await.unwrap();
    made["spec"]["replicas"] = 4.into();
    all.update(&made, "").await.unwrap();
    let less = without(deployment(), "/spec", "replicas");
    let left = apply(&all, "one", &less).await.unwrap();
    assert_eq!(left["spec"]["replicas"], 4);
}
