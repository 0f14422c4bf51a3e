//! What stands below a Pod, as drains, schedulers and `kubectl debug` use it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod binding;
mod ephemeral;
mod eviction;
mod resize;
#[path = "../support/mod.rs"]
mod support;

use http::Method;
use serde_json::{Value, json};
use support::{Lab, json};

pub const PODS: &str = "/api/v1/namespaces/default/pods";
pub const JSON: &str = "application/json";

pub struct World {
    pub lab: Lab,
}

impl World {
    pub async fn new() -> Self {
        Self {
            lab: Lab::start().await,
        }
    }

    pub async fn ask(&self, method: Method, path: &str, kind: &str, body: Value) -> (u16, Value) {
        let headers = [("content-type", kind)];
        let asked = self
            .lab
            .admin
            .request(method, path, &headers, body.to_string());
        let answer = asked.await.unwrap();
        (answer.status.as_u16(), json(&answer))
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, JSON, body).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.lab.admin.request(Method::GET, path, &[], "");
        json(&answer.await.unwrap())
    }

    /// A Pod with one container, on a node when one is named.
    pub async fn pod(&self, name: &str, node: &str) -> Value {
        let mut pod = pod(name);
        if !node.is_empty() {
            pod["spec"]["nodeName"] = node.into();
        }
        let (code, made) = self.post(PODS, pod).await;
        assert_eq!(code, 201, "{made}");
        made
    }

    /// What the status of an object at a path is from now on.
    pub async fn report(&self, path: &str, status: Value) {
        let path = format!("{path}/status");
        let body = json!({"status": status});
        let kind = "application/merge-patch+json";
        let (code, told) = self.ask(Method::PATCH, &path, kind, body).await;
        assert_eq!(code, 200, "{told}");
    }
}

pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "i:1"}]},
    })
}

pub fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}

/// Verbs that discovery tells of each part.
#[tokio::test]
async fn discovery_tells_of_them() {
    let world = World::new().await;
    let core = world.get("/api/v1").await;
    let resources = core["resources"].as_array().unwrap();
    let below = |resource: &&Value| {
        let name = resource["name"].as_str().unwrap();
        name.starts_with("pods/") || name == "bindings"
    };
    let told: Vec<&Value> = resources.iter().filter(below).collect();
    let part = |name: &str, kind: &str, verbs: &[&str]| json!({"name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": verbs});
    let all = ["get", "patch", "update"];
    let mut expected = [
        part("bindings", "Binding", &["create"]),
        part("pods/binding", "Binding", &["create"]),
        part("pods/ephemeralcontainers", "Pod", &all),
        part("pods/eviction", "Eviction", &["create"]),
        part("pods/resize", "Pod", &all),
        part("pods/status", "Pod", &all),
    ];
    expected[0]["singularName"] = "binding".into();
    expected[3]["group"] = "policy".into();
    expected[3]["version"] = "v1".into();
    assert_eq!(told, expected.iter().collect::<Vec<_>>());
}
