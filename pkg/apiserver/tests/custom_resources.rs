//! Custom resources over HTTPS: what upstream's end-to-end tests ask of them (`test/e2e/apimachinery`: `field_validation.go`,
//! `aggregated_discovery.go`, `custom_resource_definition.go`, `crd_watch.go`, `crd_publish_openapi.go`, `crd_selectable_fields.go`).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use http::Method;
use kedge_client::http::{Response, Streaming};
use serde_json::{Value, json};
use support::{Lab, header, json};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const GADGETS: &str = "/apis/example.com/v1/namespaces/default/gadgets";
const G: &str = "/apis/example.com/v1/namespaces/default/gadgets/g";

const JSON: &str = "application/json";
const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";

async fn ask(lab: &Lab, method: Method, path: &str, kind: &str, body: &str) -> Response {
    let headers = [("content-type", kind)];
    lab.admin
        .request(method, path, &headers, body.to_string())
        .await
        .unwrap()
}

async fn get(lab: &Lab, path: &str) -> Value {
    json(&lab.admin.request(Method::GET, path, &[], "").await.unwrap())
}

fn schema() -> Value {
    json!({"type": "object", "description": "A thing of use.", "properties": {
        "spec": {"type": "object", "description": "What is wanted.", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 1, "description": "How big."},
            "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
            "replicas": {"type": "integer"},
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port"],
                "items": {"type": "object", "required": ["port"], "properties": {"port": {"type": "integer"}, "name": {"type": "string"}}}},
            "template": {"type": "object", "x-kubernetes-embedded-resource": true, "properties": {"spec": {"type": "object"}}},
        }},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"},
            "conditions": {"type": "array", "items": {"type": "object", "properties": {"type": {"type": "string"}, "status": {"type": "string"}}}}}},
    }})
}

fn definition() -> Value {
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema": schema()},
            "selectableFields": [{"jsonPath": ".spec.color"}],
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}},
            "additionalPrinterColumns": [
                {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            ],
        })
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "shortNames": ["gg"], "categories": ["all"]},
            "versions": [version("v1alpha1", false), version("v1", true)]},
    })
}

/// A server that serves a definition.
async fn serving(definition: Value) -> Lab {
    let lab = Lab::start().await;
    let mut changes = lab.registry.catalog_changes();
    let made = ask(
        &lab,
        Method::POST,
        DEFINITIONS,
        JSON,
        &definition.to_string(),
    )
    .await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    changes.changed().await.unwrap();
    lab
}

fn gadget(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": spec})
}

async fn make(lab: &Lab, spec: Value) {
    let made = ask(lab, Method::POST, GADGETS, JSON, &gadget(spec).to_string()).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
}

