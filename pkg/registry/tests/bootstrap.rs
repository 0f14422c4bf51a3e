//! What a cluster has from the first moment on, and that it costs no write to have it again.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{build, object, options, world};
use serde_json::json;

#[tokio::test]
async fn namespaces_are_there_and_written_once() {
    let world = world().await;
    let before = world.registry.revision();
    let names = world.keys("/registry/namespaces/");
    assert_eq!(names.len(), 4);
    assert!(names.contains(&"/registry/namespaces/kube-node-lease".to_string()));
    world.registry.bootstrap().await.unwrap();
    assert_eq!(world.registry.revision(), before);
}

#[tokio::test]
async fn ranges_and_priorities_are_shown() {
    let world = build(&["10.43.0.0/16", "fd00::/112"], 1000).await;
    let range = world.get("servicecidrs", "kubernetes").unwrap();
    assert_eq!(
        range["spec"]["cidrs"],
        json!(["10.43.0.0/16", "fd00::/112"])
    );
    let condition = &range["status"]["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["status"]),
        (&json!("Ready"), &json!("True"))
    );
    let critical = world
        .get("priorityclasses", "system-cluster-critical")
        .unwrap();
    assert_eq!(critical["value"], 2_000_000_000);
    assert_eq!(critical["metadata"]["generation"], 1);
}

#[tokio::test]
async fn another_range_is_another_object() {
    let world = build(&["10.43.0.0/16"], 1000).await;
    let before = world.get("servicecidrs", "kubernetes").unwrap();
    let other = world.restarted(&["10.44.0.0/16"]);
    other.bootstrap().await.unwrap();
    let after = world.get("servicecidrs", "kubernetes").unwrap();
    assert_eq!(after["spec"]["cidrs"], json!(["10.44.0.0/16"]));
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
}

#[tokio::test]
async fn roles_are_there_and_come_back() {
    let world = world().await;
    const ROLES: &str = "/registry/rbac.authorization.k8s.io/clusterroles/";
    const BINDINGS: &str = "/registry/rbac.authorization.k8s.io/clusterrolebindings/";
    let key = |prefix: &str, name: &str| format!("{prefix}{name}");
    let before = world.registry.revision();
    for name in ["cluster-admin", "admin", "edit", "view", "system:node"] {
        assert!(world.keys(ROLES).contains(&key(ROLES, name)), "{name}");
    }
    let role = world.stored(&key(ROLES, "system:discovery"));
    assert_eq!(role["kind"], "ClusterRole");
    assert_eq!(
        role["metadata"]["managedFields"][0]["manager"],
        "kube-apiserver"
    );
    let local = world.keys("/registry/rbac.authorization.k8s.io/rolebindings/kube-system/");
    assert_eq!(local.len(), 6);

    // What people take away of it comes back with a start, and what they add stays.
    let target = world.cluster_target("clusterrolebindings", "system:discovery");
    let mut binding = world.stored(&key(BINDINGS, "system:discovery"));
    binding["subjects"] = json!([{"kind": "User", "name": "jo"}]);
    let options = options();
    let written = world
        .registry
        .update(&target, object(binding), &options)
        .await;
    written.unwrap();
    let gone = world.cluster_target("clusterroles", "view");
    world
        .registry
        .delete(&gone, &Default::default())
        .await
        .unwrap();
    world.registry.bootstrap().await.unwrap();
    let binding = world.stored(&key(BINDINGS, "system:discovery"));
    assert_eq!(binding["subjects"][0]["name"], "jo");
    assert_eq!(binding["subjects"][1]["name"], "system:authenticated");
    assert!(world.keys(ROLES).contains(&key(ROLES, "view")));

    let after = world.registry.revision();
    assert!(after > before);
    world.registry.bootstrap().await.unwrap();
    assert_eq!(world.registry.revision(), after);
}

#[tokio::test]
async fn the_api_has_a_service() {
    let world = build(&["10.43.0.0/16", "fd00::/112"], 1000).await;
    let ensure = async |addresses: &[&str]| {
        let addresses: Vec<_> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        world
            .registry
            .ensure_kubernetes_service(&addresses, 6443)
            .await
            .unwrap();
        world.registry.revision()
    };
    let made = ensure(&["192.0.2.2", "2001:db8::2"]).await;
    let service = world.get("services", "kubernetes").unwrap();
    assert_eq!(service["spec"]["clusterIP"], "10.43.0.1");
    let port = json!([{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]);
    assert_eq!(service["spec"]["ports"], port);
    let slice = world.get("endpointslices", "kubernetes").unwrap();
    assert_eq!(
        slice["endpoints"],
        json!([{"addresses": ["192.0.2.2"], "conditions": {"ready": true}}])
    );
    assert_eq!(
        world.get("endpointslices", "kubernetes-ipv6").unwrap()["addressType"],
        "IPv6"
    );
    assert_eq!(
        world.get("endpoints", "kubernetes").unwrap()["subsets"][0]["addresses"],
        json!([{"ip": "192.0.2.2"}])
    );

    assert_eq!(ensure(&["2001:db8::2", "192.0.2.2"]).await, made);
    let moved = ensure(&["192.0.2.3"]).await;
    assert!(moved > made);
    assert!(world.get("endpointslices", "kubernetes-ipv6").is_err());
    assert_eq!(ensure(&["192.0.2.3"]).await, moved);
    assert_eq!(
        world.get("endpoints", "kubernetes").unwrap()["subsets"][0]["addresses"],
        json!([{"ip": "192.0.2.3"}])
    );
}
