//! Discovery, OpenAPI and the fixed paths, asked by clients that like protobuf best.

use http::Method;
use kedge_client::http::Response;
use serde_json::{Value, json};

use crate::support::{self, Lab};

const ACCEPT: &str = "application/vnd.kubernetes.protobuf, */*";

async fn get(lab: &Lab, path: &str) -> Response {
    let headers = [("accept", ACCEPT)];
    lab.admin
        .request(Method::GET, path, &headers, "")
        .await
        .unwrap()
}

#[tokio::test]
async fn every_group_prefers_a_version_that_it_has_and_lists_its_kinds() {
    let lab = Lab::start().await;
    let groups = support::json(&get(&lab, "/apis/").await);
    let groups = groups["groups"].as_array().unwrap();
    assert!(groups.len() > 10);
    for group in groups {
        let path = format!("/apis/{}/", group["name"].as_str().unwrap());
        let own = support::json(&get(&lab, &path).await);
        let versions = own["versions"].as_array().unwrap();
        assert!(versions.contains(&own["preferredVersion"]), "{path}");
        for version in versions {
            let version = version["groupVersion"].as_str().unwrap();
            let list = support::json(&get(&lab, &format!("/apis/{version}")).await);
            assert_eq!(
                (&list["kind"], &list["groupVersion"]),
                (&json!("APIResourceList"), &json!(version))
            );
            assert!(!list["resources"].as_array().unwrap().is_empty());
        }
    }
    // Who asks for a version that is no longer made is told so, not that the page is not there.
    let body = json!({"apiVersion": "authentication.k8s.io/v1alpha1", "kind": "SelfSubjectReview"})
        .to_string();
    let path = "/apis/authentication.k8s.io/v1alpha1/selfsubjectreviews";
    let refused = lab
        .admin
        .request(Method::POST, path, &[], body)
        .await
        .unwrap();
    assert_eq!(support::json(&refused)["reason"], "NotFound");
}

/// A document must survive being read and written by Go's types: what they would change is not in it.
#[tokio::test]
async fn openapi_documents_are_complete() {
    let lab = Lab::start().await;
    let index = support::json(&get(&lab, "/openapi/v3").await);
    for (path, entry) in index["paths"].as_object().unwrap() {
        let address = entry["serverRelativeURL"].as_str().unwrap();
        let document = support::json(&get(&lab, address).await);
        assert_eq!(document["openapi"], "3.0.0", "{path}");
        assert_eq!(empty(&document, ""), Vec::<String>::new(), "{path}");
        let schemas = document.pointer("/components/schemas").unwrap();
        let mut wanted = Vec::new();
        references(&document, &mut wanted);
        for name in wanted {
            assert!(schemas.get(&name).is_some(), "{path}: {name}");
        }
    }
}

