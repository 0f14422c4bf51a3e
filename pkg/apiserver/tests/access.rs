//! Who gets in, and how far.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use http::Method;
use kedge_client::http::{HttpClient, HttpError};
use rstest::rstest;
use serde_json::json;
use support::{Lab, header, json};

async fn code(client: &HttpClient, method: &Method, path: &str) -> u16 {
    client
        .request(method.clone(), path, &[], "")
        .await
        .unwrap()
        .status
        .as_u16()
}

const VERBS: [(Method, &str); 9] = [
    (Method::GET, "/api/v1/namespaces/default/services"),
    (
        Method::GET,
        "/api/v1/namespaces/default/services/kubernetes",
    ),
    (Method::GET, "/api/v1/services?watch=true&timeoutSeconds=1"),
    (Method::POST, "/api/v1/namespaces/default/services"),
    (Method::PUT, "/api/v1/namespaces/default/services/web"),
    (Method::PATCH, "/api/v1/namespaces/default/services/web"),
    (Method::DELETE, "/api/v1/namespaces/default/services/web"),
    (Method::DELETE, "/api/v1/namespaces/default/configmaps"),
    (Method::GET, "/apis/discovery.k8s.io/v1/endpointslices"),
];

#[tokio::test]
async fn nobody_reads_health_and_version_alone() {
    let lab = Lab::start().await;
    let nobody = lab.nobody(None);
    for path in ["/livez", "/readyz", "/healthz", "/version", "/version/"] {
        assert_eq!(code(&nobody, &Method::GET, path).await, 200, "{path}");
    }
    for path in [
        "/",
        "/api",
        "/apis",
        "/api/v1",
        "/openapi/v2",
        "/openapi/v3",
        "/metrics",
        "/livez/ping",
        "/openid/v1/jwks",
        "/nothing",
        "/api/v1/gadgets",
    ] {
        assert_eq!(code(&nobody, &Method::GET, path).await, 403, "{path}");
    }
    for (method, path) in VERBS {
        assert_eq!(code(&nobody, &method, path).await, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn a_user_without_a_role_may_nothing() {
    let lab = Lab::start().await;
    let user = lab.user("jo", "people");
    for (method, path) in VERBS {
        assert_eq!(code(&user, &method, path).await, 403, "{method} {path}");
    }
    let refused = user
        .request(Method::GET, "/api/v1/namespaces/default/services", &[], "")
        .await
        .unwrap();
    let text = "services is forbidden: User \"jo\" cannot list resource \"services\" in API group \"\" in the namespace \"default\"";
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": text,
        "reason": "Forbidden", "details": { "kind": "services" }, "code": 403,
    });
    assert_eq!(json(&refused), expected);
    assert_eq!(header(&refused, "content-type"), "application/json");
}

#[tokio::test]
async fn masters_may_everything() {
    let lab = Lab::start().await;
    assert_eq!(
        code(&lab.admin, &Method::GET, "/api/v1/namespaces/default").await,
        200
    );
    assert_eq!(
        code(&lab.user("any", "system:masters"), &Method::GET, "/apis").await,
        200
    );
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_401_everywhere() {
    let lab = Lab::start().await;
    let stranger = lab.stranger();
    for path in ["/api/v1/namespaces", "/version", "/livez"] {
        let refused = stranger.request(Method::GET, path, &[], "").await.unwrap();
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(json(&refused)["reason"], "Unauthorized");
    }
}

/// As upstream: who tries a token and fails is told so, who tries what is no token is nobody.
#[rstest]
#[case("Bearer abc", 401)]
#[case("Basic YTpi", 403)]
#[case("", 403)]
#[tokio::test]
async fn a_token_that_nobody_knows_is_401(#[case] authorization: &str, #[case] code: u16) {
    let lab = Lab::start().await;
    let nobody = lab.nobody(None);
    let refused = nobody
        .request(Method::GET, "/api", &[("authorization", authorization)], "")
        .await
        .unwrap();
    assert_eq!(refused.status, code);
}

#[tokio::test]
async fn no_header_makes_a_user() {
    let lab = Lab::start().await;
    let forged = [
        ("x-remote-user", "kubernetes-admin"),
        ("x-remote-group", "system:masters"),
        ("impersonate-user", "kubernetes-admin"),
        ("impersonate-group", "system:masters"),
    ];
    let refused = lab
        .nobody(None)
        .request(Method::GET, "/api/v1/namespaces", &forged, "")
        .await
        .unwrap();
    assert_eq!(refused.status, 403);
    assert!(
        json(&refused)["message"]
            .as_str()
            .unwrap()
            .contains("system:anonymous")
    );
}

#[tokio::test]
async fn who_acts_as_another_may_no_more_than_that_one() {
    let lab = Lab::start().await;
    let as_jo = [("impersonate-user", "jo")];
    let refused = lab
        .admin
        .request(Method::GET, "/api/v1/namespaces", &as_jo, "")
        .await
        .unwrap();
    assert_eq!(refused.status, 403);
    assert!(
        json(&refused)["message"]
            .as_str()
            .unwrap()
            .contains("User \"jo\" cannot list")
    );
    let as_master = [
        ("impersonate-user", "jo"),
        ("impersonate-group", "system:masters"),
    ];
    assert_eq!(
        lab.admin
            .request(Method::GET, "/api/v1/namespaces", &as_master, "")
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn a_client_that_trusts_another_authority_is_told_of_tls() {
    let lab = Lab::start().await;
    let other =
        kedge_pki::Authority::load_or_create(&lab.folder.path().join("x"), jiff::Timestamp::now())
            .unwrap();
    let client = HttpClient::new(&kedge_client::kubeconfig::Kubeconfig {
        server: format!("https://{}", lab.address),
        authority: other.pem().as_bytes().to_vec(),
        ..Default::default()
    })
    .unwrap();
    let error = client
        .request(Method::GET, "/livez", &[], "")
        .await
        .unwrap_err();
    assert!(matches!(error, HttpError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn an_address_that_comes_is_served_without_a_restart() {
    let lab = Lab::start().await;
    let names = kedge_pki::SubjectNames::new(["gate.example"], ["127.0.0.1".parse().unwrap()]);
    let by_name = || {
        HttpClient::new(&kedge_client::kubeconfig::Kubeconfig {
            server: format!("https://{}", lab.address),
            server_name: Some("gate.example".into()),
            authority: lab.authority.pem().as_bytes().to_vec(),
            ..Default::default()
        })
        .unwrap()
    };
    assert!(
        by_name()
            .request(Method::GET, "/livez", &[], "")
            .await
            .is_err()
    );
    assert!(
        lab.certificate
            .ensure(&names, jiff::Timestamp::now())
            .unwrap()
    );
    assert_eq!(code(&by_name(), &Method::GET, "/livez").await, 200);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let mut lab = Lab::start().await;
    lab.stop().await;
    let error = lab
        .nobody(None)
        .request(Method::GET, "/livez", &[], "")
        .await
        .unwrap_err();
    assert!(matches!(error, HttpError::Connect { .. }), "{error}");
    assert!(
        error.to_string().contains(&lab.address.to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn an_address_in_use_says_what_to_do() {
    let lab = Lab::start().await;
    let config = kedge_apiserver::ServerConfig {
        listen: vec![lab.address],
        registry: lab.registry.clone(),
        certificate: lab.certificate.clone(),
        client_authorities: Vec::new(),
        tokens: lab.tokens.clone(),
        ready: Vec::new(),
        limits: kedge_apiserver::Limits::default(),
        metrics: kedge_telemetry::metrics::Metrics::default(),
        served: Default::default(),
    };
    let error = kedge_apiserver::Server::bind(config)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("in use") && error.contains("--listen"),
        "{error}"
    );
}
