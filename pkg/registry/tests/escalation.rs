//! Nobody gives away more than he has.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::{World, build_with, object};
use kedge_machinery::Status;
use kedge_registry::admission::Escalation;
use kedge_registry::{Target, User, WriteOptions};
use rstest::rstest;
use serde_json::{Value, json};

async fn world() -> World {
    let world = build_with(&["10.43.0.0/28"], 100, vec![Box::new(Escalation)]).await;
    let system = |value: Value, plural: &'static str| (value, plural);
    let all = [
        system(role("readers", &["get", "list"], "pods"), "clusterroles"),
        system(
            role("escalators", &["escalate"], "clusterroles"),
            "clusterroles",
        ),
        system(role("binders", &["bind"], "clusterroles"), "clusterroles"),
        system(bind("readers", "jo"), "clusterrolebindings"),
        system(bind("escalators", "eve"), "clusterrolebindings"),
        system(bind("binders", "bo"), "clusterrolebindings"),
        system(bind("cluster-admin", "root"), "clusterrolebindings"),
    ];
    for (value, plural) in all {
        write(&world, None, plural, "", value).await.unwrap();
    }
    world
}

fn role(name: &str, verbs: &[&str], resource: &str) -> Value {
    let group = if resource == "pods" {
        ""
    } else {
        kedge_rbac::GROUP
    };
    json!({"metadata": {"name": name}, "rules": [
        {"verbs": verbs, "apiGroups": [group], "resources": [resource]},
    ]})
}

fn bind(role: &str, user: &str) -> Value {
    json!({
        "metadata": {"name": format!("{role}-{user}")},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": user}],
    })
}

async fn write(
    world: &World,
    user: Option<&str>,
    plural: &str,
    namespace: &str,
    value: Value,
) -> Result<(), Status> {
    let target = Target::new(
        world.kind(plural),
        namespace,
        value["metadata"]["name"].as_str().unwrap(),
    );
    let options = WriteOptions {
        user: user.map(|name| {
            Arc::new(User {
                name: name.into(),
                groups: vec!["people".into(), "system:authenticated".into()],
                ..User::default()
            })
        }),
        field_manager: "test".into(),
        ..WriteOptions::default()
    };
    let object = object(value);
    // Both ways in: by PUT, which creates as well.
    world
        .registry
        .update(&target, object, &options)
        .await
        .map(|_| ())
}

#[rstest]
#[case("jo", &["get"], true)]
#[case("jo", &["get", "list"], true)]
#[case("jo", &["get", "watch"], false)]
#[case("eve", &["delete"], true)]
#[case("bo", &["get"], false)]
#[case("root", &["delete"], true)]
#[tokio::test]
async fn a_role_gets_what_its_writer_holds(
    #[case] user: &str,
    #[case] verbs: &[&str],
    #[case] allowed: bool,
) {
    let world = world().await;
    let new = role("new", verbs, "pods");
    let written = write(&world, Some(user), "clusterroles", "", new.clone()).await;
    assert_eq!(written.is_ok(), allowed, "{written:?}");
    // The same of a change.
    write(
        &world,
        None,
        "clusterroles",
        "",
        role("new", &["get"], "pods"),
    )
    .await
    .unwrap();
    let mut changed = new;
    changed["metadata"]["labels"] = json!({"a": "b"});
    let written = write(&world, Some(user), "clusterroles", "", changed).await;
    assert_eq!(written.is_ok(), allowed, "{written:?}");
}

#[tokio::test]
async fn a_refusal_reads_as_upstreams() {
    let world = world().await;
    let new = role("new", &["get", "watch", "delete"], "pods");
    let refused = write(&world, Some("jo"), "roles", "default", new)
        .await
        .unwrap_err();
    let text = "roles.rbac.authorization.k8s.io \"new\" is forbidden: user \"jo\" (groups=[\"people\" \"system:authenticated\"]) \
        is attempting to grant RBAC permissions not currently held:\n\
        {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"watch\" \"delete\"]}";
    assert_eq!((refused.code, refused.message.as_str()), (403, text));
}

#[rstest]
#[case("jo", "readers", true)]
#[case("jo", "cluster-admin", false)]
#[case("jo", "escalators", false)]
#[case("bo", "cluster-admin", true)]
#[case("eve", "readers", false)]
#[case("root", "cluster-admin", true)]
#[tokio::test]
async fn a_binding_gives_what_its_writer_holds(
    #[case] user: &str,
    #[case] role: &str,
    #[case] allowed: bool,
) {
    let world = world().await;
    for (plural, namespace) in [("clusterrolebindings", ""), ("rolebindings", "default")] {
        let written = write(&world, Some(user), plural, namespace, bind(role, "al")).await;
        assert_eq!(written.is_ok(), allowed, "{plural}: {written:?}");
    }
}

#[tokio::test]
async fn a_role_that_is_not_there_is_bound_by_who_may_bind() {
    let world = world().await;
    let refused = write(
        &world,
        Some("jo"),
        "clusterrolebindings",
        "",
        bind("later", "al"),
    )
    .await;
    let text = "clusterroles.rbac.authorization.k8s.io \"later\" not found";
    assert_eq!(refused.unwrap_err().message, text);
    write(
        &world,
        Some("bo"),
        "clusterrolebindings",
        "",
        bind("later", "al"),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn only_who_holds_everything_aggregates() {
    let world = world().await;
    let whole = json!({
        "metadata": {"name": "whole"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
    });
    let refused = write(&world, Some("jo"), "clusterroles", "", whole.clone())
        .await
        .unwrap_err();
    let text = "must have cluster-admin privileges to use the aggregationRule";
    assert!(refused.message.ends_with(text), "{}", refused.message);
    write(&world, Some("root"), "clusterroles", "", whole.clone())
        .await
        .unwrap();
    let plain = json!({"metadata": {"name": "whole"}, "rules": []});
    assert!(
        write(&world, Some("jo"), "clusterroles", "", plain)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn collecting_garbage_grants_nothing() {
    let world = world().await;
    let mut root = world.stored("/registry/rbac.authorization.k8s.io/clusterroles/cluster-admin");
    root["metadata"]["finalizers"] = json!(["a/b"]);
    write(&world, Some("jo"), "clusterroles", "", root.clone())
        .await
        .unwrap();
    root["metadata"]["labels"]["c"] = "d".into();
    root["metadata"]["resourceVersion"] = json!(null);
    assert!(
        write(&world, Some("jo"), "clusterroles", "", root)
            .await
            .is_err()
    );
}
