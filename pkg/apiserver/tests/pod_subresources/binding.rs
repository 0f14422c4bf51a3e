//! Bindings of Pods to nodes.

use serde_json::{Value, json};

use crate::{PODS, World, success};

const BINDINGS: &str = "/api/v1/namespaces/default/bindings";

fn binding(name: &str, to: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": to})
}

impl World {
    async fn bind(&self, path: &str, binding: Value) -> (u16, String) {
        let (code, told) = self.post(path, binding).await;
        if code == 201 {
            assert_eq!(told, success());
            return (code, String::new());
        }
        (code, told["message"].as_str().unwrap().to_string())
    }
}

#[tokio::test]
async fn a_pod_gets_its_node() {
    let world = World::new().await;
    let zone = json!({"topology.kubernetes.io/zone": "z", "other": "o"});
    let node = json!({"metadata": {"name": "n", "labels": zone}});
    assert_eq!(world.post("/api/v1/nodes", node).await.0, 201);
    let made = world.pod("web", "").await;
    let path = format!("{PODS}/web");
    world.report(&path, json!({"nominatedNodeName": "m"})).await;
    let mut to_n = binding("web", json!({"kind": "Node", "name": "n"}));
    to_n["metadata"]["annotations"] = json!({"by": "me"});
    let at = format!("{path}/binding");
    assert_eq!(
        world
            .bind(&format!("{at}?dryRun=All"), to_n.clone())
            .await
            .0,
        201
    );
    assert_eq!(world.get(&path).await["spec"].get("nodeName"), None);

    to_n["metadata"]["uid"] = "another".into();
    let (code, told) = world.bind(&at, to_n.clone()).await;
    assert_eq!(code, 409);
    assert!(
        told.contains("Precondition failed: UID in precondition: another, "),
        "{told}"
    );
    to_n["metadata"]["uid"] = made["metadata"]["uid"].clone();
    assert_eq!(world.bind(&at, to_n.clone()).await.0, 201);

    let pod = world.get(&path).await;
    assert_eq!(pod["spec"]["nodeName"], "n");
    assert_eq!(pod["metadata"]["generation"], 1);
    assert_eq!(pod["metadata"]["annotations"], json!({"by": "me"}));
    let labels = json!({"app": "web", "topology.kubernetes.io/zone": "z"});
    assert_eq!(pod["metadata"]["labels"], labels);
    assert_eq!(pod["status"].get("nominatedNodeName"), None);
    let condition = &pod["status"]["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["status"]),
        (&json!("PodScheduled"), &json!("True"))
    );

    let told = world.bind(&at, to_n).await;
    let why = "Operation cannot be fulfilled on pods/binding \"web\": pod web is already assigned to node \"n\"";
    assert_eq!(told, (409, why.into()));
}

#[tokio::test]
async fn the_older_resource_names_its_pod_itself() {
    let world = World::new().await;
    world.pod("web", "").await;
    let to_n = binding("web", json!({"name": "n"}));
    assert_eq!(world.bind(BINDINGS, to_n).await.0, 201);
    assert_eq!(
        world.get(&format!("{PODS}/web")).await["spec"]["nodeName"],
        "n"
    );
    let none = world
        .bind(BINDINGS, binding("none", json!({"name": "n"})))
        .await;
    assert_eq!(none, (404, "pods \"none\" not found".into()));
    let nameless = world
        .bind(BINDINGS, binding("", json!({"name": "n"})))
        .await;
    assert_eq!(nameless, (400, "Name parameter required.".into()));
    assert_eq!(world.get(BINDINGS).await["code"], 405);
}

#[tokio::test]
async fn what_is_bound_to_nothing_is_told() {
    let world = World::new().await;
    let mut gated = crate::pod("web");
    gated["spec"]["schedulingGates"] = json!([{"name": "wait"}]);
    assert_eq!(world.post(PODS, gated).await.0, 201);
    let at = format!("{PODS}/web/binding");
    let to_n = json!({"kind": "Node", "name": "n"});
    let why = "Operation cannot be fulfilled on pods/binding \"web\": pod web has non-empty .spec.schedulingGates";
    assert_eq!(
        world.bind(&at, binding("web", to_n.clone())).await,
        (409, why.into())
    );
    let why = "name in URL does not match name in Binding object";
    assert_eq!(
        world.bind(&at, binding("other", to_n)).await,
        (400, why.into())
    );
    let why = "[target.kind: Unsupported value: \"Pod\": supported values: \"Node\", \"<empty>\", target.name: Required value]";
    assert_eq!(
        world
            .bind(&at, binding("web", json!({"kind": "Pod"})))
            .await,
        (500, why.into())
    );
}
