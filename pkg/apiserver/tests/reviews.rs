//! Who may do what, asked of the API itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use http::Method;
use kedge_client::http::{HttpClient, Response};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Lab, json};

const GROUP: &str = "/apis/authorization.k8s.io/v1";

async fn post(client: &HttpClient, path: &str, body: Value) -> Response {
    client
        .request(Method::POST, path, &[], body.to_string())
        .await
        .unwrap()
}

/// `jo` views everything, and edits in `default`; `al` has a role that is not there.
async fn lab() -> Lab {
    let lab = Lab::start().await;
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let rules = json!({"metadata": {"name": "looks"}, "rules": [
        {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["services", "pods/log"]},
        {"verbs": ["get"], "nonResourceURLs": ["/metrics"]},
    ]});
    let bind = |name: &str, role: &str, user: &str| {
        json!({
            "metadata": {"name": name}, "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": user}],
        })
    };
    for (path, body) in [
        ("clusterroles", rules),
        ("clusterrolebindings", bind("jo", "looks", "jo")),
        ("clusterrolebindings", bind("al", "gone", "al")),
        (
            "namespaces/default/rolebindings",
            bind("jo", "cluster-admin", "jo"),
        ),
    ] {
        let made = post(&lab.admin, &format!("{rbac}/{path}"), body).await;
        assert_eq!(made.status, 201, "{}", json(&made));
    }
    lab
}

fn resource(verb: &str, group: &str, resource: &str, namespace: &str) -> Value {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    json!({"resourceAttributes": {
        "verb": verb, "group": group, "resource": resource, "subresource": subresource, "namespace": namespace,
    }})
}

#[tokio::test]
async fn may_i() {
    let lab = lab().await;
    let jo = lab.user("jo", "people");
    let local = "RBAC: allowed by RoleBinding \"jo/default\" of ClusterRole \"cluster-admin\" to User \"jo\"";
    let all = "RBAC: allowed by ClusterRoleBinding \"jo\" of ClusterRole \"looks\" to User \"jo\"";
    let everyone = "RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \"system:authenticated\"";
    let path = |path: &str| json!({"nonResourceAttributes": {"verb": "get", "path": path}});
    let cases = [
        (resource("get", "", "services", ""), Some(all)),
        (resource("get", "", "services", "other"), Some(all)),
        (resource("get", "", "pods/log", "other"), Some(all)),
        (resource("get", "", "pods", "other"), None),
        (
            resource("delete", "apps", "deployments/scale", "default"),
            Some(local),
        ),
        (resource("delete", "apps", "deployments/scale", ""), None),
        (path("/metrics"), Some(all)),
        (path("/apis/apps"), Some(everyone)),
        (path("/secret"), None),
    ];
    for (spec, reason) in cases {
        let answer = post(&jo, &format!("{GROUP}/selfsubjectaccessreviews"), json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec,
        })).await;
        assert_eq!(answer.status, 201);
        let mut expected = json!({"allowed": reason.is_some()});
        if let Some(reason) = reason {
            expected["reason"] = reason.into();
        }
        let answer = json(&answer);
        assert_eq!(answer["status"], expected, "{spec}");
        assert_eq!(answer["kind"], "SelfSubjectAccessReview");
        assert_eq!(
            answer["metadata"]["managedFields"][0]["operation"],
            "Update"
        );
    }
}

#[rstest]
#[case(json!({"user": "jo"}), json!({"allowed": true, "reason": "RBAC: allowed by ClusterRoleBinding \"jo\" of ClusterRole \"looks\" to User \"jo\""}))]
#[case(json!({"groups": ["system:masters"]}), json!({"allowed": true}))]
#[case(json!({"user": "nobody"}), json!({"allowed": false}))]
#[case(json!({"user": "al"}), json!({"allowed": false, "reason": "RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found"}))]
#[tokio::test]
async fn may_another(#[case] who: Value, #[case] expected: Value) {
    let lab = lab().await;
    let mut spec = resource("list", "", "services", "default");
    spec.as_object_mut()
        .unwrap()
        .extend(who.as_object().unwrap().clone());
    let path = format!("{GROUP}/subjectaccessreviews");
    let answer = post(&lab.admin, &path, json!({"spec": spec})).await;
    assert_eq!(json(&answer)["status"], expected);
    let path = format!("{GROUP}/namespaces/default/localsubjectaccessreviews");
    let answer = post(&lab.admin, &path, json!({"spec": spec})).await;
    assert_eq!(json(&answer)["status"], expected);
    assert_eq!(json(&answer)["metadata"]["namespace"], "default");
}