#[tokio::test]
async fn discovery_and_documents_follow_definitions() {
    let aggregated = [(
        "accept",
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    )];
    let lab = Lab::start().await;
    let before = lab
        .admin
        .request(Method::GET, "/apis", &aggregated, "")
        .await
        .unwrap();
    let mut changes = lab.registry.catalog_changes();
    ask(
        &lab,
        Method::POST,
        DEFINITIONS,
        JSON,
        &definition().to_string(),
    )
    .await;
    changes.changed().await.unwrap();
    let after = lab
        .admin
        .request(Method::GET, "/apis", &aggregated, "")
        .await
        .unwrap();
    assert_ne!(header(&before, "etag"), header(&after, "etag"));
    let groups = json(&after);
    let groups = groups["items"].as_array().unwrap();
    let group = groups
        .iter()
        .find(|g| g["metadata"]["name"] == "example.com")
        .unwrap();
    let versions: Vec<&Value> = group["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["version"])
        .collect();
    assert_eq!(versions, ["v1", "v1alpha1"]);
    let resource = &group["versions"][0]["resources"][0];
    assert_eq!(
        resource["responseKind"],
        json!({"group": "example.com", "version": "v1", "kind": "Gadget"})
    );
    assert_eq!(resource["shortNames"], json!(["gg"]));
    assert_eq!(resource["subresources"].as_array().unwrap().len(), 2);

    assert_eq!(
        get(&lab, "/apis/example.com").await["preferredVersion"]["version"],
        "v1"
    );
    let resources = get(&lab, "/apis/example.com/v1").await;
    let names: Vec<&Value> = resources["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["name"])
        .collect();
    assert_eq!(names, ["gadgets", "gadgets/status", "gadgets/scale"]);
    // The router knows no group of theirs: what is not there is nobody's.
    for path in ["/apis/example.com/v9", "/apis/example.com/v1/nothing"] {
        let missing = lab.admin.request(Method::GET, path, &[], "").await.unwrap();
        assert_eq!(
            (missing.status.as_u16(), &missing.body[..]),
            (404, &b"404 page not found\n"[..])
        );
    }
    let verbs = json!([
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "create",
        "update",
        "watch"
    ]);
    assert_eq!(resources["resources"][0]["verbs"], verbs);
    assert_eq!(resource["verbs"], verbs);
    let own = get(&lab, "/apis/apiextensions.k8s.io/v1").await;
    let own = own["resources"][0]["verbs"].as_array().unwrap();
    assert!(
        own.is_sorted_by_key(|verb| verb.as_str().map(String::from)),
        "{own:?}"
    );

    let index = get(&lab, "/openapi/v3").await;
    let address = index["paths"]["apis/example.com/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap()
        .to_string();
    let document = get(&lab, &address).await;
    let schema = &document["components"]["schemas"]["com.example.v1.Gadget"];
    assert_eq!(schema["description"], "A thing of use.");
    assert_eq!(
        schema["properties"]["spec"]["properties"]["size"]["minimum"],
        1
    );
    assert_eq!(
        schema["x-kubernetes-group-version-kind"],
        json!([{"group": "example.com", "version": "v1", "kind": "Gadget"}])
    );
    let metadata = &schema["properties"]["metadata"]["allOf"][0]["$ref"];
    assert_eq!(
        metadata,
        "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    );
    assert!(
        document["components"]["schemas"]["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]
            .is_object()
    );
    // By this kubectl chooses how to patch.
    let path = "/apis/example.com/v1/namespaces/{namespace}/gadgets/{name}";
    let patches = document["paths"][path]["patch"]["requestBody"]["content"]
        .as_object()
        .unwrap();
    assert!(
        patches.contains_key(MERGE) && !patches.keys().any(|kind| kind.contains("strategic")),
        "{patches:?}"
    );
    let older = get(&lab, "/openapi/v2").await;
    assert_eq!(
        older["definitions"]["com.example.v1.Gadget"]["properties"]["spec"]["description"],
        "What is wanted."
    );
}

#[tokio::test]
async fn unknown_and_duplicate_fields_are_told() {
    let lab = serving(definition()).await;
    let mut odd = gadget(json!({"size": 1, "weight": 2,
        "template": {"apiVersion": "v1", "kind": "T", "metadata": {"name": "t", "oddSub": 1}}}));
    odd["metadata"]["odd"] = json!(1);
    let body = odd
        .to_string()
        .replace("\"weight\":2", "\"weight\":2,\"size\":1");
    let strict = ask(
        &lab,
        Method::POST,
        &format!("{GADGETS}?fieldValidation=Strict"),
        JSON,
        &body,
    )
    .await;
    let answer = json(&strict);
    assert_eq!(strict.status, 400);
    // What is said twice is met first, in a body of which nothing is known yet.
    let told = [
        "duplicate field \"spec.size\"",
        "unknown field \"metadata.odd\"",
        "unknown field \"spec.weight\"",
        "unknown field \"spec.template.metadata.oddSub\"",
    ];
    let begin = "Gadget in version \"v1\" cannot be handled as a Gadget: strict decoding error: ";
    assert_eq!(answer["message"], format!("{begin}{}", told.join(", ")));
    let warned = ask(
        &lab,
        Method::POST,
        &format!("{GADGETS}?fieldValidation=Warn"),
        JSON,
        &body,
    )
    .await;
    assert_eq!(warned.status, 201);
    assert_eq!(warned.warnings().collect::<Vec<_>>(), told);
    let kept = json(&warned);
    assert_eq!(
        kept["spec"],
        json!({"size": 1, "color": "red", "template": {"apiVersion": "v1", "kind": "T", "metadata": {"name": "t"}}})
    );
    assert!(kept["metadata"].get("odd").is_none());
}

#[tokio::test]
async fn applies_know_lists_and_refuse_what_is_not_declared() {
    let lab = serving(definition()).await;
    let apply = async |manager: &str, spec: &str| {
        let body =
            format!("{{apiVersion: example.com/v1, kind: Gadget, metadata: {{name: g}}, {spec}}}");
        let path = format!("{G}?fieldManager={manager}&fieldValidation=Strict");
        let answer = ask(&lab, Method::PATCH, &path, APPLY, &body).await;
        (answer.status.as_u16(), json(&answer))
    };
    let (code, made) = apply("one", "spec: {size: 1, ports: [{port: 80, name: web}]}").await;
    assert_eq!(code, 201, "{made}");
    let (code, merged) = apply("two", "spec: {ports: [{port: 443, name: tls}]}").await;
    assert_eq!(code, 200, "{merged}");
    assert_eq!(
        merged["spec"]["ports"],
        json!([{"port": 80, "name": "web"}, {"port": 443, "name": "tls"}])
    );
    let managers = merged["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(managers.len(), 2, "{managers:?}");
    assert_eq!(managers[0]["apiVersion"], "example.com/v1");
    let (code, conflict) = apply("two", "spec: {size: 2}").await;
    assert_eq!((code, &conflict["reason"]), (409, &json!("Conflict")));
    let (code, refused) = apply("one", "spec: {ports: [{name: web}]}").await;
    let message = refused["message"].as_str().unwrap();
    assert!(
        code == 500 && message.contains("an element that omits key field \"port\""),
        "{message}"
    );
    let (_, refused) = apply("one", "unknownField: x, spec: {size: 1}").await;
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains(".unknownField: field not declared in schema"),
        "{message}"
    );
    let (_, refused) = apply(
        "one",
        "spec: {size: 1, template: {apiVersion: v1, kind: T, metadata: {oddSub: 1}}}",
    )
    .await;
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains(".spec.template.metadata.oddSub: field not declared in schema"),
        "{message}"
    );
}

#[tokio::test]
async fn what_is_open_takes_anything() {
    let mut open = definition();
    for version in open["spec"]["versions"].as_array_mut().unwrap() {
        version["schema"] = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        for part in [
            "selectableFields",
            "subresources",
            "additionalPrinterColumns",
        ] {
            version.as_object_mut().unwrap().remove(part);
        }
    }
    let lab = serving(open).await;
    let body = "{apiVersion: example.com/v1, kind: Gadget, metadata: {name: g}, spec: {any: {thing: [1, x]}}, more: 1}";
    let path = format!("{G}?fieldManager=m&fieldValidation=Strict");
    let answer = ask(&lab, Method::PATCH, &path, APPLY, body).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    let twice =
        "{apiVersion: example.com/v1, kind: Gadget, metadata: {name: g}, spec: {a: 1, a: 2}}";
    let answer = json(&ask(&lab, Method::PATCH, &path, APPLY, twice).await);
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("key \"a\" already set in map"),
        "{answer}"
    );
    let kept = get(&lab, G).await;
    assert_eq!(
        (&kept["spec"], &kept["more"]),
        (&json!({"any": {"thing": [1, "x"]}}), &json!(1))
    );
}

#[tokio::test]
async fn patches_of_two_languages_and_not_of_the_third() {
    let lab = serving(definition()).await;
    make(&lab, json!({"size": 1})).await;
    let merged = ask(&lab, Method::PATCH, G, MERGE, "{\"spec\":{\"size\":2}}").await;
    assert_eq!(json(&merged)["spec"], json!({"size": 2, "color": "red"}));
    let patch = "[{\"op\":\"replace\",\"path\":\"/spec/size\",\"value\":3}]";
    let patched = ask(&lab, Method::PATCH, G, "application/json-patch+json", patch).await;
    assert_eq!(json(&patched)["metadata"]["generation"], 3);
    let refused = ask(
        &lab,
        Method::PATCH,
        G,
        "application/strategic-merge-patch+json",
        "{}",
    )
    .await;
    assert_eq!(refused.status, 415);
    let wrong = ask(
        &lab,
        Method::PATCH,
        G,
        MERGE,
        "{\"spec\":{\"color\":\"green\",\"size\":0}}",
    )
    .await;
    let wrong = json(&wrong);
    assert_eq!(wrong["code"], 422);
    let causes: Vec<(&str, &str)> = wrong["details"]["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| {
            (
                cause["field"].as_str().unwrap(),
                cause["message"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        causes,
        [
            (
                "spec.color",
                "Unsupported value: \"green\": supported values: \"red\", \"blue\""
            ),
            (
                "spec.size",
                "Invalid value: 0: spec.size in body should be greater than or equal to 1"
            ),
        ]
    );
}

#[tokio::test]
async fn tables_scales_and_selectors() {
    let lab = serving(definition()).await;
    make(&lab, json!({"size": 1, "replicas": 2})).await;
    let status = "{\"status\":{\"replicas\":1,\"selector\":\"app=g\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}";
    let answer = ask(&lab, Method::PATCH, &format!("{G}/status"), MERGE, status).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);

    let accept = [("accept", "application/json;as=Table;g=meta.k8s.io;v=v1")];
    let table = json(
        &lab.admin
            .request(Method::GET, GADGETS, &accept, "")
            .await
            .unwrap(),
    );
    let names: Vec<&Value> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert_eq!(names, ["Name", "Size", "Ready", "Age"]);
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(&cells[..3], [json!("g"), json!(1), json!("True")]);
    assert!(cells[3].as_str().unwrap().ends_with('s'), "{cells:?}");

    let scale = get(&lab, &format!("{G}/scale")).await;
    assert_eq!(scale["kind"], "Scale");
    assert_eq!(scale["spec"]["replicas"], 2);
    assert_eq!(scale["status"], json!({"replicas": 1, "selector": "app=g"}));
    let answer = ask(
        &lab,
        Method::PATCH,
        &format!("{G}/scale"),
        MERGE,
        "{\"spec\":{\"replicas\":5}}",
    )
    .await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(get(&lab, G).await["spec"]["replicas"], 5);

    let count = async |selector: &str| {
        let list = get(&lab, &format!("{GADGETS}?fieldSelector={selector}")).await;
        list["items"].as_array().map(Vec::len)
    };
    assert_eq!(count("spec.color%3Dred").await, Some(1));
    assert_eq!(count("spec.color%3Dblue").await, Some(0));
    assert_eq!(count("spec.size%3D1").await, None);
}

#[tokio::test]
async fn a_watch_tells_of_custom_resources_in_its_own_version() {
    let lab = serving(definition()).await;
    let path = "/apis/example.com/v1alpha1/gadgets?watch=1";
    let mut watch = lab.admin.stream(Method::GET, path, &[], "").await.unwrap();
    make(&lab, json!({"size": 1})).await;
    ask(&lab, Method::DELETE, GADGETS, JSON, "").await;
    let mut text = String::new();
    while text.lines().count() < 2 || !text.ends_with('\n') {
        let more = watch.next().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&more).unwrap());
    }
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(told, ["ADDED", "DELETED"]);
    assert_eq!(events[0]["object"]["apiVersion"], "example.com/v1alpha1");
}

/// What a stream says until its end.
async fn rest(mut stream: Streaming) -> String {
    let mut text = String::new();
    while let Some(more) = stream.next().await.unwrap() {
        text.push_str(std::str::from_utf8(&more).unwrap());
    }
    text
}

#[tokio::test]
async fn a_watch_ends_when_the_definition_is_another_or_goes() {
    let lab = serving(definition()).await;
    let watch = || async {
        let path = format!("{GADGETS}?watch=1");
        lab.admin.stream(Method::GET, &path, &[], "").await.unwrap()
    };
    let (first, path) = (watch().await, format!("{DEFINITIONS}/gadgets.example.com"));
    let labelled = json!({"metadata": {"labels": {"a": "b"}}}).to_string();
    let named = json!({"spec": {"names": {"categories": ["others"]}}}).to_string();
    for patch in [labelled, named] {
        make(&lab, json!({"size": 1})).await;
        let patched = ask(&lab, Method::PATCH, &path, MERGE, &patch).await;
        assert_eq!(patched.status, 200, "{:?}", patched.body);
        ask(&lab, Method::DELETE, GADGETS, JSON, "").await;
    }
    let told = rest(first).await;
    assert!(
        told.matches("ADDED").count() == 2,
        "a label ends no watch: {told}"
    );
    let second = watch().await;
    make(&lab, json!({"size": 2})).await;
    ask(&lab, Method::DELETE, &path, JSON, "").await;
    let told = rest(second).await;
    let last = told.lines().last().unwrap();
    assert!(
        last.contains("DELETED"),
        "the object's end is told before: {told}"
    );
}

#[tokio::test]
async fn the_status_of_a_definition_is_read_and_patched() {
    let lab = serving(definition()).await;
    let path = format!("{DEFINITIONS}/gadgets.example.com/status");
    let patch = "{\"status\":{\"conditions\":[{\"type\":\"Probe\",\"status\":\"True\",\"reason\":\"Test\",\"message\":\"m\"}]}}";
    let answer = ask(&lab, Method::PATCH, &path, MERGE, patch).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let conditions = get(&lab, &path).await["status"]["conditions"].clone();
    assert!(
        conditions
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["type"] == "Probe"),
        "{conditions}"
    );
}

#[tokio::test]
async fn what_is_not_done_is_said() {
    let lab = Lab::start().await;
    let mut ruled = definition();
    let versions = ruled["spec"]["versions"].as_array_mut().unwrap();
    versions[0]["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] =
        json!([{"rule": "self.spec.size > 1"}]);
    ruled["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {
        "conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://example.com/convert"}}});
    let mut changes = lab.registry.catalog_changes();
    let answer = ask(&lab, Method::POST, DEFINITIONS, JSON, &ruled.to_string()).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    let warnings: Vec<String> = answer.warnings().collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].contains("rules in CEL are not checked"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("no conversion webhooks"),
        "{warnings:?}"
    );
    changes.changed().await.unwrap();
    assert_eq!(
        get(&lab, "/apis/example.com").await["versions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
