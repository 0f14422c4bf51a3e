//! Bearer tokens: the good ones, and every way in which one can be wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use jiff::Timestamp;
use kedge_client::http::Response;
use kedge_pki::Authority;
use kedge_pki::claims::{Claims, Kubernetes, LegacyClaims, Reference, user_name};
use serde_json::{Value, json};
use support::{Lab, header, json};

const PATH: &str = "/api/v1/namespaces";
const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";

async fn ask(lab: &Lab, token: &str) -> Response {
    lab.nobody(Some(token))
        .request(Method::GET, PATH, &[], "")
        .await
        .unwrap()
}

/// The token is known: without a role its bearer is refused by name.
async fn assert_known(lab: &Lab, token: &str, user: &str) {
    let refused = ask(lab, token).await;
    assert_eq!(refused.status, 403);
    let text = json(&refused)["message"].to_string();
    assert!(text.contains(user), "{text}");
}

async fn assert_unknown(lab: &Lab, token: &str, why: &str) {
    let refused = ask(lab, token).await;
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "Unauthorized", "reason": "Unauthorized", "code": 401,
    });
    assert_eq!(
        (refused.status.as_u16(), json(&refused)),
        (401, expected),
        "{why}"
    );
}

async fn create(lab: &Lab, path: &str, object: Value) -> Value {
    let made = lab
        .admin
        .request(Method::POST, path, &[], object.to_string())
        .await
        .unwrap();
    assert_eq!(made.status, 201, "{:?}", made.body);
    json(&made)
}

async fn delete(lab: &Lab, path: &str) {
    let body = json!({"gracePeriodSeconds": 0}).to_string();
    let gone = lab.admin.request(Method::DELETE, path, &[], body).await;
    assert_eq!(gone.unwrap().status, 200);
}

fn reference(object: &Value) -> Reference {
    Reference {
        name: object["metadata"]["name"].as_str().unwrap().into(),
        uid: object["metadata"]["uid"].as_str().unwrap().into(),
    }
}

async fn robot(lab: &Lab) -> Reference {
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
    reference(&create(lab, ACCOUNTS, account).await)
}

/// What a good token of this account says now.
fn claims(lab: &Lab, account: &Reference) -> Claims {
    let now = Timestamp::now().as_second();
    Claims {
        aud: lab.tokens.audiences.clone(),
        exp: now + 3600,
        iat: now,
        iss: lab.tokens.issuer.clone(),
        jti: "4f9d".into(),
        kubernetes: Kubernetes {
            namespace: "default".into(),
            serviceaccount: account.clone(),
            ..Kubernetes::default()
        },
        nbf: now,
        sub: user_name("default", &account.name),
    }
}

fn sign(lab: &Lab, claims: &Claims) -> String {
    lab.tokens.keys.sign(claims).unwrap()
}

#[tokio::test]
async fn a_good_token_is_its_account() {
    let lab = Lab::start().await;
    let token = sign(&lab, &claims(&lab, &robot(&lab).await));
    assert_known(&lab, &token, "system:serviceaccount:default:robot").await;
}

#[tokio::test]
async fn a_claim_that_is_wrong_ends_it() {
    let lab = Lab::start().await;
    let good = claims(&lab, &robot(&lab).await);
    type Change = fn(&mut Claims);
    let changes: [(&str, Change); 9] = [
        ("expired", |c| c.exp -= 3661),
        ("not yet valid", |c| c.nbf += 120),
        ("issued in the future", |c| c.iat += 120),
        ("another audience", |c| c.aud = vec!["vault".into()]),
        ("no audience", |c| c.aud = Vec::new()),
        ("another issuer", |c| c.iss = "https://elsewhere".into()),
        ("the legacy issuer", |c| {
            c.iss = "kubernetes/serviceaccount".into()
        }),
        ("another uid", |c| {
            c.kubernetes.serviceaccount.uid = "x".into()
        }),
        ("another namespace", |c| {
            c.kubernetes.namespace = "kube-system".into()
        }),
    ];
    for (why, change) in changes {
        let mut wrong = good.clone();
        change(&mut wrong);
        assert_unknown(&lab, &sign(&lab, &wrong), why).await;
    }
    // Within the leeway of a minute it is good.
    let mut late = good.clone();
    late.exp -= 3630;
    late.aud.insert(0, "vault".into());
    assert_known(&lab, &sign(&lab, &late), "robot").await;
}

