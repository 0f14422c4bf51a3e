//! Roles and bindings decide, and every write of them counts for the next request.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use http::Method;
use kedge_client::http::{HttpClient, Response};
use serde_json::{Value, json};
use support::{Lab, json};

const GROUP: &str = "/apis/rbac.authorization.k8s.io/v1";

async fn send(client: &HttpClient, method: Method, path: &str, body: Value) -> Response {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let headers = [("content-type", "application/json")];
    client.request(method, path, &headers, body).await.unwrap()
}

async fn create(lab: &Lab, path: &str, body: Value) {
    let made = send(&lab.admin, Method::POST, path, body).await;
    assert_eq!(made.status, 201, "{}", json(&made));
}

async fn get(client: &HttpClient, path: &str) -> u16 {
    send(client, Method::GET, path, Value::Null)
        .await
        .status
        .as_u16()
}

fn bind(name: &str, role: &str, subject: Value) -> Value {
    json!({
        "metadata": {"name": name}, "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [subject],
    })
}

fn rules(name: &str, resource: &str) -> Value {
    json!({"metadata": {"name": name}, "rules": [
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": [resource]},
    ]})
}

#[tokio::test]
async fn a_write_counts_for_the_next_request() {
    let lab = Lab::start().await;
    let jo = lab.user("jo", "people");
    let services = "/api/v1/namespaces/default/services";
    create(
        &lab,
        &format!("{GROUP}/clusterroles"),
        rules("r", "services"),
    )
    .await;
    let bindings = format!("{GROUP}/clusterrolebindings");
    let user = json!({"kind": "User", "name": "jo"});
    for _ in 0..20 {
        assert_eq!(get(&jo, services).await, 403);
        create(&lab, &bindings, bind("b", "r", user.clone())).await;
        assert_eq!(get(&jo, services).await, 200);
        let gone = send(
            &lab.admin,
            Method::DELETE,
            &format!("{bindings}/b"),
            Value::Null,
        )
        .await;
        assert_eq!(gone.status, 200);
    }
    // Of one namespace alone.
    let local = format!("{GROUP}/namespaces/default/rolebindings");
    create(
        &lab,
        &local,
        bind("b", "r", json!({"kind": "Group", "name": "people"})),
    )
    .await;
    assert_eq!(get(&jo, services).await, 200);
    assert_eq!(get(&jo, "/api/v1/services").await, 403);
    assert_eq!(
        get(&jo, "/api/v1/namespaces/kube-system/services").await,
        403
    );
    // A role that changes.
    let role = format!("{GROUP}/clusterroles/r");
    send(&lab.admin, Method::PUT, &role, rules("r", "pods")).await;
    assert_eq!(get(&jo, services).await, 403);
    assert_eq!(get(&jo, "/api/v1/namespaces/default/pods").await, 200);
    send(&lab.admin, Method::DELETE, &role, Value::Null).await;
    let refused = send(&jo, Method::GET, services, Value::Null).await;
    let text = "services is forbidden: User \"jo\" cannot list resource \"services\" in API group \"\" in the namespace \
        \"default\": RBAC: clusterrole.rbac.authorization.k8s.io \"r\" not found";
    assert_eq!(json(&refused)["message"], text);
}

#[tokio::test]
async fn many_writes_between_two_questions_are_not_too_many() {
    let lab = Lab::start().await;
    let jo = lab.user("jo", "people");
    let path = "/api/v1/namespaces";
    assert_eq!(get(&jo, path).await, 403);
    create(
        &lab,
        &format!("{GROUP}/clusterroles"),
        rules("r", "namespaces"),
    )
    .await;
    let user = json!({"kind": "User", "name": "jo"});
    let binding = bind("b", "r", user);
    create(
        &lab,
        &format!("{GROUP}/clusterrolebindings"),
        binding.clone(),
    )
    .await;
    // More than a watch keeps of changes that nobody takes in.
    let catalog = lab.registry.catalog();
    let kind = catalog
        .find(kedge_rbac::GROUP, "v1", "clusterroles")
        .unwrap();
    let target = kedge_registry::Target::new(kind.clone(), "", "r");
    for number in 0..5000 {
        let mut role = rules("r", "namespaces");
        role["metadata"]["labels"] = json!({"n": number.to_string()});
        let object = kedge_machinery::Object::from_value(role).unwrap();
        lab.registry
            .update(&target, object, &Default::default())
            .await
            .unwrap();
    }
    assert_eq!(get(&jo, path).await, 200);
}

