//! The manifests that a newcomer applies are of served kinds and say nothing that their schemas do not know.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;

use kedge_api::Catalog;
use serde_json::Value;

/// Every document of every manifest, by file name.
fn manifests() -> BTreeMap<String, Vec<Value>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        found.insert(
            name,
            text.split("\n---\n")
                .map(|part| serde_saphyr::from_str(part).unwrap())
                .collect(),
        );
    }
    found
}

#[test]
fn each_is_of_a_served_kind_and_has_only_known_fields() {
    let catalog = Catalog::builtin();
    let all = manifests();
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "backends.yaml",
            "clusterip.yaml",
            "externalname.yaml",
            "loadbalancer.yaml",
            "nodeport.yaml"
        ]
    );
    for (name, document) in all
        .iter()
        .flat_map(|(name, list)| list.iter().map(move |d| (name, d)))
    {
        let kind = catalog.find_kind(
            "",
            document["apiVersion"].as_str().unwrap(),
            document["kind"].as_str().unwrap(),
        );
        let found = support::problems(
            catalog.definitions(),
            catalog.schema(kind.unwrap()),
            document,
        );
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

#[test]
fn services_select_the_backends() {
    let all = manifests();
    let pods = &all["backends.yaml"];
    let addresses: Vec<_> = pods
        .iter()
        .map(|p| p["status"]["podIP"].as_str().unwrap())
        .collect();
    assert_eq!(addresses, ["10.42.0.11", "10.42.0.12", "10.42.0.13"]);
    for file in ["clusterip.yaml", "nodeport.yaml", "loadbalancer.yaml"] {
        let service = &all[file][0];
        assert!(
            pods.iter()
                .all(|pod| pod["metadata"]["labels"] == service["spec"]["selector"]),
            "{file}"
        );
        let port = &pods[0]["spec"]["containers"][0]["ports"][0]["containerPort"];
        assert_eq!(&service["spec"]["ports"][0]["targetPort"], port, "{file}");
    }
    let alias = all["externalname.yaml"][0]["spec"]["externalName"]
        .as_str()
        .unwrap();
    let web = &all["clusterip.yaml"][0]["metadata"];
    let name = format!(
        "{}.{}.svc.cluster.local",
        web["name"].as_str().unwrap(),
        web["namespace"].as_str().unwrap()
    );
    assert_eq!(alias, name);
}
