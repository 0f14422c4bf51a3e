//! Claims equal what Services hold, whatever happens: never twice, never leaked.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "allocation/families.rs"]
mod families;
#[path = "allocation/holding.rs"]
mod holding;
#[path = "allocation/types.rs"]
mod types;

use std::collections::BTreeSet;

use common::{World, build, parse, world};
use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Checks every claim against every Service, both ways.
fn assert_claims(world: &World) {
    let page = world.list("services", &Default::default()).unwrap();
    let mut held = Vec::new();
    for entry in &page.items {
        let service = parse(&entry.value());
        let spec = &service["spec"];
        for ip in spec["clusterIPs"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|ip| *ip != "None")
        {
            held.push(format!(
                "/registry/networking.k8s.io/ipaddresses/{}",
                ip.as_str().unwrap()
            ));
        }
        // Like upstream, an ExternalName Service may carry a node port that means nothing.
        let ports = spec["ports"]
            .as_array()
            .filter(|_| spec["type"] != "ExternalName");
        let mut ports: BTreeSet<i64> = ports
            .into_iter()
            .flatten()
            .filter_map(|p| p["nodePort"].as_i64())
            .collect();
        ports.extend(spec["healthCheckNodePort"].as_i64());
        held.extend(
            ports
                .into_iter()
                .map(|port| format!("/kedge/nodeports/{port}")),
        );
    }
    held.sort();
    let once: BTreeSet<_> = held.iter().cloned().collect();
    assert_eq!(once.len(), held.len(), "held twice: {held:?}");
    let mut claims = world.keys("/registry/networking.k8s.io/ipaddresses/");
    claims.extend(world.keys("/kedge/nodeports/"));
    claims.sort();
    assert_eq!(claims, held);
}

fn service(name: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name}, "spec": spec})
}

#[tokio::test]
async fn an_address_is_shown_as_its_object() {
    let world = world().await;
    let made = world
        .create("services", service("s", json!({"ports": [{"port": 80}]})))
        .await
        .unwrap();
    let ip = made["spec"]["clusterIP"].as_str().unwrap();
    let entry = world
        .store
        .get(&format!("/registry/networking.k8s.io/ipaddresses/{ip}"))
        .unwrap();
    let mut address = parse(&entry.value());
    assert_eq!(address["metadata"]["name"], ip);
    assert_eq!(
        address["metadata"]["managedFields"][0]["manager"],
        "kube-apiserver"
    );
    assert_eq!(
        address["metadata"]["labels"]["ipaddress.kubernetes.io/ip-family"],
        "IPv4"
    );
    assert_eq!(
        address["spec"]["parentRef"],
        json!({"resource": "services", "namespace": "default", "name": "s"})
    );
    // It is what a client would have made of it.
    let mut made_by_hand = address.clone();
    made_by_hand["metadata"] =
        json!({"name": "10.43.77.77", "labels": address["metadata"]["labels"]});
    let mut expected = world.create("ipaddresses", made_by_hand).await.unwrap();
    for meta in [&mut expected["metadata"], &mut address["metadata"]] {
        for own in ["name", "uid", "creationTimestamp"] {
            meta[own].take();
        }
        let manager = &mut meta["managedFields"][0];
        manager["time"].take();
        manager["manager"].take();
    }
    let revision = std::mem::replace(
        &mut address["metadata"]["resourceVersion"],
        expected["metadata"]["resourceVersion"].clone(),
    );
    assert_eq!(address, expected);
    // One write: the claim has the Service's revision.
    assert_eq!(revision, made["metadata"]["resourceVersion"]);
    world.delete("services", "s").await.unwrap();
    assert!(world.store.get(&entry.key).is_none());
}

#[tokio::test]
async fn what_is_taken_is_refused() {
    let world = world().await;
    let ask = |name: &str| {
        service(
            name,
            json!({"clusterIP": "10.43.0.9", "ports": [{"port": 80}]}),
        )
    };
    world.create("services", ask("a")).await.unwrap();
    let refused = world.create("services", ask("b")).await.unwrap_err();
    let cause = &refused.details.as_ref().unwrap().causes[0];
    assert_eq!(
        (refused.code, cause.field.as_str()),
        (422, "spec.clusterIPs")
    );
    assert!(
        cause.message.contains("provided IP is already allocated"),
        "{}",
        cause.message
    );
    let port = |name: &str| {
        service(
            name,
            json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30007}]}),
        )
    };
    world.create("services", port("c")).await.unwrap();
    let refused = world.create("services", port("d")).await.unwrap_err();
    assert_eq!(
        refused.details.unwrap().causes[0].field,
        "spec.ports[0].nodePort"
    );
    // The refused Service has not kept the address that was chosen for it.
    assert_claims(&world);
}

