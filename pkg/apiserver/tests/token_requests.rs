//! Tokens asked for, reviewed, and used.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use kedge_client::http::Response;
use rstest::rstest;
use serde_json::{Value, json};
use support::{Lab, json};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const SELF: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

async fn post(lab: &Lab, path: &str, body: &Value) -> Response {
    let headers = [("user-agent", "test/1.0")];
    lab.admin
        .request(Method::POST, path, &headers, body.to_string())
        .await
        .unwrap()
}

async fn made(lab: &Lab, path: &str, body: Value) -> Value {
    let answer = post(lab, path, &body).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    json(&answer)
}

/// A service account, a pod of it on a node, and a Secret, all by the name `robot`.
async fn furnished() -> Lab {
    let lab = Lab::start().await;
    let object =
        |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "robot"}});
    let mut pod = object("Pod");
    pod["spec"] = json!({"serviceAccountName": "robot", "nodeName": "robot", "containers": [{"name": "c", "image": "i"}]});
    made(&lab, ACCOUNTS, object("ServiceAccount")).await;
    made(&lab, "/api/v1/nodes", object("Node")).await;
    made(&lab, "/api/v1/namespaces/default/pods", pod).await;
    made(&lab, "/api/v1/namespaces/default/secrets", object("Secret")).await;
    lab
}

async fn request(lab: &Lab, spec: Value) -> Response {
    let body =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
    post(lab, &format!("{ACCOUNTS}/robot/token"), &body).await
}

async fn token(lab: &Lab, spec: Value) -> String {
    let answer = request(lab, spec).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    json(&answer)["status"]["token"].as_str().unwrap().into()
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

async fn review(lab: &Lab, spec: Value) -> Value {
    let body =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec});
    made(lab, REVIEWS, body).await["status"].clone()
}

#[tokio::test]
async fn a_token_is_for_the_api_and_an_hour() {
    let lab = furnished().await;
    let answer = json(&request(&lab, json!({})).await);
    assert_eq!(answer["kind"], "TokenRequest");
    let meta = &answer["metadata"];
    assert_eq!(
        (&meta["name"], &meta["namespace"]),
        (&json!("robot"), &json!("default"))
    );
    let expected =
        json!({"audiences": [ISSUER], "expirationSeconds": 3600, "boundObjectRef": null});
    assert_eq!(answer["spec"], expected);
    let claims = claims(answer["status"]["token"].as_str().unwrap());
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        3600
    );
    assert_eq!(claims["nbf"], claims["iat"]);
    assert_eq!(claims["aud"], json!([ISSUER]));
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (
            &json!(ISSUER),
            &json!("system:serviceaccount:default:robot")
        )
    );
    let expected =
        json!({"namespace": "default", "serviceaccount": {"name": "robot", "uid": meta["uid"]}});
    assert_eq!(claims["kubernetes.io"], expected);
    let end: jiff::Timestamp = answer["status"]["expirationTimestamp"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(end.as_second(), claims["exp"].as_i64().unwrap());
}

#[tokio::test]
async fn what_it_is_bound_to_is_in_it() {
    let lab = furnished().await;
    let bind =
        |kind: &str| json!({"boundObjectRef": {"apiVersion": "v1", "kind": kind, "name": "robot"}});
    let bound = |token: String| claims(&token)["kubernetes.io"].clone();
    let pod = bound(token(&lab, bind("Pod")).await);
    assert_eq!(
        (&pod["pod"]["name"], &pod["node"]["name"]),
        (&json!("robot"), &json!("robot"))
    );
    assert!(pod["node"]["uid"].is_string() && pod.get("secret").is_none());
    let secret = bound(token(&lab, bind("Secret")).await);
    assert!(secret["secret"]["uid"].is_string() && secret.get("pod").is_none());
    let node = bound(token(&lab, bind("Node")).await);
    assert!(node["node"]["uid"].is_string() && node.get("pod").is_none());
}