#[tokio::test]
async fn only_of_oneself_may_everyone_ask() {
    let lab = lab().await;
    let (eve, nobody) = (lab.user("eve", "people"), lab.nobody(None));
    let review = json!({"spec": {"user": "jo", "resourceAttributes": {}}});
    for path in [
        "subjectaccessreviews",
        "namespaces/default/localsubjectaccessreviews",
    ] {
        let path = format!("{GROUP}/{path}");
        assert_eq!(post(&eve, &path, review.clone()).await.status, 403);
    }
    for path in ["selfsubjectaccessreviews", "selfsubjectrulesreviews"] {
        let path = format!("{GROUP}/{path}");
        let body = json!({"spec": {"namespace": "default", "resourceAttributes": {}}});
        assert_eq!(post(&eve, &path, body.clone()).await.status, 201);
        assert_eq!(post(&nobody, &path, body).await.status, 403);
    }
    let read = eve
        .request(
            Method::GET,
            &format!("{GROUP}/selfsubjectaccessreviews"),
            &[],
            "",
        )
        .await;
    assert_eq!(read.unwrap().status, 403);
    let read = lab
        .admin
        .request(
            Method::GET,
            &format!("{GROUP}/selfsubjectaccessreviews"),
            &[],
            "",
        )
        .await;
    assert_eq!(read.unwrap().status, 405);
}

#[rstest]
#[case("subjectaccessreviews", json!({"spec": {}}), &["spec.resourceAttributes", "spec.user"])]
#[case("subjectaccessreviews", json!({"spec": {"user": "a", "resourceAttributes": {}, "nonResourceAttributes": {}}}), &["spec.nonResourceAttributes"])]
#[case("subjectaccessreviews", json!({"metadata": {"name": "a"}, "spec": {"user": "a", "resourceAttributes": {}}}), &["metadata"])]
#[case("selfsubjectaccessreviews", json!({"spec": {}}), &["spec.resourceAttributes"])]
#[case("namespaces/default/localsubjectaccessreviews", json!({"spec": {"user": "a", "resourceAttributes": {"namespace": "b"}}}), &["spec.resourceAttributes.namespace"])]
#[case("namespaces/default/localsubjectaccessreviews", json!({"spec": {"user": "a", "nonResourceAttributes": {"path": "/"}}}), &["spec.nonResourceAttributes"])]
#[tokio::test]
async fn questions_that_are_none(#[case] path: &str, #[case] body: Value, #[case] fields: &[&str]) {
    let lab = Lab::start().await;
    let answer = post(&lab.admin, &format!("{GROUP}/{path}"), body).await;
    assert_eq!(answer.status, 422);
    let answer = json(&answer);
    let found: Vec<&str> = answer["details"]["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["field"].as_str().unwrap())
        .collect();
    assert_eq!(found, fields);
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .starts_with(".authorization.k8s.io \"\" is invalid: ")
    );
}

#[tokio::test]
async fn a_review_of_another_namespace_is_none() {
    let lab = Lab::start().await;
    let path = format!("{GROUP}/namespaces/default/localsubjectaccessreviews");
    let body = json!({"metadata": {"namespace": "other"}, "spec": {"user": "a", "resourceAttributes": {}}});
    assert_eq!(post(&lab.admin, &path, body).await.status, 400);
}

#[tokio::test]
async fn what_may_i() {
    let lab = lab().await;
    let path = format!("{GROUP}/selfsubjectrulesreviews");
    let ask = async |user: &str, namespace: &str| {
        let answer = post(
            &lab.user(user, "people"),
            &path,
            json!({"spec": {"namespace": namespace}}),
        )
        .await;
        json(&answer)
    };
    let answer = ask("jo", "other").await;
    let status = &answer["status"];
    let rules = status["resourceRules"].as_array().unwrap();
    let looks = json!({"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["services", "pods/log"]});
    assert!(rules.contains(&looks), "{rules:?}");
    let everything = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
    assert!(!rules.contains(&everything));
    let paths = status["nonResourceRules"].as_array().unwrap();
    assert!(paths.contains(&json!({"verbs": ["get"], "nonResourceURLs": ["/metrics"]})));
    assert_eq!(status["incomplete"], false);
    assert_eq!(
        (&answer["spec"], &answer["metadata"]),
        (&json!({}), &json!({}))
    );
    let local = ask("jo", "default").await;
    let rules = local["status"]["resourceRules"].as_array().unwrap();
    assert!(rules.contains(&everything));
    let al = ask("al", "default").await;
    assert_eq!(
        al["status"]["evaluationError"],
        "clusterrole.rbac.authorization.k8s.io \"gone\" not found"
    );
    assert_eq!(ask("jo", "").await["code"], 400);
}