#[tokio::test]
async fn types_come_and_go_with_their_claims() {
    let world = world().await;
    world
        .create("services", service("s", json!({"ports": [{"port": 80}]})))
        .await
        .unwrap();
    let target = world.target("services", "s");
    let steps = [
        json!({"type": "NodePort"}),
        json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}),
        json!({"ports": [{"port": 80, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"}, {"port": 53, "name": "c"}]}),
        json!({"externalTrafficPolicy": "Cluster"}),
        json!({"type": "ClusterIP"}),
        json!({"type": "ExternalName", "externalName": "x.example.com"}),
        json!({"type": "ClusterIP", "externalName": null}),
    ];
    for step in steps {
        let changed = world.merge(&target, json!({"spec": step})).await.unwrap();
        assert_claims(&world);
        if changed["spec"]["ports"]
            .as_array()
            .is_some_and(|ports| ports.len() == 3 && ports[1].get("nodePort").is_some())
        {
            assert_eq!(
                changed["spec"]["ports"][1]["nodePort"],
                changed["spec"]["ports"][2]["nodePort"]
            );
        }
    }
    let shared = world
        .merge(&target, json!({"spec": {"type": "NodePort"}}))
        .await
        .unwrap();
    assert_eq!(
        shared["spec"]["ports"][1]["nodePort"],
        shared["spec"]["ports"][2]["nodePort"]
    );
    assert_claims(&world);
    world.delete("services", "s").await.unwrap();
    assert_claims(&world);
    assert!(world.keys("/kedge/").is_empty());
}

#[tokio::test]
async fn two_families_upgrade_and_downgrade() {
    let world = build(&["10.43.0.0/28", "fd00::/120"], 1000).await;
    world
        .create("services", service("s", json!({"ports": [{"port": 80}]})))
        .await
        .unwrap();
    let target = world.target("services", "s");
    let both = world
        .merge(
            &target,
            json!({"spec": {"ipFamilyPolicy": "RequireDualStack"}}),
        )
        .await
        .unwrap();
    assert_eq!(both["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
    assert_eq!(both["spec"]["clusterIPs"].as_array().unwrap().len(), 2);
    assert_claims(&world);
    let one = world
        .merge(&target, json!({"spec": {"ipFamilyPolicy": "SingleStack"}}))
        .await
        .unwrap();
    assert_eq!(
        one["spec"]["clusterIPs"],
        json!([both["spec"]["clusterIPs"][0]])
    );
    assert_claims(&world);
}

/// KEP-1880: a range that somebody adds is used, and no more once it is going.
#[tokio::test]
async fn an_added_range_serves_until_it_goes() {
    let world = build(&["10.43.0.0/30"], 1000).await;
    let plain = |name: &str| service(name, json!({"ports": [{"port": 80}]}));
    let asks =
        |name: &str, ip: &str| service(name, json!({"clusterIP": ip, "ports": [{"port": 80}]}));
    for name in ["a", "b"] {
        world.create("services", plain(name)).await.unwrap();
    }
    assert_eq!(
        world.create("services", plain("c")).await.unwrap_err().code,
        500
    );
    let range = json!({
        "metadata": {"name": "more", "finalizers": ["example.com/stay"]}, "spec": {"cidrs": ["10.44.0.0/28"]},
    });
    let target = world.cluster_target("servicecidrs", "");
    world
        .registry
        .create(&target, common::object(range), &common::options())
        .await
        .unwrap();
    let made = world.create("services", plain("c")).await.unwrap();
    let ip = made["spec"]["clusterIP"].as_str().unwrap();
    assert!(ip.starts_with("10.44.0."), "{ip}");
    let free: Vec<&str> = ["10.44.0.12", "10.44.0.13", "10.44.0.14"]
        .into_iter()
        .filter(|free| *free != ip)
        .collect();
    world.create("services", asks("d", free[0])).await.unwrap();
    let refused = world
        .create("services", asks("e", "10.44.0.15"))
        .await
        .unwrap_err();
    assert_eq!(refused.code, 422);
    assert_claims(&world);
    let target = world.cluster_target("servicecidrs", "more");
    world
        .registry
        .delete(&target, &Default::default())
        .await
        .unwrap();
    let refused = world
        .create("services", asks("e", free[1]))
        .await
        .unwrap_err();
    assert_eq!(refused.code, 422);
    assert_eq!(
        world.create("services", plain("e")).await.unwrap_err().code,
        500
    );
    world.delete("services", "c").await.unwrap();
    assert_claims(&world);
}

/// Upstream stores it, and its allocator has none of it.
#[tokio::test]
async fn an_added_range_wider_than_64_bits_gives_no_addresses() {
    let world = build(&["10.43.0.0/28", "fd00::/126"], 1000).await;
    let asks = |name: &str, ip: &str| {
        service(
            name,
            json!({"clusterIP": ip, "ipFamilies": ["IPv6"], "ports": [{"port": 80}]}),
        )
    };
    for (name, range, code) in [("wide", "fd01::/63", 422), ("even", "fd02::/64", 0)] {
        let range = json!({"metadata": {"name": name}, "spec": {"cidrs": [range]}});
        let target = world.cluster_target("servicecidrs", "");
        let made = world
            .registry
            .create(&target, common::object(range.clone()), &common::options())
            .await;
        made.unwrap();
        let first = range["spec"]["cidrs"][0].as_str().unwrap();
        let ip = first.replace("::/63", "::5").replace("::/64", "::5");
        let given = world.create("services", asks(name, &ip)).await;
        assert_eq!(given.err().map_or(0, |status| status.code), code, "{ip}");
    }
    assert_claims(&world);
}

#[tokio::test]
async fn racers_share_the_range_until_it_is_full() {
    let world = world().await;
    let creates = (0..30).map(|i| {
        let body = service(
            &format!("s{i}"),
            json!({"type": "NodePort", "ports": [{"port": 80}, {"port": 81, "name": "x"}]}),
        );
        let body = if i % 2 == 0 {
            body
        } else {
            service(&format!("s{i}"), json!({"ports": [{"port": 80}]}))
        };
        let world = &world;
        async move {
            let mut body = body;
            body["spec"]["ports"][0]["name"] = "y".into();
            world.create("services", body).await
        }
    });
    let results = join_all(creates).await;
    // 14 addresses: so many succeed, and the others are told why.
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 14);
    for status in results.into_iter().filter_map(Result::err) {
        assert_eq!(status.code, 500);
        assert!(status.message.contains("range is full"), "{status}");
    }
    assert_claims(&world);
}

#[derive(Debug, Clone)]
enum Op {
    Create(u8, &'static str, Option<u8>),
    Retype(u8, &'static str),
    Port(u8, u8),
    Delete(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let kind = prop::sample::select(vec![
        "ClusterIP",
        "NodePort",
        "LoadBalancer",
        "ExternalName",
    ]);
    prop_oneof![
        (0u8..8, kind.clone(), prop::option::of(0u8..4))
            .prop_map(|(n, kind, ip)| Op::Create(n, kind, ip)),
        (0u8..8, kind).prop_map(|(n, kind)| Op::Retype(n, kind)),
        (0u8..8, 0u8..6).prop_map(|(n, port)| Op::Port(n, port)),
        (0u8..8).prop_map(Op::Delete),
    ]
}

/// Does it; refusals are as good as successes, but nothing else is.
async fn run(world: &World, op: Op) {
    let result = match op {
        Op::Create(n, kind, ip) => {
            let mut spec =
                json!({"type": kind, "ports": [{"port": 80}], "externalTrafficPolicy": "Local"});
            match kind {
                "ExternalName" => spec = json!({"type": kind, "externalName": "a.example.com"}),
                "ClusterIP" => spec = json!({"type": kind, "ports": [{"port": 80}]}),
                _ => {}
            }
            if let (Some(ip), true) = (ip, kind != "ExternalName") {
                spec["clusterIP"] = format!("10.43.0.{}", ip + 1).into();
            }
            world
                .create("services", service(&format!("s{n}"), spec))
                .await
                .map(|_| ())
        }
        Op::Retype(n, kind) => {
            let mut spec = json!({"type": kind, "externalName": null});
            if kind == "ExternalName" {
                spec["externalName"] = "a.example.com".into();
            } else {
                spec["ports"] = json!([{"port": 80}]);
            }
            world
                .merge(
                    &world.target("services", &format!("s{n}")),
                    json!({"spec": spec}),
                )
                .await
                .map(|_| ())
        }
        Op::Port(n, port) => {
            let ports = json!([{"port": 80, "nodePort": 30000 + i64::from(port)}]);
            world
                .merge(
                    &world.target("services", &format!("s{n}")),
                    json!({"spec": {"ports": ports}}),
                )
                .await
                .map(|_| ())
        }
        Op::Delete(n) => world.delete("services", &format!("s{n}")).await.map(|_| ()),
    };
    if let Err(status) = result {
        let full = status.message.contains("range is full");
        assert!(matches!(status.code, 404 | 409 | 422) || full, "{status}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn claims_are_what_services_hold(rounds in prop::collection::vec(prop::collection::vec(op(), 1..8), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = world().await;
            for round in rounds {
                join_all(round.into_iter().map(|op| run(&world, op))).await;
                assert_claims(&world);
            }
        });
    }
}
