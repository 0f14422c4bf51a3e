use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn put(policy: &mut Policy, resource: Resource, namespace: &str, name: &str, object: Value) {
    policy.put(resource, namespace, name, object.to_string().into());
}

fn rules(verb: &str, resource: &str) -> Value {
    json!({"rules": [{"verbs": [verb], "apiGroups": [""], "resources": [resource]}]})
}

fn binding(kind: &str, role: &str, subjects: Value) -> Value {
    json!({"roleRef": {"apiGroup": GROUP, "kind": kind, "name": role}, "subjects": subjects})
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    put(
        &mut policy,
        Resource::ClusterRoles,
        "",
        "reader",
        rules("get", "pods"),
    );
    put(
        &mut policy,
        Resource::Roles,
        "a",
        "writer",
        rules("create", "pods"),
    );
    let crowd = json!([{"kind": "Group", "name": "crowd"}, {"kind": "User", "name": "jo"}]);
    put(
        &mut policy,
        Resource::ClusterRoleBindings,
        "",
        "readers",
        binding("ClusterRole", "reader", crowd),
    );
    let robot = json!([{"kind": "ServiceAccount", "name": "robot"}, {"kind": "ServiceAccount", "name": "x", "namespace": "b"}]);
    put(
        &mut policy,
        Resource::RoleBindings,
        "a",
        "writers",
        binding("Role", "writer", robot.clone()),
    );
    put(
        &mut policy,
        Resource::ClusterRoleBindings,
        "",
        "robots",
        binding("ClusterRole", "reader", robot),
    );
    put(
        &mut policy,
        Resource::RoleBindings,
        "a",
        "readers",
        binding(
            "ClusterRole",
            "reader",
            json!([{"kind": "User", "name": "eve"}]),
        ),
    );
    put(
        &mut policy,
        Resource::RoleBindings,
        "a",
        "lost",
        binding("Role", "gone", json!([{"kind": "User", "name": "eve"}])),
    );
    policy
}

fn ask(
    policy: &Policy,
    user: &str,
    groups: &[&str],
    verb: &str,
    namespace: &str,
) -> Option<String> {
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let who = Who {
        name: user,
        groups: &groups,
    };
    let request = Request::Resource {
        verb,
        group: "",
        resource: "pods",
        subresource: "",
        namespace,
        name: "",
    };
    policy.allows(who, &request).map(|grant| grant.to_string())
}

#[rstest]
#[case("jo", &[], "get", "", Some(r#"ClusterRoleBinding "readers" of ClusterRole "reader" to User "jo""#))]
#[case("al", &["crowd"], "get", "z", Some(r#"ClusterRoleBinding "readers" of ClusterRole "reader" to Group "crowd""#))]
#[case("al", &["other"], "get", "z", None)]
#[case("jo", &[], "create", "a", None)]
#[case("eve", &[], "get", "a", Some(r#"RoleBinding "readers/a" of ClusterRole "reader" to User "eve""#))]
#[case("eve", &[], "get", "", None)]
#[case("eve", &[], "get", "b", None)]
#[case("system:serviceaccount:a:robot", &[], "create", "a", Some(r#"RoleBinding "writers/a" of Role "writer" to ServiceAccount "robot/a""#))]
#[case("system:serviceaccount:b:robot", &[], "create", "a", None)]
#[case("system:serviceaccount:b:x", &[], "create", "a", Some(r#"RoleBinding "writers/a" of Role "writer" to ServiceAccount "x/b""#))]
// A service account without a namespace is nobody where the binding has none.
#[case("system:serviceaccount::robot", &[], "get", "", None)]
#[case("system:serviceaccount:b:x", &[], "get", "", Some(r#"ClusterRoleBinding "robots" of ClusterRole "reader" to ServiceAccount "x/b""#))]
#[case("crowd", &[], "get", "", None)]
#[case("al", &["jo"], "get", "", None)]
fn whom_bindings_mean(
    #[case] user: &str,
    #[case] groups: &[&str],
    #[case] verb: &str,
    #[case] namespace: &str,
    #[case] expected: Option<&str>,
) {
    let expected = expected.map(|text| format!("RBAC: allowed by {text}"));
    assert_eq!(ask(&policy(), user, groups, verb, namespace), expected);
}

#[test]
fn what_changes_counts_at_once() {
    let mut policy = policy();
    put(
        &mut policy,
        Resource::ClusterRoles,
        "",
        "reader",
        rules("list", "pods"),
    );
    assert_eq!(ask(&policy, "jo", &[], "get", ""), None);
    assert!(ask(&policy, "jo", &[], "list", "").is_some());
    let others = json!([{"kind": "User", "name": "al"}]);
    put(
        &mut policy,
        Resource::ClusterRoleBindings,
        "",
        "readers",
        binding("ClusterRole", "reader", others),
    );
    assert_eq!(ask(&policy, "jo", &["crowd"], "list", ""), None);
    assert!(ask(&policy, "al", &[], "list", "").is_some());
    policy.remove(Resource::ClusterRoles, "", "reader");
    assert_eq!(ask(&policy, "al", &[], "list", ""), None);
    for name in ["readers", "robots"] {
        policy.remove(Resource::ClusterRoleBindings, "", name);
    }
    for name in ["readers", "writers", "lost"] {
        policy.remove(Resource::RoleBindings, "a", name);
    }
    policy.remove(Resource::Roles, "a", "writer");
    assert!(policy.bindings.is_empty() && policy.roles.is_empty());
}

#[test]
fn rules_that_somebody_has() {
    let policy = policy();
    let groups = ["crowd".to_string()];
    let who = Who {
        name: "eve",
        groups: &groups,
    };
    let found = policy.rules_for(who, "a");
    let texts: Vec<String> = found.rules.iter().map(ToString::to_string).collect();
    let pods = r#"{APIGroups:[""], Resources:["pods"], Verbs:["get"]}"#;
    assert_eq!(texts, [pods, pods]);
    let lost = "role.rbac.authorization.k8s.io \"gone\" not found";
    assert_eq!(found.error().as_deref(), Some(lost));
    assert_eq!(policy.rules_for(who, "").rules.len(), 1);
}

#[test]
fn what_cannot_be_read_allows_nothing() {
    let mut policy = Policy::default();
    policy.put(Resource::ClusterRoles, "", "r", Bytes::from_static(b"{"));
    policy.put(
        Resource::ClusterRoleBindings,
        "",
        "b",
        Bytes::from_static(b"[]"),
    );
    put(
        &mut policy,
        Resource::ClusterRoleBindings,
        "",
        "c",
        binding(
            "ClusterRole",
            "r",
            json!([{"kind": "User", "name": "jo"}, {"kind": "Thing", "name": "jo"}]),
        ),
    );
    assert_eq!(ask(&policy, "jo", &[], "get", ""), None);
}