#[tokio::test]
async fn a_signature_that_is_wrong_ends_it() {
    let lab = Lab::start().await;
    let claims = claims(&lab, &robot(&lab).await);
    let good = sign(&lab, &claims);
    let other =
        Authority::load_or_create(&lab.folder.path().join("other"), Timestamp::now()).unwrap();
    let other = other.token_keys().unwrap().sign(&claims).unwrap();
    assert_unknown(&lab, &other, "another key").await;

    let parts: Vec<&str> = good.split('.').collect();
    let foreign: Vec<&str> = other.split('.').collect();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let mut more = claims.clone();
    more.kubernetes.serviceaccount.name = "default".into();
    let more = URL_SAFE_NO_PAD.encode(serde_json::to_string(&more).unwrap());
    for (why, token) in [
        ("alg none", format!("{none}.{}.", parts[1])),
        (
            "alg none, signed",
            format!("{none}.{}.{}", parts[1], parts[2]),
        ),
        (
            "another key under this one's id",
            format!("{}.{}.{}", parts[0], foreign[1], foreign[2]),
        ),
        ("other claims", format!("{}.{more}.{}", parts[0], parts[2])),
        ("truncated", good[..good.len() - 1].to_string()),
        ("without signature", format!("{}.{}", parts[0], parts[1])),
        ("with an empty one", format!("{}.{}.", parts[0], parts[1])),
        ("longer", format!("{good}AAAA")),
        ("a word", "robot".to_string()),
    ] {
        assert_unknown(&lab, &token, why).await;
    }
    assert_known(&lab, &good, "robot").await;
}

#[tokio::test]
async fn an_account_that_goes_takes_its_tokens_along() {
    let lab = Lab::start().await;
    let token = sign(&lab, &claims(&lab, &robot(&lab).await));
    assert_known(&lab, &token, "robot").await;
    delete(&lab, &format!("{ACCOUNTS}/robot")).await;
    assert_unknown(&lab, &token, "deleted account").await;
    let again = robot(&lab).await;
    assert_unknown(&lab, &token, "recreated account").await;
    assert_known(&lab, &sign(&lab, &claims(&lab, &again)), "robot").await;
}

#[tokio::test]
async fn what_a_token_is_bound_to_takes_it_along() {
    let lab = Lab::start().await;
    let account = robot(&lab).await;
    let pod = || {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"serviceAccountName": "robot", "containers": [{"name": "c", "image": "i"}]}})
    };
    let secret = || json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "p"}});
    let node = || json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "p"}});
    type Bind = fn(&mut Claims, Reference);
    let kinds: [(&str, Value, Bind); 3] = [
        ("/api/v1/namespaces/default/pods", pod(), |c, to| {
            c.kubernetes.pod = Some(to)
        }),
        ("/api/v1/namespaces/default/secrets", secret(), |c, to| {
            c.kubernetes.secret = Some(to)
        }),
        ("/api/v1/nodes", node(), |c, to| {
            c.kubernetes.node = Some(to)
        }),
    ];
    for (path, object, bind) in kinds {
        let made = create(&lab, path, object.clone()).await;
        let mut bound = claims(&lab, &account);
        bind(&mut bound, reference(&made));
        let token = sign(&lab, &bound);
        assert_known(&lab, &token, "robot").await;
        delete(&lab, &format!("{path}/p")).await;
        assert_unknown(&lab, &token, path).await;
        create(&lab, path, object).await;
        assert_unknown(&lab, &token, "another of the same name").await;
    }
    // A pod's node may go: the pod counts.
    let pods = "/api/v1/namespaces/default/pods";
    let found = lab
        .admin
        .request(Method::GET, &format!("{pods}/p"), &[], "")
        .await
        .unwrap();
    let mut bound = claims(&lab, &account);
    bound.kubernetes.pod = Some(reference(&json(&found)));
    bound.kubernetes.node = Some(Reference {
        name: "gone".into(),
        uid: "x".into(),
    });
    assert_known(&lab, &sign(&lab, &bound), "robot").await;
}

