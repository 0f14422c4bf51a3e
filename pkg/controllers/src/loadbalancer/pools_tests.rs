//! IPAddressPools and L2Advertisements, against a server in memory.

use serde_json::{Value, json};

use super::tests::{Bench, service};
use super::*;

fn pool(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"namespace": "m", "name": name, "labels": {"name": name}}, "spec": spec,
    })
}

fn advertisement(spec: Value) -> Value {
    json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement",
        "metadata": {"namespace": "m", "name": "l2"}, "spec": spec,
    })
}

fn counts(bench: &Bench, name: &str) -> Option<Value> {
    let pool = bench.fake.one(Resource::IPADDRESSPOOLS, "m", name)?;
    pool.at(&["status"]).cloned()
}

#[tokio::test]
async fn a_pool_comes_is_counted_and_goes() {
    let mut bench = Bench::new(&[]);
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    bench.start();
    bench.until_ingress("web", &["192.168.1.5"]).await;
    let lan = pool(
        "lan",
        json!({"addresses": ["10.9.0.0/29"], "avoidBuggyIPs": true}),
    );
    bench.fake.put(Resource::IPADDRESSPOOLS, lan);
    bench.until_ingress("web", &["10.9.0.1"]).await;
    let wanted =
        json!({"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 6, "availableIPv6": 0});
    bench
        .fake
        .until(|_| counts(&bench, "lan") == Some(wanted.clone()))
        .await;

    // A second pool changes nothing for who is served; the first one going moves it there.
    let next = pool("next", json!({"addresses": ["10.9.1.7-10.9.1.9"]}));
    bench.fake.put(Resource::IPADDRESSPOOLS, next);
    bench.fake.until(|_| counts(&bench, "next").is_some()).await;
    assert_eq!(bench.ingress("web"), ["10.9.0.1"]);
    bench.fake.remove(Resource::IPADDRESSPOOLS, "m", "lan");
    bench.until_ingress("web", &["10.9.1.7"]).await;
    bench.fake.remove(Resource::IPADDRESSPOOLS, "m", "next");
    bench.until_ingress("web", &["192.168.1.5"]).await;
}

#[tokio::test]
async fn an_edited_pool_moves_only_who_must() {
    let mut bench = Bench::new(&[]);
    let lan = |addresses: &str| pool("lan", json!({"addresses": [addresses]}));
    bench
        .fake
        .put(Resource::IPADDRESSPOOLS, lan("10.9.0.1-10.9.0.2"));
    for (name, age) in [("one", 1), ("two", 2), ("three", 3)] {
        bench
            .fake
            .put(Resource::SERVICES, service(name, age, json!({})));
    }
    bench.start();
    bench.until_ingress("two", &["10.9.0.2"]).await;
    let told = |reason: &str, text: &str| {
        let events = bench.fake.all(Resource::EVENTS);
        let says = |event: &kedge_machinery::Object| {
            event.0["reason"] == reason && event.0["message"].as_str().unwrap().contains(text)
        };
        events.iter().any(says)
    };
    let full = "no IPv4 address is free in lan (10.9.0.1-10.9.0.2)";
    bench.fake.until(|_| told("AllocationFailed", full)).await;
    bench
        .fake
        .put(Resource::IPADDRESSPOOLS, lan("10.9.0.2-10.9.0.4"));
    bench.until_ingress("three", &["10.9.0.4"]).await;
    assert_eq!(bench.ingress("one"), ["10.9.0.3"]);
    assert_eq!(bench.ingress("two"), ["10.9.0.2"]);
    bench.fake.until(|_| told("IPAllocated", "10.9.0.4")).await;
}

#[tokio::test]
async fn labels_of_namespaces_open_pools() {
    let mut bench = Bench::new(&[]);
    let namespace = |labels: Value| json!({"metadata": {"name": "a", "labels": labels}});
    let selectors = json!([{"matchLabels": {"team": "red"}}]);
    let spec = json!({"addresses": ["10.9.0.1/32"], "serviceAllocation": {"namespaceSelectors": selectors}});
    bench.fake.put(Resource::NAMESPACES, namespace(json!({})));
    bench.fake.put(Resource::IPADDRESSPOOLS, pool("red", spec));
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    bench.start();
    let waits = |bench: &Bench| !bench.fake.all(Resource::EVENTS).is_empty();
    bench.fake.until(|_| waits(&bench)).await;
    assert!(bench.ingress("web").is_empty());
    bench
        .fake
        .put(Resource::NAMESPACES, namespace(json!({"team": "red"})));
    bench.until_ingress("web", &["10.9.0.1"]).await;
    bench
        .fake
        .put(Resource::NAMESPACES, namespace(json!({"team": "blue"})));
    bench.until_ingress("web", &[]).await;
}

#[tokio::test]
async fn an_address_is_announced_where_an_advertisement_says() {
    let mut bench = Bench::new(&["10.8.0.1"]);
    bench
        .fake
        .put(Resource::SERVICES, service("old", 1, json!({})));
    bench
        .fake
        .put(Resource::SERVICES, service("web", 2, json!({})));
    bench.fake.put(
        Resource::IPADDRESSPOOLS,
        pool("lan", json!({"addresses": ["10.9.0.1/32"]})),
    );
    bench.start();
    bench.until_ingress("web", &["10.9.0.1"]).await;
    // Both kinds of pools together; that of the settings needs no advertisement.
    assert_eq!(bench.published().unwrap(), ["10.8.0.1"]);
    let node = |host: &str| json!({"metadata": {"name": "edge", "labels": {"host": host}}});
    let selectors = json!([{"matchLabels": {"host": "b"}}]);
    bench.fake.put(
        Resource::L2ADVERTISEMENTS,
        advertisement(json!({"nodeSelectors": selectors})),
    );
    bench.fake.put(Resource::NODES, node("b"));
    let mut addresses = bench.addresses.clone();
    let mut published = async |count: usize| {
        let wait = addresses.wait_for(|set| set.as_ref().is_some_and(|set| set.len() == count));
        wait.await.map(drop).unwrap();
    };
    published(2).await;
    assert_eq!(bench.published().unwrap(), ["10.8.0.1", "10.9.0.1"]);
    bench.fake.put(Resource::NODES, node("c"));
    published(1).await;
    assert_eq!(bench.ingress("web"), ["10.9.0.1"]);
    let named = advertisement(json!({"interfaces": ["eth1"]}));
    bench.fake.put(Resource::L2ADVERTISEMENTS, named);
    published(2).await;
    let links: Vec<_> = bench
        .addresses
        .borrow()
        .as_ref()
        .unwrap()
        .values()
        .cloned()
        .collect();
    assert_eq!(links, [None, Some(["eth1".to_string()].into())]);
}

#[tokio::test]
async fn a_node_that_is_excluded_from_load_balancers_announces_nothing() {
    let mut bench = Bench::new(&["10.8.0.1"]);
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    bench.start();
    bench.until_ingress("web", &["10.8.0.1"]).await;
    assert_eq!(bench.published().unwrap(), ["10.8.0.1"]);
    let mut addresses = bench.addresses.clone();
    let excluded = json!({"node.kubernetes.io/exclude-from-external-load-balancers": ""});
    for (labels, count) in [(excluded, 0), (json!({}), 1)] {
        let node = json!({"metadata": {"name": "edge", "labels": labels}});
        bench.fake.put(Resource::NODES, node);
        let wait = addresses.wait_for(|set| set.as_ref().is_some_and(|set| set.len() == count));
        wait.await.map(drop).unwrap();
        assert_eq!(bench.ingress("web"), ["10.8.0.1"], "it keeps it");
    }
}

#[tokio::test]
async fn who_leaves_a_shared_address_is_who_changed() {
    let mut bench = Bench::new(&["10.8.0.1-10.8.0.2"]);
    let sharer = |name: &str, age: u8, key: &str, port: u16| {
        let mut service = service(name, age, json!({"ports": [{"port": port}]}));
        service["metadata"]["annotations"] = json!({"metallb.io/allow-shared-ip": key});
        service
    };
    bench
        .fake
        .put(Resource::SERVICES, sharer("http", 1, "k", 80));
    bench
        .fake
        .put(Resource::SERVICES, sharer("https", 2, "k", 443));
    bench.start();
    bench.until_ingress("https", &["10.8.0.1"]).await;
    assert_eq!(bench.ingress("http"), ["10.8.0.1"]);
    bench.fake.settled().await;
    let mut changed = bench.fake.one(Resource::SERVICES, "a", "http").unwrap();
    changed.0["metadata"]["annotations"] = json!({"metallb.io/allow-shared-ip": "l"});
    bench.fake.put(Resource::SERVICES, changed.into_value());
    bench.until_ingress("http", &["10.8.0.2"]).await;
    assert_eq!(bench.ingress("https"), ["10.8.0.1"]);
}