#[tokio::test]
async fn authenticated_users_discover() {
    let lab = Lab::start().await;
    let jo = lab.user("jo", "people");
    for path in [
        "/api",
        "/api/v1",
        "/apis",
        "/apis/apps/v1",
        "/openapi/v3",
        "/version",
        "/livez",
    ] {
        assert_eq!(get(&jo, path).await, 200, "{path}");
    }
    for path in ["/", "/openid/v1/jwks", "/metrics"] {
        assert_eq!(get(&jo, path).await, 403, "{path}");
    }
}

#[tokio::test]
async fn a_namespaced_admin_gives_away_no_more_than_he_has() {
    let lab = Lab::start().await;
    let jo = lab.user("jo", "people");
    let roles = format!("{GROUP}/namespaces/default/roles");
    let bindings = format!("{GROUP}/namespaces/default/rolebindings");
    let own = json!({"metadata": {"name": "owners"}, "rules": [
        {"verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"]},
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["services"]},
    ]});
    create(&lab, &format!("{GROUP}/clusterroles"), own).await;
    create(
        &lab,
        &bindings,
        bind("owners", "owners", json!({"kind": "User", "name": "jo"})),
    )
    .await;
    // Every verb on roles is `escalate` and `bind` too: on those of the namespace alone.
    assert_eq!(
        send(&jo, Method::POST, &roles, rules("a", "secrets"))
            .await
            .status,
        201
    );
    let al = json!({"kind": "User", "name": "al"});
    let refused = send(
        &jo,
        Method::POST,
        &bindings,
        bind("al", "cluster-admin", al.clone()),
    )
    .await;
    assert_eq!(refused.status, 403);
    let text = json(&refused)["message"].as_str().unwrap().to_string();
    let begin = "rolebindings.rbac.authorization.k8s.io \"al\" is forbidden: user \"jo\" (groups=[\"people\" \"system:authenticated\"]) \
        is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}";
    assert!(text.starts_with(begin), "{text}");
    assert_eq!(
        send(&jo, Method::POST, &bindings, bind("al", "owners", al))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn who_may_change_an_object_may_not_thereby_make_one() {
    let lab = Lab::start().await;
    let jo = lab.user("jo", "people");
    let role = json!({"metadata": {"name": "r"}, "rules": [
        {"verbs": ["update", "patch"], "apiGroups": ["", "coordination.k8s.io"], "resources": ["configmaps", "leases"]},
    ]});
    create(&lab, &format!("{GROUP}/clusterroles"), role).await;
    let bindings = format!("{GROUP}/clusterrolebindings");
    let user = json!({"kind": "User", "name": "jo"});
    create(&lab, &bindings, bind("b", "r", user)).await;
    let configmap = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
    let apply = async |client: &HttpClient, body: &Value| {
        let headers = [("content-type", "application/apply-patch+yaml")];
        let path = "/api/v1/namespaces/default/configmaps/c?fieldManager=m";
        let body = body.to_string();
        let answer = client.request(Method::PATCH, path, &headers, body).await;
        answer.unwrap()
    };
    let refused = apply(&jo, &configmap).await;
    assert_eq!(refused.status, 403);
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": "configmaps \"c\" is forbidden: ", "details": {"name": "c", "kind": "configmaps"},
    });
    assert_eq!(json(&refused), expected);
    // What is wrong with the object is told before.
    let mut wrong = configmap.clone();
    wrong["metadata"]["labels"] = json!({"a": "two words"});
    assert_eq!(apply(&jo, &wrong).await.status, 422);
    assert_eq!(apply(&lab.admin, &configmap).await.status, 201);
    assert_eq!(apply(&jo, &configmap).await.status, 200);

    let lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l";
    let mut body = json!({"metadata": {"name": "l"}});
    let put = send(&jo, Method::PUT, lease, body.clone()).await;
    assert_eq!(put.status, 403);
    let made = send(&lab.admin, Method::PUT, lease, body.clone()).await;
    assert_eq!(made.status, 201);
    body["metadata"]["resourceVersion"] = json(&made)["metadata"]["resourceVersion"].clone();
    assert_eq!(send(&jo, Method::PUT, lease, body).await.status, 200);
}
