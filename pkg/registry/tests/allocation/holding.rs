//! What is held is held until it is over, and what comes to nothing holds nothing: trials, refused updates, Services that
//! finalizers keep.

use kedge_registry::{DeleteOptions, Target, WriteOptions};
use serde_json::{Value, json};

use super::common::{World, object, options, world};
use super::{assert_claims, parse, service};

fn claims(world: &World) -> Vec<String> {
    let mut claims = world.keys("/registry/networking.k8s.io/ipaddresses/");
    claims.extend(world.keys("/kedge/nodeports/"));
    claims
}

/// A Service that holds an address, a node port and a port for health checks.
fn balancer() -> Value {
    let ports = json!([{"name": "a", "port": 80, "nodePort": 30001}]);
    service(
        "s",
        json!({
            "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30002,
            "clusterIP": "10.43.0.9", "ports": ports,
        }),
    )
}

fn name() -> Value {
    service(
        "s",
        json!({"type": "ExternalName", "externalName": "x.example.com", "ports": [{"port": 80}]}),
    )
}

/// Whether the three are there.
fn told(service: &Value) -> [bool; 3] {
    let spec = &service["spec"];
    [
        &spec["clusterIP"],
        &spec["ports"][0]["nodePort"],
        &spec["healthCheckNodePort"],
    ]
    .map(|value| !value.is_null())
}

#[tokio::test]
async fn a_trial_tells_what_it_would_hold_and_holds_nothing() {
    let world = world().await;
    let trial = WriteOptions {
        dry_run: true,
        ..options()
    };
    let before = claims(&world);
    let target = world.target("services", "");
    let made = world
        .registry
        .create(&target, object(balancer()), &trial)
        .await;
    assert_eq!(told(&parse(&made.unwrap().value)), [true; 3]);
    assert_eq!(claims(&world), before);

    let target = world.target("services", "s");
    for (first, second, holds) in [(name(), balancer(), true), (balancer(), name(), false)] {
        world.create("services", first).await.unwrap();
        let before = claims(&world);
        let changed = world.registry.update(&target, object(second), &trial).await;
        assert_eq!(told(&parse(&changed.unwrap().value)), [holds; 3]);
        assert_eq!(claims(&world), before);
        let delete = DeleteOptions {
            dry_run: true,
            ..DeleteOptions::default()
        };
        world.registry.delete(&target, &delete).await.unwrap();
        assert_eq!(claims(&world), before);
        world.delete("services", "s").await.unwrap();
    }
    assert_claims(&world);
}

#[tokio::test]
async fn a_refused_update_changes_nothing_that_is_held() {
    let world = world().await;
    world.create("services", balancer()).await.unwrap();
    let other = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30005}]});
    world
        .create("services", service("other", other))
        .await
        .unwrap();
    let before = claims(&world);
    let port = |name: &str, port: i64, node_port: i64| json!({"name": name, "port": port, "nodePort": node_port});
    for (change, field) in [
        // One more port is taken before it is seen that the next one is another's.
        (
            json!({"ports": [port("a", 80, 30001), port("b", 81, 30006), port("c", 82, 30005)]}),
            "spec.ports[2].nodePort",
        ),
        // Its own port for health checks is no node port, though the number is its own.
        (
            json!({"ports": [port("a", 80, 30002)]}),
            "spec.ports[0].nodePort",
        ),
        (
            json!({"healthCheckNodePort": 30003}),
            "spec.healthCheckNodePort",
        ),
        (
            json!({"clusterIP": "10.43.0.7", "clusterIPs": ["10.43.0.7"]}),
            "spec.clusterIPs[0]",
        ),
    ] {
        let target = world.target("services", "s");
        let refused = world.merge(&target, json!({"spec": change})).await;
        let causes = refused.unwrap_err().details.unwrap().causes;
        assert_eq!(causes[0].field, field);
        assert_eq!(claims(&world), before);
    }
    assert_claims(&world);
}

#[tokio::test]
async fn finalizers_keep_what_is_held() {
    let world = world().await;
    let again = || {
        let mut other = balancer();
        other["metadata"]["name"] = "other".into();
        other
    };
    // The last finalizer may go with the status too.
    for subresource in ["", "status"] {
        let mut held = balancer();
        held["metadata"]["finalizers"] = json!(["example.com/stay"]);
        world.create("services", held).await.unwrap();
        let before = claims(&world);
        world.delete("services", "s").await.unwrap();
        assert_eq!(claims(&world), before);
        let refused = world.create("services", again()).await.unwrap_err();
        assert_eq!(refused.details.unwrap().causes[0].field, "spec.clusterIPs");
        let target = Target {
            subresource: subresource.into(),
            ..world.target("services", "s")
        };
        world
            .merge(&target, json!({"metadata": {"finalizers": null}}))
            .await
            .unwrap();
        assert!(world.get("services", "s").unwrap_err().is_not_found());
        world.create("services", again()).await.unwrap();
        world.delete("services", "other").await.unwrap();
    }
    assert_claims(&world);
}
