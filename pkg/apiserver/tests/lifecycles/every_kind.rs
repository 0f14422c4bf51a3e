//! Every kind through all of its verbs, in the words of Go's typed clients.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::kinds::{Row, rows};
use crate::support::Lab;
use crate::typed::{MERGE, STRATEGIC, Typed};

fn client(lab: &Lab, row: &Row) -> Typed {
    let resource = match row.namespaced {
        true => format!("namespaces/default/{}", row.plural),
        false => row.plural.into(),
    };
    Typed::new(&lab.admin, row.api_version, row.kind, &resource)
}

fn named(row: &Row, name: &str) -> Value {
    let mut object = row.object.clone();
    object["metadata"] = json!({"name": name, "labels": {"tried": "yes"}});
    object
}

fn version(object: &Value) -> u64 {
    let text = object["metadata"]["resourceVersion"].as_str().unwrap();
    text.parse().unwrap()
}

fn annotated(key: &str) -> Value {
    json!({"metadata": {"annotations": {key: "true"}}})
}

#[tokio::test]
async fn every_kind_is_made_read_changed_and_deleted() {
    let lab = Arc::new(Lab::start().await);
    let tried: Vec<_> = rows()
        .into_iter()
        .map(|row| (row.kind, tokio::spawn(life(Arc::clone(&lab), row))))
        .collect();
    let mut failed = Vec::new();
    for (kind, life) in tried {
        if life.await.is_err() {
            failed.push(kind);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

async fn life(lab: Arc<Lab>, row: Row) {
    let all = client(&lab, &row);
    let kind = row.kind;
    let made = all.create(&named(&row, "tried-a")).await;
    let made = made.unwrap_or_else(|refused| panic!("{kind}: {refused:?}"));
    assert!(version(&made) > 0, "{kind}");
    let again = all.create(&named(&row, "tried-a")).await.unwrap_err();
    assert_eq!(
        (again.0, &again.1["reason"]),
        (409, &json!("AlreadyExists")),
        "{kind}"
    );
    let got = all.get("tried-a").await.unwrap();
    assert_eq!(got, made, "{kind}");
    holds(&got, &row.object, kind);
    all.create(&named(&row, "tried-b")).await.unwrap();

    let list = all.list("labelSelector=tried%3Dyes").await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "{kind}");
    assert_eq!(list["items"][0], got, "{kind}");
    let everywhere = Typed::new(&lab.admin, row.api_version, kind, row.plural);
    assert_eq!(
        everywhere.names("labelSelector=tried%3Dyes").await.len(),
        2,
        "{kind}"
    );

    let from = list["metadata"]["resourceVersion"].as_str().unwrap();
    let mut events = all
        .watch(&format!("resourceVersion={from}&labelSelector=tried%3Dyes"))
        .await;
    change(&all, &row).await;
    let parts = if row.status.is_null() { 3 } else { 5 };
    let mut last = version(&made);
    for _ in 0..parts {
        let (event, object) = events.next().await;
        assert_eq!(
            (event.as_str(), &object["metadata"]["name"]),
            ("MODIFIED", &json!("tried-a")),
            "{kind}"
        );
        assert!(version(&object) > last, "{kind}");
        last = version(&object);
    }
    remove(&all, kind).await;
    for name in ["tried-a", "tried-b"] {
        let (event, object) = events.next().await;
        assert_eq!(
            (event.as_str(), &object["metadata"]["name"]),
            ("DELETED", &json!(name)),
            "{kind}"
        );
    }
}

/// A label by a strategic patch, an annotation by a merge patch, another by an update; then the same of its status.
async fn change(all: &Typed, row: &Row) {
    let kind = row.kind;
    let label = json!({"metadata": {"labels": {"patched": "yes"}}});
    let patched = all.patch("tried-a", STRATEGIC, &label).await;
    let patched = patched.unwrap_or_else(|refused| panic!("{kind}: {refused:?}"));
    assert_eq!(patched["metadata"]["labels"]["patched"], "yes", "{kind}");
    let patched = all
        .patch("tried-a", MERGE, &annotated("patched"))
        .await
        .unwrap();
    let mut update = patched.clone();
    update["metadata"]["annotations"]["updated"] = "true".into();
    let updated = all.update(&update, "").await;
    let updated = updated.unwrap_or_else(|refused| panic!("{kind}: {refused:?}"));
    for key in ["patched", "updated"] {
        assert_eq!(updated["metadata"]["annotations"][key], "true", "{kind}");
    }
    let stale = all.update(&patched, "").await.unwrap_err();
    assert_eq!(
        (stale.0, &stale.1["reason"]),
        (409, &json!("Conflict")),
        "{kind}"
    );
    if row.status.is_null() {
        return;
    }
    let mut patch = annotated("patchedstatus");
    patch["status"] = row.status.clone();
    let patched = all.patch("tried-a/status", MERGE, &patch).await;
    let mut patched = patched.unwrap_or_else(|refused| panic!("{kind}: {refused:?}"));
    assert_eq!(
        patched["metadata"]["annotations"]["patchedstatus"], "true",
        "{kind}"
    );
    holds(&patched["status"], &row.status, kind);
    patched["metadata"]["annotations"]["updatedstatus"] = "true".into();
    let updated = all.update(&patched, "/status").await;
    let updated = updated.unwrap_or_else(|refused| panic!("{kind}: {refused:?}"));
    holds(&updated["status"], &row.status, kind);
    assert_eq!(all.get("tried-a/status").await.unwrap(), updated, "{kind}");
}

/// Everything of `part` stands in `whole`.
fn holds(whole: &Value, part: &Value, kind: &str) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (key, value) in part {
                holds(whole.get(key).unwrap_or(&Value::Null), value, kind);
            }
        }
        (Value::Array(whole), Value::Array(part)) => {
            for (whole, part) in whole.iter().zip(part) {
                holds(whole, part, kind);
            }
        }
        // Zeros may be left out.
        (Value::Null, part) if *part == 0 || part == "" => {}
        _ => assert_eq!(whole, part, "{kind}"),
    }
}