#[tokio::test]
async fn a_token_in_a_secret_lives_as_long_as_the_secret_holds_it() {
    let lab = Lab::start().await;
    let account = robot(&lab).await;
    let legacy = |uid: &str| LegacyClaims::new("default", "robot", uid, "robot-token");
    let token = lab.tokens.keys.sign(&legacy(&account.uid)).unwrap();
    assert_unknown(&lab, &token, "no secret").await;
    let secret = |token: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": {"name": "robot-token", "annotations": {"kubernetes.io/service-account.name": "robot"}},
            "data": {"token": STANDARD.encode(token)},
        })
    };
    let secrets = "/api/v1/namespaces/default/secrets";
    create(&lab, secrets, secret(&token)).await;
    assert_known(&lab, &token, "system:serviceaccount:default:robot").await;
    let other = lab.tokens.keys.sign(&legacy("x")).unwrap();
    assert_unknown(&lab, &other, "another than the secret's").await;
    let path = format!("{secrets}/robot-token");
    let patch =
        json!({"metadata": {"labels": {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}}});
    let merge = [("content-type", "application/merge-patch+json")];
    lab.admin
        .request(Method::PATCH, &path, &merge, patch.to_string())
        .await
        .unwrap();
    assert_unknown(&lab, &token, "marked invalid").await;
    delete(&lab, &path).await;
    create(&lab, secrets, secret(&other)).await;
    assert_unknown(&lab, &token, "another secret").await;
    assert_unknown(&lab, &other, "another account").await;
}

#[tokio::test]
async fn a_bootstrap_token_is_a_bootstrapper() {
    let lab = Lab::start().await;
    let token = "abcdef.0123456789abcdef";
    assert_unknown(&lab, token, "no secret").await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": "bootstrap-token-abcdef"},
        "stringData": {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"},
    });
    create(&lab, "/api/v1/namespaces/kube-system/secrets", secret).await;
    assert_known(&lab, token, "system:bootstrap:abcdef").await;
    assert_unknown(&lab, "abcdef.0123456789abcdee", "another secret").await;
    delete(
        &lab,
        "/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef",
    )
    .await;
    assert_unknown(&lab, token, "deleted").await;
}

#[tokio::test]
async fn the_issuers_documents_verify_its_tokens() {
    let lab = Lab::start().await;
    let get = |path: &'static str| lab.admin.request(Method::GET, path, &[], "");
    let found = get("/.well-known/openid-configuration").await.unwrap();
    assert_eq!(header(&found, "content-type"), "application/json");
    assert_eq!(header(&found, "cache-control"), "public, max-age=3600");
    assert_eq!(
        json(&found),
        json!({
            "issuer": "https://kubernetes.default.svc.cluster.local",
            "jwks_uri": format!("https://{}/openid/v1/jwks", lab.address),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    );
    let keys = get("/openid/v1/jwks").await.unwrap();
    assert_eq!(header(&keys, "content-type"), "application/jwk-set+json");
    assert_eq!(header(&keys, "cache-control"), "public, max-age=3600");
    let keys = json(&keys);
    let token = sign(&lab, &claims(&lab, &Reference::default()));
    let head: Value = serde_json::from_slice(
        &URL_SAFE_NO_PAD
            .decode(token.split('.').next().unwrap())
            .unwrap(),
    )
    .unwrap();
    let key = &keys["keys"][0];
    assert_eq!((&key["kid"], &key["alg"]), (&head["kid"], &head["alg"]));
    // Nobody reads them without a role.
    let nobody = lab
        .nobody(None)
        .request(Method::GET, "/openid/v1/jwks", &[], "")
        .await
        .unwrap();
    assert_eq!(nobody.status, 403);
}

#[tokio::test]
async fn a_good_token_beside_a_bad_certificate_counts() {
    let lab = Lab::start().await;
    let token = sign(&lab, &claims(&lab, &robot(&lab).await));
    let bearer = format!("Bearer {token}");
    let refused = lab
        .stranger()
        .request(Method::GET, PATH, &[("authorization", bearer.as_str())], "")
        .await
        .unwrap();
    assert_eq!(refused.status, 403);
}
