//! Resources of a running Pod.

use http::Method;
use serde_json::{Value, json};

use crate::{JSON, PODS, World};

const STRATEGIC: &str = "application/strategic-merge-patch+json";

fn sized(cpu: &str) -> Value {
    let small = json!({"requests": {"cpu": cpu}});
    json!({"spec": {"containers": [{"name": "main", "resources": small}]}})
}

#[tokio::test]
async fn a_pod_is_resized() {
    let world = World::new().await;
    let mut pod = crate::pod("web");
    pod["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "1"}});
    assert_eq!(world.post(PODS, pod).await.0, 201);
    let path = format!("{PODS}/web/resize");

    let mut patch = sized("2");
    patch["spec"]["containers"][0]["image"] = "i:2".into();
    patch["metadata"] = json!({"annotations": {"a": "1"}});
    let (code, pod) = world.ask(Method::PATCH, &path, STRATEGIC, patch).await;
    assert_eq!(code, 200, "{pod}");
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["resources"], json!({"requests": {"cpu": "2"}}));
    assert_eq!(container["image"], "i:1");
    assert_eq!(pod["metadata"].get("annotations"), None);
    assert_eq!(pod["metadata"]["generation"], 2);
    let managers = pod["metadata"]["managedFields"].as_array().unwrap();
    let ours = managers
        .iter()
        .find(|m| m["subresource"] == "resize")
        .unwrap();
    let key = "k:{\"name\":\"main\"}";
    let owned = &ours["fieldsV1"]["f:spec"]["f:containers"][key];
    assert_eq!(
        owned,
        &json!({"f:resources": {"f:requests": {"f:cpu": {}}}})
    );

    let trial = format!("{path}?dryRun=All");
    let (code, told) = world
        .ask(Method::PATCH, &trial, STRATEGIC, sized("3"))
        .await;
    assert_eq!((code, &told["metadata"]["generation"]), (200, &json!(3)));
    let mut whole = world.get(&path).await;
    assert_eq!(whole["metadata"]["generation"], 2);
    whole["spec"]["containers"][0]["resources"] = json!({});
    let (code, told) = world.ask(Method::PUT, &path, JSON, whole).await;
    let why = "Pod \"web\" is invalid: [spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing, \
        spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed]";
    assert_eq!((code, &told["message"]), (422, &json!(why)));

    // The Pod itself is not resized.
    let (code, _) = world
        .ask(Method::PATCH, &format!("{PODS}/web"), STRATEGIC, sized("3"))
        .await;
    assert_eq!(code, 422);
}

#[tokio::test]
async fn an_apply_owns_its_sizes_alone() {
    let world = World::new().await;
    let mut pod = crate::pod("web");
    pod["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "1"}});
    assert_eq!(world.post(PODS, pod).await.0, 201);
    let path = format!("{PODS}/web/resize?fieldManager=me&force=true");
    let mut config = sized("2");
    config["apiVersion"] = "v1".into();
    config["kind"] = "Pod".into();
    config["metadata"] = json!({"name": "web"});
    config["spec"]["containers"][0]["image"] = "i:2".into();
    let apply = "application/apply-patch+yaml";
    let (code, pod) = world.ask(Method::PATCH, &path, apply, config).await;
    assert_eq!(code, 200, "{pod}");
    let container = &pod["spec"]["containers"][0];
    assert_eq!(
        (
            &container["image"],
            &container["resources"]["requests"]["cpu"]
        ),
        (&json!("i:1"), &json!("2"))
    );
    let managers = pod["metadata"]["managedFields"].as_array().unwrap();
    let ours = managers.iter().find(|m| m["manager"] == "me").unwrap();
    let item = &ours["fieldsV1"]["f:spec"]["f:containers"]["k:{\"name\":\"main\"}"];
    assert_eq!(item.get("f:image"), None);
    assert_eq!(item["f:resources"], json!({"f:requests": {"f:cpu": {}}}));
}
