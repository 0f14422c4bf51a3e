//! Containers that are added to a running Pod, as `kubectl debug` adds them.

use http::Method;
use serde_json::{Value, json};

use crate::{JSON, PODS, World};

const STRATEGIC: &str = "application/strategic-merge-patch+json";

fn debugger(name: &str) -> Value {
    json!({"name": name, "image": "busybox:1"})
}

#[tokio::test]
async fn a_debugger_is_added_and_stays() {
    let world = World::new().await;
    world.pod("web", "n").await;
    let path = format!("{PODS}/web/ephemeralcontainers");
    assert_eq!(world.get(&path).await["spec"]["nodeName"], "n");

    let patch = json!({
        "metadata": {"labels": {"app": "other"}},
        "spec": {"containers": [{"name": "main", "image": "i:2"}], "ephemeralContainers": [debugger("look")]},
    });
    let (code, pod) = world.ask(Method::PATCH, &path, STRATEGIC, patch).await;
    assert_eq!(code, 200, "{pod}");
    let added = &pod["spec"]["ephemeralContainers"];
    assert_eq!(added[0]["terminationMessagePolicy"], "File");
    assert_eq!(pod["spec"]["containers"][0]["image"], "i:1");
    assert_eq!(pod["metadata"]["labels"], json!({"app": "web"}));
    assert_eq!(pod["metadata"]["generation"], 2);
    let managers = pod["metadata"]["managedFields"].as_array().unwrap();
    let ours = managers
        .iter()
        .find(|m| m["subresource"] == "ephemeralcontainers")
        .unwrap();
    let spec = ours["fieldsV1"]["f:spec"].as_object().unwrap();
    assert_eq!(spec.keys().collect::<Vec<_>>(), ["f:ephemeralContainers"]);
    assert_eq!(ours["fieldsV1"].get("f:metadata"), None);

    // One more by a PUT; the first one may not go, nor change.
    let mut more = pod.clone();
    let list = more["spec"]["ephemeralContainers"].as_array_mut().unwrap();
    list.push(debugger("more"));
    let (code, pod) = world.ask(Method::PUT, &path, JSON, more.clone()).await;
    assert_eq!(
        (code, &pod["spec"]["ephemeralContainers"][1]["name"]),
        (200, &json!("more"))
    );
    let mut fewer = pod.clone();
    fewer["spec"]["ephemeralContainers"]
        .as_array_mut()
        .unwrap()
        .remove(0);
    let (code, told) = world.ask(Method::PUT, &path, JSON, fewer).await;
    let why = "Pod \"web\" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers \"look\" may not be removed\n";
    assert_eq!((code, &told["message"]), (422, &json!(why)));
    let (code, told) = world.ask(Method::PUT, &path, JSON, more).await;
    assert_eq!((code, &told["reason"]), (409, &json!("Conflict")));

    // The Pod itself takes none.
    let here = json!({"spec": {"ephemeralContainers": [debugger("other")]}});
    let (code, _) = world
        .ask(Method::PATCH, &format!("{PODS}/web"), STRATEGIC, here)
        .await;
    assert_eq!(code, 422);
}

#[tokio::test]
async fn an_apply_owns_its_debugger_alone() {
    let world = World::new().await;
    world.pod("web", "").await;
    let path = format!("{PODS}/web/ephemeralcontainers?fieldManager=me");
    let config = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "other"}},
        "spec": {"containers": [{"name": "main", "image": "i:2"}], "ephemeralContainers": [debugger("look")]},
    });
    let apply = "application/apply-patch+yaml";
    let (code, pod) = world.ask(Method::PATCH, &path, apply, config.clone()).await;
    assert_eq!(code, 200, "{pod}");
    assert_eq!(pod["metadata"]["labels"], json!({"app": "web"}));
    let managers = pod["metadata"]["managedFields"].as_array().unwrap();
    let ours = managers.iter().find(|m| m["manager"] == "me").unwrap();
    let item = json!({".": {}, "f:image": {}, "f:name": {}});
    let expected = json!({"f:spec": {"f:ephemeralContainers": {"k:{\"name\":\"look\"}": item}}});
    assert_eq!(ours["fieldsV1"], expected);
    let (code, again) = world.ask(Method::PATCH, &path, apply, config).await;
    assert_eq!(code, 200);
    assert_eq!(
        again["metadata"]["resourceVersion"],
        pod["metadata"]["resourceVersion"]
    );
}
