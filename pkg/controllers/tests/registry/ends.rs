//! What goes, in which order, and what stays.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreground_deletion_ends() {
    let server = Server::start().await;
    let running = server.run();
    server
        .create(Resource::SERVICES, service("default", "web"))
        .await;
    server
        .until(&[Resource::ENDPOINTSLICES], || async {
            server.list(Resource::ENDPOINTSLICES, "default").await.len() == 2
        })
        .await;
    server.quiet().await;
    server
        .delete(
            Resource::SERVICES,
            "default",
            "web",
            Propagation::Foreground,
        )
        .await;
    let web = key(Resource::SERVICES, "default", "web");
    server
        .until(&[Resource::SERVICES], || async {
            server.client.get(&web).await.is_err()
        })
        .await;
    server.quiet().await;
    assert_eq!(
        server.list(Resource::ENDPOINTSLICES, "default").await.len(),
        1
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orphans_stay() {
    let server = Server::start().await;
    let running = server.run();
    server
        .create(Resource::SERVICES, service("default", "web"))
        .await;
    server
        .until(&[Resource::ENDPOINTSLICES], || async {
            server.list(Resource::ENDPOINTSLICES, "default").await.len() == 2
        })
        .await;
    server.quiet().await;
    server
        .delete(Resource::SERVICES, "default", "web", Propagation::Orphan)
        .await;
    let web = key(Resource::SERVICES, "default", "web");
    server
        .until(&[Resource::SERVICES], || async {
            server.client.get(&web).await.is_err()
        })
        .await;
    server.quiet().await;
    assert_eq!(
        server.list(Resource::ENDPOINTSLICES, "default").await.len(),
        2
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_goes_with_its_services() {
    let server = Server::start().await;
    let running = server.run();
    server
        .create(Resource::NAMESPACES, json!({"metadata": {"name": "shop"}}))
        .await;
    server
        .create(Resource::SERVICES, service("shop", "web"))
        .await;
    server
        .create(
            Resource::CONFIGMAPS,
            json!({"metadata": {"namespace": "shop", "name": "c"}}),
        )
        .await;
    server
        .until(&[Resource::ENDPOINTSLICES], || async {
            !server
                .list(Resource::ENDPOINTSLICES, "shop")
                .await
                .is_empty()
        })
        .await;
    server.quiet().await;
    server
        .delete(Resource::NAMESPACES, "", "shop", Propagation::Background)
        .await;
    let shop = key(Resource::NAMESPACES, "", "shop");
    server
        .until(&[Resource::NAMESPACES], || async {
            server.client.get(&shop).await.is_err()
        })
        .await;
    for resource in [
        Resource::SERVICES,
        Resource::ENDPOINTSLICES,
        Resource::ENDPOINTS,
        Resource::CONFIGMAPS,
    ] {
        assert!(
            server.list(resource, "shop").await.is_empty(),
            "{}",
            resource.plural
        );
    }
    server.quiet().await;
    running.stop().await;
}

/// Upstream's test of the same: three Pods that own one another, one of them deleted in the foreground.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_own_one_another_go_together() {
    const NAMES: [&str; 3] = ["one", "two", "three"];
    let server = Server::start().await;
    let running = server.run();
    let mut made = Vec::new();
    for name in NAMES {
        let pod = json!({
            "metadata": {"namespace": "default", "name": name},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "c"}]},
        });
        made.push(server.create(Resource::PODS, pod).await);
    }
    for (index, pod) in made.iter().enumerate() {
        let owner = &made[(index + 2) % 3];
        let mut owned = pod.clone();
        let reference = json!({
            "apiVersion": "v1", "kind": "Pod", "name": owner.name(), "uid": owner.uid(),
            "controller": true, "blockOwnerDeletion": true,
        });
        owned
            .meta_mut()
            .insert("ownerReferences".into(), json!([reference]));
        let updated = server.client.update(Resource::PODS, "", owned);
        updated.await.unwrap();
    }
    server.quiet().await;
    assert_eq!(server.list(Resource::PODS, "default").await.len(), 3);
    server
        .delete(Resource::PODS, "default", "one", Propagation::Foreground)
        .await;
    server
        .until(&[Resource::PODS], || async {
            server.list(Resource::PODS, "default").await.is_empty()
        })
        .await;
    running.stop().await;
}

/// A Pod that is held holds the rest of its namespace, which says what it waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_waits_for_its_pods_first() {
    let server = Server::start().await;
    let running = server.run();
    server
        .create(Resource::NAMESPACES, json!({"metadata": {"name": "shop"}}))
        .await;
    let mut held = pod("shop", "held", "web");
    held["metadata"]["finalizers"] = json!(["example.com/held"]);
    server.create(Resource::PODS, held).await;
    let map = json!({"metadata": {"namespace": "shop", "name": "c"}});
    server.create(Resource::CONFIGMAPS, map).await;
    server.quiet().await;
    server
        .delete(Resource::NAMESPACES, "", "shop", Propagation::Background)
        .await;
    let shop = key(Resource::NAMESPACES, "", "shop");
    let place = key(Resource::PODS, "shop", "held");
    server
        .until(&[Resource::NAMESPACES], || async {
            let shop = server.client.get(&shop).await.unwrap();
            shop.into_value()["status"]["conditions"][4]["status"] == "True"
        })
        .await;
    server.quiet().await;
    let mut held = server.client.get(&place).await.unwrap();
    assert!(held.is_terminating());
    let map = key(Resource::CONFIGMAPS, "shop", "c");
    server.client.get(&map).await.unwrap();
    held.meta_mut().remove("finalizers");
    let freed = server.client.update(Resource::PODS, "", held);
    freed.await.unwrap();
    server
        .until(&[Resource::NAMESPACES], || async {
            server.client.get(&shop).await.is_err()
        })
        .await;
    running.stop().await;
}
