//! A cluster of two nodes, seen by one of them.

use http::Method;
use kedge_client::http::{HttpClient, Response};
use serde_json::{Value, json};

use super::{Lab, json};

pub const PODS: &str = "/api/v1/namespaces/default/pods";

pub struct World {
    pub lab: Lab,
    pub node: HttpClient,
}

pub async fn send(client: &HttpClient, method: Method, path: &str, body: Value) -> Response {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let kind = if method == Method::PATCH {
        "application/merge-patch+json"
    } else {
        "application/json"
    };
    client
        .request(method, path, &[("content-type", kind)], body)
        .await
        .unwrap()
}

pub fn pod(name: &str, node: &str, more: Value) -> Value {
    let mut pod = json!({
        "metadata": {"name": name},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]},
    });
    let spec = pod["spec"].as_object_mut().unwrap();
    spec.extend(more.as_object().unwrap().clone());
    pod
}

impl World {
    /// Node `n1` runs the Pod `own`, which names a Secret, a ConfigMap and an account; `n2` runs `other`.
    pub async fn start() -> Self {
        let lab = Lab::start().await;
        let node = lab.user("system:node:n1", "system:nodes");
        let world = Self { lab, node };
        for (path, body) in [
            ("/api/v1/nodes", json!({"metadata": {"name": "n1"}})),
            ("/api/v1/nodes", json!({"metadata": {"name": "n2"}})),
            (
                "/api/v1/namespaces/default/serviceaccounts",
                json!({"metadata": {"name": "robot"}}),
            ),
            (
                "/api/v1/namespaces/default/serviceaccounts",
                json!({"metadata": {"name": "android"}}),
            ),
            (
                "/api/v1/namespaces/default/secrets",
                json!({"metadata": {"name": "mine"}}),
            ),
            (
                "/api/v1/namespaces/default/secrets",
                json!({"metadata": {"name": "theirs"}}),
            ),
            (
                "/api/v1/namespaces/default/configmaps",
                json!({"metadata": {"name": "mine"}}),
            ),
            (
                PODS,
                pod(
                    "own",
                    "n1",
                    json!({
                        "serviceAccountName": "robot",
                        "volumes": [
                            {"name": "s", "secret": {"secretName": "mine"}}, {"name": "c", "configMap": {"name": "mine"}},
                        ],
                    }),
                ),
            ),
            (
                PODS,
                pod(
                    "other",
                    "n2",
                    json!({"volumes": [{"name": "s", "secret": {"secretName": "theirs"}}]}),
                ),
            ),
        ] {
            let made = send(&world.lab.admin, Method::POST, path, body).await;
            assert_eq!(made.status, 201, "{}", json(&made));
        }
        world
    }

    pub async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let answer = send(&self.node, method, path, body).await;
        (answer.status.as_u16(), json(&answer))
    }

    pub async fn get(&self, path: &str) -> u16 {
        self.ask(Method::GET, path, Value::Null).await.0
    }

    pub async fn refused(&self, method: Method, path: &str, body: Value, why: &str) {
        let (code, answer) = self.ask(method, path, body).await;
        let text = answer["message"].as_str().unwrap_or_default();
        assert!(code == 403 && text.ends_with(why), "{path}: {code} {text}");
    }

    pub async fn uid(&self, path: &str) -> Value {
        let object = send(&self.lab.admin, Method::GET, path, Value::Null).await;
        json(&object)["metadata"]["uid"].clone()
    }
}
