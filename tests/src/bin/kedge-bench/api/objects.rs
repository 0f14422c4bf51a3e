//! What is written: objects of the size that they have in clusters.

use http::Method;
use kedge_tests::connection::Ask;
use serde_json::{Value, json};

pub const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";
pub const SERVICES: &str = "/api/v1/namespaces/default/services";
pub const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

/// 1 KiB of data.
pub fn configmap(index: usize) -> String {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": format!("map-{index}"), "labels": {"bench": "api"}},
        "data": {"settings": "key=value\n".repeat(102)},
    })
    .to_string()
}

/// Without a selector: its slice is ours, not a controller's.
pub fn service(index: usize) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("svc-{index}"), "labels": {"app": format!("svc-{index}"), "bench": "api"}},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"}]},
    })
    .to_string()
}

/// Three endpoints of the Service of the same number.
pub fn slice(index: usize) -> String {
    let endpoint = |n: usize| {
        json!({
            "addresses": [format!("10.42.{}.{}", 1 + index / 80 % 250, index % 80 * 3 + n)],
            "conditions": {"ready": true, "serving": true, "terminating": false},
            "nodeName": "node",
        })
    };
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": format!("svc-{index}-x"), "labels": {"kubernetes.io/service-name": format!("svc-{index}")}},
        "addressType": "IPv4",
        "endpoints": [endpoint(1), endpoint(2), endpoint(3)],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}],
    })
    .to_string()
}

type Patch = fn(usize, usize) -> Ask;

/// Changes of one label of a Service, in three languages; of the Service of a number, to a value.
pub const PATCHES: [(&str, Patch); 3] = [
    ("merge patches of Services", |of, to| {
        let body = json!({"metadata": {"labels": {"turn": format!("m{to}")}}});
        patch(of, "", &body).typed("application/merge-patch+json")
    }),
    ("strategic merge patches of Services", |of, to| {
        let body = json!({"metadata": {"labels": {"turn": format!("s{to}")}}});
        patch(of, "", &body).typed("application/strategic-merge-patch+json")
    }),
    ("server-side applies of Services", |of, to| {
        let body = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": format!("svc-{of}"), "labels": {"applied": format!("a{to}")}},
        });
        patch(of, "?fieldManager=bench", &body).typed("application/apply-patch+yaml")
    }),
];

fn patch(of: usize, query: &str, body: &Value) -> Ask {
    let path = format!("{SERVICES}/svc-{of}{query}");
    Ask::json(Method::PATCH, path, body.to_string())
}
