use super::*;

fn v3(path: &str) -> Value {
    serde_json::from_slice(&v3_document(&Catalog::builtin(), path).unwrap()).unwrap()
}

/// Every `$ref` in a document.
fn all_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                found.insert(reference.to_string());
            }
            map.values().for_each(|v| all_references(v, found));
        }
        Value::Array(list) => list.iter().for_each(|v| all_references(v, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let v2: Value = serde_json::from_slice(&v2_document(&Catalog::builtin())).unwrap();
    for document in [v3("api/v1"), v3("apis/discovery.k8s.io/v1"), v2] {
        let mut found = BTreeSet::new();
        all_references(&document, &mut found);
        assert!(found.len() > 10);
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}

#[test]
fn a_field_has_what_patches_and_explain_need() {
    let document = v3("api/v1");
    let spec = &document["components"]["schemas"]["io.k8s.api.core.v1.ServiceSpec"]["properties"];
    assert_eq!(spec["ports"]["x-kubernetes-patch-merge-key"], "port");
    assert_eq!(spec["ports"]["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(spec["ports"]["x-kubernetes-list-type"], "map");
    assert_eq!(
        spec["ports"]["x-kubernetes-list-map-keys"],
        json!(["port", "protocol"])
    );
    assert_eq!(spec["selector"]["x-kubernetes-map-type"], "atomic");
    assert!(spec["clusterIP"]["description"].as_str().unwrap().len() > 100);
    let service = &document["components"]["schemas"]["io.k8s.api.core.v1.Service"];
    assert_eq!(
        service["x-kubernetes-group-version-kind"],
        json!([{ "group": "", "version": "v1", "kind": "Service" }])
    );
    assert_eq!(
        service["properties"]["spec"]["allOf"][0]["$ref"],
        "#/components/schemas/io.k8s.api.core.v1.ServiceSpec"
    );
}

#[test]
fn kubectl_finds_field_validation_and_dry_run() {
    for (path, item) in v3("api/v1")["paths"].as_object().unwrap() {
        let Some(patch) = item.get("patch") else {
            continue;
        };
        assert!(
            patch["x-kubernetes-group-version-kind"].is_object(),
            "{path}"
        );
        let names: Vec<_> = patch["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["name"].as_str().unwrap())
            .collect();
        for name in ["dryRun", "fieldManager", "fieldValidation", "force"] {
            assert!(names.contains(&name), "{path} {name}");
        }
    }
}

#[test]
fn paths_follow_scope_and_verbs() {
    let document = v3("api/v1");
    let methods = |path: &str| {
        let item = document["paths"][path]
            .as_object()
            .cloned()
            .unwrap_or_default();
        item.keys()
            .filter(|k| *k != "parameters")
            .cloned()
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(methods("/api/v1/services"), "get");
    assert_eq!(
        methods("/api/v1/namespaces/{namespace}/services/{name}"),
        "delete,get,patch,put"
    );
    assert_eq!(
        methods("/api/v1/namespaces/{namespace}/services/{name}/status"),
        "get,patch,put"
    );
    assert_eq!(methods("/api/v1/namespaces"), "get,post");
    assert_eq!(methods("/api/v1/namespaces/{name}/finalize"), "put");
    assert_eq!(methods("/api/v1/nodes"), "delete,get,post");
    assert_eq!(methods("/api/v1/namespaces/{namespace}/nodes"), "");
}

#[test]
fn operation_ids_are_unique_and_named_as_clients_know_them() {
    let document: Value = serde_json::from_slice(&v2_document(&Catalog::builtin())).unwrap();
    let mut ids = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values().filter(|v| v.is_object()) {
            let id = operation["operationId"].as_str().unwrap().to_string();
            assert!(ids.insert(id.clone()), "{id} twice");
        }
    }
    for id in [
        "createCoreV1NamespacedService",
        "listCoreV1ServiceForAllNamespaces",
        "replaceCoreV1NamespacedServiceStatus",
        "readCoreV1Node",
        "deleteDiscoveryV1CollectionNamespacedEndpointSlice",
    ] {
        assert!(ids.contains(id), "{id}");
    }
}

#[test]
fn the_index_names_each_document_with_a_hash_of_it() {
    let index = |catalog: &Catalog| serde_json::from_slice::<Value>(&v3_index(catalog)).unwrap();
    let builtin = Catalog::builtin();
    let first = index(&builtin);
    assert_eq!(first, index(&Catalog::builtin()));
    let url = first["paths"]["apis/discovery.k8s.io/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    assert!(
        url.starts_with("/openapi/v3/apis/discovery.k8s.io/v1?hash="),
        "{url}"
    );
    for path in first["paths"].as_object().unwrap().keys() {
        assert!(v3_document(&builtin, path).is_some());
    }
    assert_eq!(v3_document(&builtin, "api/v2"), None);

    let mut definitions = (**builtin.definitions()).clone();
    definitions.0.remove("io.k8s.api.core.v1.ServicePort");
    let other = index(&Catalog::new(builtin.kinds().to_vec(), definitions.into()));
    assert_ne!(other["paths"]["api/v1"], first["paths"]["api/v1"]);
    assert_eq!(
        other["paths"]["apis/discovery.k8s.io/v1"],
        first["paths"]["apis/discovery.k8s.io/v1"]
    );
}
