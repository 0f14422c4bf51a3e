//! The subresource `scale`, as kubectl and autoscalers use it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use http::Method;
use serde_json::{Value, json};
use support::{Lab, json};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const WEB: &str = "/apis/apps/v1/namespaces/default/deployments/web";
const SCALE: &str = "/apis/apps/v1/namespaces/default/deployments/web/scale";

async fn ask(lab: &Lab, method: Method, path: &str, kind: &str, body: Value) -> (u16, Value) {
    let headers = [("content-type", kind)];
    let answer = lab
        .admin
        .request(method, path, &headers, body.to_string())
        .await
        .unwrap();
    (answer.status.as_u16(), json(&answer))
}

async fn lab() -> Lab {
    let lab = Lab::start().await;
    let body = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i:1"}]},
            },
        },
    });
    let (code, _) = ask(&lab, Method::POST, DEPLOYMENTS, "application/json", body).await;
    assert_eq!(code, 201);
    lab
}

#[tokio::test]
async fn a_scale_is_read_and_replaced() {
    let lab = lab().await;
    let get = lab
        .admin
        .request(Method::GET, SCALE, &[], "")
        .await
        .unwrap();
    let mut scale = json(&get);
    assert_eq!(scale["apiVersion"], "autoscaling/v1");
    assert_eq!(scale["kind"], "Scale");
    assert_eq!(scale["spec"], json!({"replicas": 2}));
    assert_eq!(
        scale["status"],
        json!({"replicas": 0, "selector": "app=web"})
    );

    scale["spec"]["replicas"] = json!(5);
    let (code, answer) = ask(&lab, Method::PUT, SCALE, "application/json", scale.clone()).await;
    assert_eq!((code, &answer["spec"]["replicas"]), (200, &json!(5)));
    let web = json(&lab.admin.request(Method::GET, WEB, &[], "").await.unwrap());
    assert_eq!(web["spec"]["replicas"], 5);
    assert_eq!(web["metadata"]["generation"], 2);
    let managers = web["metadata"]["managedFields"].as_array().unwrap();
    let scaled = managers
        .iter()
        .find(|m| m["subresource"] == "scale")
        .unwrap();
    assert_eq!(scaled["apiVersion"], "apps/v1");
    assert_eq!(scaled["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    // Of whom alone it is not known when: upstream's order has such ones first.
    let untimed = managers.iter().filter(|m| m.get("time").is_none());
    assert_eq!(untimed.collect::<Vec<_>>(), [&managers[0]]);
    assert_eq!(scaled, &managers[0]);

    // The version that it was read at is no longer the latest.
    let (code, answer) = ask(&lab, Method::PUT, SCALE, "application/json", scale).await;
    assert_eq!((code, &answer["reason"]), (409, &json!("Conflict")));
}

#[tokio::test]
async fn a_scale_is_patched_in_every_language() {
    let lab = lab().await;
    let merge = json!({"spec": {"replicas": 3}});
    for kind in ["merge-patch+json", "strategic-merge-patch+json"] {
        let kind = format!("application/{kind}");
        let (code, answer) = ask(&lab, Method::PATCH, SCALE, &kind, merge.clone()).await;
        assert_eq!(
            (code, &answer["spec"]["replicas"]),
            (200, &json!(3)),
            "{answer}"
        );
    }
    let patch = json!([{"op": "replace", "path": "/spec/replicas", "value": 0}]);
    let (code, answer) = ask(
        &lab,
        Method::PATCH,
        SCALE,
        "application/json-patch+json",
        patch,
    )
    .await;
    assert_eq!((code, &answer["spec"]), (200, &json!({})));

    let apply = json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 7},
    });
    let path = format!("{SCALE}?fieldManager=scaler");
    let yaml = "application/apply-patch+yaml";
    let (code, answer) = ask(&lab, Method::PATCH, &path, yaml, apply.clone()).await;
    assert_eq!(
        (code, &answer["reason"]),
        (409, &json!("Conflict")),
        "{answer}"
    );
    let forced = format!("{path}&force=true");
    let (code, answer) = ask(&lab, Method::PATCH, &forced, yaml, apply).await;
    assert_eq!(
        (code, &answer["spec"]["replicas"]),
        (200, &json!(7)),
        "{answer}"
    );
    let web = json(&lab.admin.request(Method::GET, WEB, &[], "").await.unwrap());
    let managers = web["metadata"]["managedFields"].as_array().unwrap();
    let scaler = managers.iter().find(|m| m["manager"] == "scaler").unwrap();
    assert_eq!(
        (&scaler["operation"], &scaler["subresource"]),
        (&json!("Apply"), &json!("scale"))
    );
}

#[tokio::test]
async fn what_is_no_scale_is_refused() {
    let lab = lab().await;
    let below = json!({"spec": {"replicas": -1}});
    let (code, answer) = ask(
        &lab,
        Method::PATCH,
        SCALE,
        "application/merge-patch+json",
        below,
    )
    .await;
    assert_eq!(code, 422);
    assert_eq!(answer["details"]["kind"], "Scale");
    assert_eq!(answer["details"]["causes"][0]["field"], "spec.replicas");
    let other = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
    let (code, _) = ask(&lab, Method::PUT, SCALE, "application/json", other).await;
    assert_eq!(code, 400);
    let scale = |change: Value| {
        let mut scale =
            json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 3}});
        scale
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        scale
    };
    let path = format!("{SCALE}?fieldManager=scaler&force=true");
    for (change, refused) in [
        (json!({"apiVersion": "apps/v1", "kind": "Deployment"}), 400),
        (json!({"metadata": {"managedFields": []}}), 400),
        (json!({"metadata": {"name": "other"}}), 400),
        (json!({"spec": {"replicas": "3"}}), 500),
        (json!({"spec": {"paused": true}}), 500),
        (json!({"spec": {"replicas": -1}}), 422),
        (json!({}), 200),
    ] {
        let yaml = "application/apply-patch+yaml";
        let (code, answer) = ask(&lab, Method::PATCH, &path, yaml, scale(change.clone())).await;
        assert_eq!(code, refused, "{change}: {answer}");
    }
    let (code, _) = ask(&lab, Method::POST, SCALE, "application/json", json!({})).await;
    assert_eq!(code, 405);
    let none = "/apis/apps/v1/namespaces/default/deployments/none/scale";
    let answer = lab.admin.request(Method::GET, none, &[], "").await.unwrap();
    assert_eq!(answer.status, 404);
}