/// Lists and maps without anything in them, which Go leaves out; those of defaults are values.
fn empty(value: &Value, at: &str) -> Vec<String> {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(map) if !map.is_empty() => {
            let parts = map.iter().filter(|(key, _)| *key != "default");
            parts.map(|(key, value)| (key.clone(), value)).collect()
        }
        Value::Array(list) if !list.is_empty() => {
            let parts = list.iter().enumerate();
            parts
                .map(|(index, value)| (index.to_string(), value))
                .collect()
        }
        Value::Object(_) | Value::Array(_) => return vec![at.into()],
        _ => return Vec::new(),
    };
    let parts = parts.into_iter();
    parts
        .flat_map(|(key, value)| empty(value, &format!("{at}/{key}")))
        .collect()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str) {
                found.push(name.rsplit('/').next().unwrap().into());
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn a_time_in_the_address_holds_for_fixed_paths_too() {
    let lab = Lab::start().await;
    for (time, code) in [("invalid", 400), ("3m", 200), ("0s", 200)] {
        let answer = get(&lab, &format!("/version?timeout={time}")).await;
        assert_eq!(answer.status, code, "{time}");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(
            text.contains("invalid timeout specified in the request URL"),
            code == 400,
            "{text}"
        );
    }
}

#[tokio::test]
async fn strict_bodies_are_held_to_their_fields() {
    let lab = Lab::start().await;
    let rest = r#""selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":"c"}]}}"#;
    let path =
        "/apis/apps/v1/namespaces/default/deployments?fieldManager=tried&fieldValidation=Strict";
    for (metadata, spec, why) in [
        (
            "",
            r#""unknownField":"foo","replicas":2,"replicas":3,"#,
            r#"strict decoding error: unknown field "spec.unknownField", duplicate field "spec.replicas""#,
        ),
        // What the kind does not have is passed over, with all that stands twice in it.
        (
            r#""unknownMeta":"foo","#,
            r#""odd":{"a":1,"a":2},"odd":3,"#,
            r#"strict decoding error: unknown field "metadata.unknownMeta", unknown field "spec.odd""#,
        ),
    ] {
        let body = format!(
            r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{{metadata}"name":"d"}},"spec":{{{spec}{rest}}}}}"#
        );
        // Without a content type, as Go's raw bodies come.
        let refused = lab
            .admin
            .request(Method::POST, path, &[], body)
            .await
            .unwrap();
        let status = support::json(&refused);
        assert!(
            status["message"].as_str().unwrap().ends_with(why),
            "{status}"
        );
    }
}

/// Upstream's integration tests (`test/integration/apiserver/field_validation_test.go`).
#[tokio::test]
async fn yaml_and_json_patches_are_held_to_theirs() {
    let lab = Lab::start().await;
    let send = async |method: Method, name: &str, kind: &str, validation: &str, body: &str| {
        let path = format!(
            "/api/v1/namespaces/default/configmaps{name}?fieldManager=m&fieldValidation={validation}"
        );
        let headers = [("content-type", kind)];
        let body = body.to_string();
        lab.admin
            .request(method, &path, &headers, body)
            .await
            .unwrap()
    };
    let twice = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  name: c\ndata:\n  a: one\n  a: two\n";
    let odd = format!("{twice}odd: 1\nodd: 2\n");
    let lines = [
        "line 5: key \"name\" already set in map",
        "line 8: key \"a\" already set in map",
        "line 10: key \"odd\" already set in map",
    ];
    let yaml = "application/yaml";
    let refused = send(Method::POST, "", yaml, "Strict", &odd).await;
    let why = format!(
        "strict decoding error: yaml: unmarshal errors:\n  {}, unknown field \"odd\"",
        lines.join("\n  ")
    );
    let said = support::json(&refused)["message"].clone();
    assert!(said.as_str().unwrap().ends_with(&why), "{said}");
    let warned = send(Method::POST, "", yaml, "Warn", &odd).await;
    let told = [&lines[..], &["unknown field \"odd\""]].concat();
    assert_eq!(warned.warnings().collect::<Vec<_>>(), told);

    let apply = "application/apply-patch+yaml";
    let refused = send(Method::PATCH, "/c", apply, "Strict", twice).await;
    let why = format!(
        "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  {}",
        lines[..2].join("\n  ")
    );
    assert_eq!(support::json(&refused)["message"], why);

    let operations = r#"[{"op": "add", "path": "/data/b", "value": "x", "foo": 1},
        {"op": "add", "path": "/data/c", "path": "/data/d", "value": "x"}, {"op": "add", "path": "/odd", "value": 1}]"#;
    let json = "application/json-patch+json";
    let warned = send(Method::PATCH, "/c", json, "Warn", operations).await;
    let told = [
        "json patch unknown field \"[0].foo\"",
        "json patch duplicate field \"[1].path\"",
        "unknown field \"odd\"",
    ];
    assert_eq!(warned.warnings().collect::<Vec<_>>(), told);
    let refused = send(Method::PATCH, "/c", json, "Strict", operations).await;
    let why = format!("strict decoding error: {}", told.join(", "));
    let said = support::json(&refused)["message"].clone();
    assert!(said.as_str().unwrap().ends_with(&why), "{said}");
}
