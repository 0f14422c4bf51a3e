//! Lists in pages, in Tables of both versions, and beyond the time of their tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use kedge_client::http::Response;
use serde_json::{Value, json};

use crate::support::{self, Lab};
use crate::typed::Typed;

const ALL: usize = 60;

async fn filled(lab: &Lab) -> Typed {
    let templates = Typed::new(
        &lab.admin,
        "v1",
        "PodTemplate",
        "namespaces/default/podtemplates",
    );
    let template = |number: usize| {
        json!({
            "metadata": {"name": format!("template-{number:04}")},
            "template": {"spec": {"containers": [{"name": "c", "image": "c"}]}},
        })
    };
    let all = (0..ALL).map(|number| {
        let (templates, template) = (templates.clone(), template(number));
        tokio::spawn(async move { templates.create(&template).await.unwrap() })
    });
    for made in all.collect::<Vec<_>>() {
        made.await.unwrap();
    }
    templates
}

async fn get(lab: &Lab, path: &str, accept: &str) -> Response {
    let headers = [("accept", accept)];
    lab.admin
        .request(Method::GET, path, &headers, "")
        .await
        .unwrap()
}

/// Follows pages from a first query on; the versions that they were of, and how many items there were.
async fn pages(lab: &Lab, templates: &Typed, mut query: String, mut found: usize) -> Vec<String> {
    let mut versions = Vec::new();
    loop {
        let path = format!("{}?{query}", templates.path);
        let page = support::json(&get(lab, &path, "application/json").await);
        let metadata = &page["metadata"];
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["metadata"]["name"], format!("template-{found:04}"));
            found += 1;
        }
        versions.push(metadata["resourceVersion"].as_str().unwrap().to_string());
        let Some(token) = metadata["continue"].as_str() else {
            assert_eq!(metadata["remainingItemCount"], Value::Null);
            assert_eq!(found, ALL);
            return versions;
        };
        assert_eq!(metadata["remainingItemCount"], json!(ALL - found));
        query = format!("limit=17&continue={token}");
    }
}

#[tokio::test]
async fn pages_are_of_one_version_and_say_what_remains() {
    let lab = Lab::start().await;
    let templates = filled(&lab).await;
    let versions = pages(&lab, &templates, "limit=17".into(), 0).await;
    assert_eq!(versions.len(), 4);
    assert!(versions.iter().all(|version| *version == versions[0]));
    assert_eq!(templates.names("limit=61").await.len(), ALL);
}

#[tokio::test]
async fn a_token_whose_time_is_over_brings_one_that_goes_on() {
    let lab = Lab::start().await;
    let templates = filled(&lab).await;
    let first = templates.list("limit=20").await.unwrap();
    let token = first["metadata"]["continue"].as_str().unwrap();
    let mut token: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
    token["issued"] = 0.into();
    let old = URL_SAFE_NO_PAD.encode(token.to_string());
    // Meanwhile the list is of another version.
    let more = Typed::new(
        &lab.admin,
        "v1",
        "ConfigMap",
        "namespaces/default/configmaps",
    );
    more.create(&json!({"metadata": {"name": "later"}}))
        .await
        .unwrap();
    let (code, refused) = templates
        .list(&format!("limit=20&continue={old}"))
        .await
        .unwrap_err();
    assert_eq!((code, &refused["reason"]), (410, &json!("Expired")));
    let fresh = refused["metadata"]["continue"].as_str().unwrap();
    let versions = pages(&lab, &templates, format!("limit=20&continue={fresh}"), 20).await;
    assert_ne!(versions[0], first["metadata"]["resourceVersion"]);
    assert!(versions.iter().all(|version| *version == versions[0]));
}

#[tokio::test]
async fn tables_and_metadata_come_in_both_versions() {
    let lab = Lab::start().await;
    let templates = filled(&lab).await;
    for version in ["v1", "v1beta1"] {
        let accept = format!("application/json;as=Table;v={version};g=meta.k8s.io");
        let of = format!("meta.k8s.io/{version}");
        let path = format!("{}?limit=2", templates.path);
        let table = support::json(&get(&lab, &path, &accept).await);
        assert_eq!(
            (&table["kind"], &table["apiVersion"]),
            (&json!("Table"), &json!(of))
        );
        let columns = table["columnDefinitions"].as_array().unwrap();
        assert_eq!(columns[0]["name"], "Name");
        let rows = table["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1]["cells"][0], "template-0001");
        assert_eq!(rows[0]["cells"].as_array().unwrap().len(), columns.len());
        assert_eq!(rows[0]["object"]["apiVersion"], json!(of));
        let token = table["metadata"]["continue"].as_str().unwrap();
        let path = format!("{}?continue={token}", templates.path);
        let table = support::json(&get(&lab, &path, &accept).await);
        assert_eq!(table["rows"][0]["cells"][0], "template-0002");
        let one = format!("{}/template-0007", templates.path);
        let table = support::json(&get(&lab, &one, &accept).await);
        assert_eq!(table["rows"][0]["cells"][0], "template-0007");

        let accept = accept.replace("Table", "PartialObjectMetadata");
        let partial = support::json(&get(&lab, &one, &accept).await);
        assert_eq!(
            (&partial["kind"], &partial["apiVersion"]),
            (&json!("PartialObjectMetadata"), &json!(of))
        );
        assert_eq!(partial.get("template"), None);
        let accept = accept.replace("PartialObjectMetadata", "PartialObjectMetadataList");
        let list = support::json(&get(&lab, &templates.path, &accept).await);
        assert_eq!(
            (&list["kind"], &list["apiVersion"]),
            (&json!("PartialObjectMetadataList"), &json!(of))
        );
    }
}

#[tokio::test]
async fn what_has_no_metadata_is_no_table() {
    let lab = Lab::start().await;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}});
    for version in ["v1", "v1beta1"] {
        let accept = format!("application/json;as=Table;v={version};g=meta.k8s.io");
        let headers = [
            ("accept", accept.as_str()),
            ("content-type", "application/json"),
        ];
        let answer = lab
            .admin
            .request(Method::POST, path, &headers, review.to_string())
            .await;
        assert_eq!(answer.unwrap().status, 406);
    }
}
