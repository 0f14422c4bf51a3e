//! Schemas against objects that kube-apiserver 1.36 answered with (`data/objects.json`; what varies from one server to the next stands
//! in angle brackets).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use kedge_api::Catalog;
use serde_json::{Value, json};

const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";

#[test]
fn what_upstream_answers_is_of_the_schemas() {
    let catalog = Catalog::builtin();
    let objects: Vec<Value> = serde_json::from_str(include_str!("data/objects.json")).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for mut object in objects {
        let kind = object["kind"].as_str().unwrap().to_string();
        let api_version = object["apiVersion"].as_str().unwrap();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let schema = match catalog.find_kind(group, version, &kind) {
            Some(kind) => catalog.schema(kind),
            None => &catalog.definitions().0[STATUS],
        };
        // Node ports are numbers, except in a recording.
        for port in object
            .pointer_mut("/spec/ports")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if port["nodePort"].is_string() {
                port["nodePort"] = json!(30000);
            }
        }
        if let Some(port) = object.pointer_mut("/spec/healthCheckNodePort") {
            *port = json!(30001);
        }
        let found = support::problems(catalog.definitions(), schema, &object);
        assert!(found.is_empty(), "{kind}: {found:?}");
        kinds.insert(kind);
    }
    assert_eq!(kinds.len(), 9);
}

#[test]
fn what_is_not_of_a_schema_is_found() {
    let catalog = Catalog::builtin();
    let schema = catalog.schema(catalog.find("", "v1", "services").unwrap());
    let service = json!({ "spec": { "ports": [{ "prot": 80 }], "type": 7, "clusterIP": "None" } });
    let mut found = support::problems(catalog.definitions(), schema, &service);
    found.sort();
    assert_eq!(
        found,
        [
            ".spec.ports[0].port is absent",
            ".spec.ports[0].prot is unknown",
            ".spec.type: 7 is no String"
        ]
    );
}
