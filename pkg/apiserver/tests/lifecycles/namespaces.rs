//! Namespaces: labels, status and finalizers, each by its own way in.

use serde_json::json;

use crate::support::Lab;
use crate::typed::{MERGE, STRATEGIC, Typed};

#[tokio::test]
async fn a_namespace_is_labelled_judged_and_held() {
    let lab = Lab::start().await;
    let namespaces = Typed::new(&lab.admin, "v1", "Namespace", "namespaces");
    let made = json!({"metadata": {"name": "shop-1234", "labels": {"run": "one", "of": "shop"}},
        "spec": {}, "status": {"phase": ""}});
    let made = namespaces.create(&made).await.unwrap();
    assert_eq!(made["status"]["phase"], "Active");
    assert_eq!(
        made["metadata"]["labels"]["kubernetes.io/metadata.name"],
        "shop-1234"
    );

    let label = json!({"metadata": {"labels": {"patched": "yes"}}});
    namespaces
        .patch("shop-1234", STRATEGIC, &label)
        .await
        .unwrap();
    let mut namespace = namespaces.get("shop-1234").await.unwrap();
    assert_eq!(namespace["metadata"]["labels"]["patched"], "yes");
    namespace["metadata"]["labels"]["shop-1234"] = "updated".into();
    let namespace = namespaces.update(&namespace, "").await.unwrap();
    assert_eq!(namespace["metadata"]["labels"]["shop-1234"], "updated");

    // As Go writes a condition whose time nobody set.
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": "Tried", "message": "by a test", "lastTransitionTime": null});
    let patch = json!({
        "metadata": {"annotations": {"patched": "status"}},
        "status": {"conditions": [condition("StatusPatch")]},
    });
    let mut judged = namespaces
        .patch("shop-1234/status", MERGE, &patch)
        .await
        .unwrap();
    assert_eq!(judged["metadata"]["annotations"]["patched"], "status");
    assert_eq!(judged["status"]["conditions"][0]["message"], "by a test");
    assert_eq!(judged["status"]["phase"], "Active");
    let conditions = judged["status"]["conditions"].as_array_mut().unwrap();
    conditions.push(condition("StatusUpdate"));
    let judged = namespaces.update(&judged, "/status").await.unwrap();
    assert_eq!(judged["status"]["conditions"][1]["type"], "StatusUpdate");

    let mut held = judged;
    held["spec"]["finalizers"] = json!(["kubernetes", "example.com/tried"]);
    let mut held = namespaces.update(&held, "/finalize").await.unwrap();
    assert_eq!(
        held["spec"]["finalizers"],
        json!(["kubernetes", "example.com/tried"])
    );
    held["spec"]["finalizers"] = json!(["kubernetes"]);
    let freed = namespaces.update(&held, "/finalize").await.unwrap();
    assert_eq!(freed["spec"]["finalizers"], json!(["kubernetes"]));
    let deleted = namespaces.delete("shop-1234", json!({})).await.unwrap();
    assert_eq!(deleted["status"]["phase"], "Terminating");
}