async fn remove(all: &Typed, kind: &str) {
    let uid = all.get("tried-a").await.unwrap()["metadata"]["uid"].clone();
    let of = |uid: Value| json!({"propagationPolicy": "Background", "preconditions": {"uid": uid}, "gracePeriodSeconds": 0});
    let refused = all.delete("tried-a", of("other".into())).await.unwrap_err();
    assert_eq!(refused.0, 409, "{kind}");
    let mut tried = of(uid.clone());
    tried["dryRun"] = "All".into();
    all.delete("tried-a", tried).await.unwrap();
    let deleted = all.delete("tried-a", of(uid)).await;
    deleted.unwrap_or_else(|refused| panic!("{kind}: {refused:?}"));
    assert_eq!(all.get("tried-a").await.unwrap_err().0, 404, "{kind}");
    assert_eq!(
        all.names("labelSelector=tried%3Dyes").await,
        ["tried-b"],
        "{kind}"
    );
    let query = "labelSelector=tried%3Dyes";
    // Left out, Jobs would stay for the garbage collector to set their Pods free.
    let background = json!({"propagationPolicy": "Background"});
    all.delete_collection(query, background).await.unwrap();
    assert!(all.names(query).await.is_empty(), "{kind}");
}

#[tokio::test]
async fn what_is_scaled_is_scaled_in_protobuf_too() {
    let lab = Lab::start().await;
    for row in rows() {
        if !matches!(row.kind, "Deployment" | "ReplicaSet" | "StatefulSet") {
            continue;
        }
        let all = client(&lab, &row);
        let made = all.create(&named(&row, "tried")).await.unwrap();
        let scales = Typed::new(&lab.admin, "autoscaling/v1", "Scale", "");
        let scales = scales.at(&all.path);
        let mut scale = scales.get("tried/scale").await.unwrap();
        assert_eq!(scale["kind"], "Scale");
        assert_eq!(scale["metadata"]["uid"], made["metadata"]["uid"]);
        scale["spec"]["replicas"] = 2.into();
        let scale = scales.update(&scale, "/scale").await.unwrap();
        assert_eq!(scale["spec"]["replicas"], 2);
        let patch = json!({"spec": {"replicas": 4}});
        let scale = scales.patch("tried/scale", MERGE, &patch).await.unwrap();
        assert_eq!(scale["spec"]["replicas"], 4);
        let now = all.get("tried").await.unwrap();
        assert_eq!(now["spec"]["replicas"], 4);
        assert!(version(&now) > version(&made));
    }
}

/// Upstream's suite begins by this list.
#[tokio::test]
async fn nodes_that_take_pods_are_listed_from_any_version() {
    let lab = Lab::start().await;
    let nodes = Typed::new(&lab.admin, "v1", "Node", "nodes");
    for (name, cordoned) in [("free", false), ("cordoned", true)] {
        let node = json!({"metadata": {"name": name}, "spec": {"unschedulable": cordoned}});
        nodes.create(&node).await.unwrap();
    }
    let query = "resourceVersion=0&fieldSelector=spec.unschedulable%3Dfalse";
    assert_eq!(nodes.names(query).await, ["free"]);
}