#[tokio::test]
async fn the_token_of_a_mounted_volume_outlives_its_hour() {
    let lab = furnished().await;
    let mut spec = json!({"expirationSeconds": 3607, "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "robot"}});
    let mounted = claims(&token(&lab, spec.clone()).await);
    let made = mounted["iat"].as_i64().unwrap();
    assert_eq!(mounted["exp"].as_i64().unwrap() - made, 365 * 24 * 3600);
    assert_eq!(
        mounted["kubernetes.io"]["warnafter"].as_i64().unwrap() - made,
        3607
    );
    // For another audience, it ends when it said.
    spec["audiences"] = json!(["vault"]);
    let other = claims(&token(&lab, spec).await);
    assert_eq!(
        other["exp"].as_i64().unwrap() - other["iat"].as_i64().unwrap(),
        3607
    );
    assert!(other["kubernetes.io"].get("warnafter").is_none());
}

#[rstest]
#[case(json!({"expirationSeconds": 599}), 422, "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes")]
#[case(json!({"expirationSeconds": 4_294_967_297_i64}), 422, "may not specify a duration larger than 2^32 seconds")]
#[case(json!({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "none"}}), 404, "pods \"none\" not found")]
#[case(json!({"boundObjectRef": {"apiVersion": "v1", "kind": "Service", "name": "x"}}), 400, "cannot bind token to object of type /v1, Kind=Service")]
#[case(json!({"boundObjectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}), 400, "cannot bind token to object of type apps/v1, Kind=Deployment")]
#[case(json!({"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "robot", "uid": "x"}}), 409, "the UID in the bound object reference (x) does not match the UID in record")]
#[tokio::test]
async fn what_cannot_be_is_refused(#[case] spec: Value, #[case] code: u16, #[case] text: &str) {
    let lab = furnished().await;
    let refused = request(&lab, spec).await;
    let message = json(&refused)["message"].as_str().unwrap().to_string();
    assert_eq!(refused.status, code, "{message}");
    assert!(message.contains(text), "{message}");
}

#[tokio::test]
async fn only_the_account_of_the_path_gets_one() {
    let lab = furnished().await;
    let body = |meta: Value| json!({"kind": "TokenRequest", "metadata": meta, "spec": {}});
    let path = format!("{ACCOUNTS}/robot/token");
    for (meta, code) in [
        (json!({"name": "other"}), 422),
        (json!({"namespace": "kube-system"}), 422),
        (json!({"uid": "x"}), 409),
        (json!({"name": "robot", "namespace": "default"}), 201),
    ] {
        assert_eq!(
            post(&lab, &path, &body(meta.clone())).await.status,
            code,
            "{meta}"
        );
    }
    let missing = post(&lab, &format!("{ACCOUNTS}/none/token"), &body(json!({}))).await;
    assert_eq!(
        json(&missing)["message"],
        "serviceaccounts \"none\" not found"
    );
    let get = lab
        .admin
        .request(Method::GET, &path, &[], "")
        .await
        .unwrap();
    assert_eq!(get.status, 405);
    // A pod of another account.
    made(
        &lab,
        ACCOUNTS,
        json!({"kind": "ServiceAccount", "metadata": {"name": "other"}}),
    )
    .await;
    let bound = json!({"kind": "TokenRequest", "spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "robot"}}});
    let refused = post(&lab, &format!("{ACCOUNTS}/other/token"), &bound).await;
    let text = "cannot bind token for serviceaccount \"other\" to pod running with different serviceaccount name.";
    assert_eq!(
        (refused.status.as_u16(), &json(&refused)["message"]),
        (400, &json!(text))
    );
}

#[tokio::test]
async fn a_review_tells_whose_token_it_is() {
    let lab = furnished().await;
    let bound = json!({"audiences": [ISSUER, "vault"], "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "robot"}});
    let good = token(&lab, bound).await;
    let status = review(&lab, json!({"token": good})).await;
    assert_eq!(
        (&status["authenticated"], &status["audiences"]),
        (&json!(true), &json!([ISSUER]))
    );
    let user = &status["user"];
    assert_eq!(user["username"], "system:serviceaccount:default:robot");
    let groups = json!([
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated"
    ]);
    assert_eq!(user["groups"], groups);
    let extra = user["extra"].as_object().unwrap();
    let names: Vec<_> = extra
        .keys()
        .map(|key| key.trim_start_matches("authentication.kubernetes.io/"))
        .collect();
    assert_eq!(
        names,
        [
            "credential-id",
            "node-name",
            "node-uid",
            "pod-name",
            "pod-uid"
        ]
    );
    let id = format!("JTI={}", claims(&good)["jti"].as_str().unwrap());
    assert_eq!(
        extra["authentication.kubernetes.io/credential-id"],
        json!([id])
    );

    let status = review(
        &lab,
        json!({"token": good, "audiences": ["vault", "other"]}),
    )
    .await;
    assert_eq!(
        (&status["authenticated"], &status["audiences"]),
        (&json!(true), &json!(["vault"]))
    );
    let status = review(&lab, json!({"token": good, "audiences": ["other"]})).await;
    let error = format!(
        "[invalid bearer token, token audiences [\"{ISSUER}\" \"vault\"] is invalid for the target audiences [\"other\"]]"
    );
    assert_eq!(status, json!({"user": {}, "error": error}));
    let status = review(&lab, json!({"token": "nonsense"})).await;
    assert_eq!(status, json!({"user": {}, "error": "invalid bearer token"}));
    let none = json!({"kind": "TokenReview", "spec": {}});
    assert_eq!(post(&lab, REVIEWS, &none).await.status, 400);
    let get = lab
        .admin
        .request(Method::GET, REVIEWS, &[], "")
        .await
        .unwrap();
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn everyone_is_told_who_he_is() {
    let lab = furnished().await;
    let answer = made(
        &lab,
        SELF,
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}),
    )
    .await;
    assert!(answer["metadata"]["creationTimestamp"].is_string());
    let user = &answer["status"]["userInfo"];
    assert_eq!(user["username"], "kubernetes-admin");
    assert_eq!(
        user["groups"],
        json!(["system:masters", "system:authenticated"])
    );
    let id = user["extra"]["authentication.kubernetes.io/credential-id"][0]
        .as_str()
        .unwrap();
    assert!(id.starts_with("X509SHA256=") && id.len() == 11 + 64, "{id}");
    let strict = format!("{SELF}?fieldValidation=Strict");
    let unknown = json!({"kind": "SelfSubjectReview", "spec": {}});
    assert_eq!(post(&lab, &strict, &unknown).await.status, 400);
}
