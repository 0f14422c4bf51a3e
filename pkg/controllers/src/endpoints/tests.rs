//! The endpoints controller against a server in memory.

use kedge_machinery::{Object, Status};
use serde_json::{Value, json};

use super::*;
use crate::fake::{Fake, Running};

fn run(fake: &Fake) -> Running {
    fake.run(|| Endpoints::new(false))
}

fn service(name: &str, spec: Value) -> Value {
    let mut service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "a", "name": name, "labels": {"team": "x"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "type": "ClusterIP", "clusterIP": "10.43.0.7", "ipFamilies": ["IPv4"], "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
        },
    });
    for (key, value) in spec.as_object().unwrap() {
        service["spec"][key] = value.clone();
    }
    service
}

fn pod(name: &str, app: &str, ips: &[&str], ready: bool) -> Value {
    let ips: Vec<Value> = ips.iter().map(|ip| json!({"ip": ip})).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "a", "name": name, "uid": format!("pod-{name}"), "labels": {"app": app}},
        "spec": {"nodeName": "node1", "containers": [{"name": "c", "ports": [{"name": "web", "containerPort": 9090}]}]},
        "status": {
            "phase": "Running", "podIP": ips.first().map(|ip| ip["ip"].clone()), "podIPs": ips,
            "conditions": [{
                "type": "Ready", "status": if ready { "True" } else { "False" },
                "lastTransitionTime": "2026-02-02T00:00:00Z",
            }],
        },
    })
}

fn slices(fake: &Fake) -> Vec<Object> {
    fake.all(Resource::ENDPOINTSLICES)
}

/// Address, ready, serving and terminating of each endpoint, sorted.
fn told(fake: &Fake) -> Vec<(String, bool, bool, bool)> {
    let mut all = Vec::new();
    for slice in slices(fake) {
        for endpoint in slice.0["endpoints"].as_array().unwrap() {
            let is = |key: &str| endpoint["conditions"][key].as_bool().unwrap();
            all.push((
                endpoint["addresses"][0].as_str().unwrap().to_string(),
                is("ready"),
                is("serving"),
                is("terminating"),
            ));
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn a_slice_is_as_upstream_makes_it() {
    let fake = Fake::new();
    fake.put(
        Resource::NODES,
        json!({"metadata": {"name": "node1", "labels": {"topology.kubernetes.io/zone": "z1"}}}),
    );
    let owner = fake.put(Resource::SERVICES, service("web", json!({})));
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
    fake.put(Resource::PODS, pod("p2", "other", &["10.42.0.6"], true));
    let _running = run(&fake);
    fake.until(|fake| !told(fake).is_empty()).await;

    let mut slice = slices(&fake).remove(0);
    for key in ["uid", "resourceVersion", "name", "creationTimestamp"] {
        slice.meta_mut().remove(key);
    }
    assert_eq!(
        slice.into_value(),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "namespace": "a", "generateName": "web-",
                "labels": {
                    "team": "x", "kubernetes.io/service-name": "web",
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                },
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-02-02T00:00:00Z"},
                "ownerReferences": [{
                    "apiVersion": "v1", "kind": "Service", "name": "web", "uid": owner.uid(),
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{
                "addresses": ["10.42.0.5"],
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "nodeName": "node1", "zone": "z1",
                "targetRef": {"kind": "Pod", "namespace": "a", "name": "p1", "uid": "pod-p1"},
            }],
        })
    );
    assert_eq!(fake.take_writes().len(), 1);
    assert!(
        fake.settled().await.is_empty(),
        "its own write is no reason for another"
    );
}

#[tokio::test]
async fn pods_come_and_go() {
    let fake = Fake::new();
    fake.put(Resource::SERVICES, service("web", json!({})));
    let _running = run(&fake);
    // A Service without Pods says so.
    fake.until(|fake| slices(fake).len() == 1).await;
    assert_eq!(slices(&fake)[0].0["ports"], json!([]));

    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], false));
    fake.until(|fake| told(fake) == [("10.42.0.5".into(), false, false, false)])
        .await;
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
    fake.until(|fake| told(fake) == [("10.42.0.5".into(), true, true, false)])
        .await;

    let mut going = pod("p1", "web", &["10.42.0.5"], true);
    going["metadata"]["deletionTimestamp"] = json!("2026-03-03T00:00:00Z");
    going["metadata"]["finalizers"] = json!(["a/b"]);
    fake.put(Resource::PODS, going);
    fake.until(|fake| told(fake) == [("10.42.0.5".into(), false, true, true)])
        .await;

    let mut over = pod("p1", "web", &["10.42.0.5"], true);
    over["status"]["phase"] = json!("Succeeded");
    fake.put(Resource::PODS, over);
    fake.until(|fake| told(fake).is_empty()).await;
    // The one slice served all along.
    assert_eq!(slices(&fake).len(), 1);
    assert!(
        fake.take_writes()
            .iter()
            .filter(|write| write.starts_with("create"))
            .count()
            == 1
    );
}

#[tokio::test]
async fn what_a_pod_changes_beside_its_endpoint_is_not_written() {
    let fake = Fake::new();
    fake.put(Resource::SERVICES, service("web", json!({})));
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
    let _running = run(&fake);
    fake.until(|fake| !told(fake).is_empty()).await;
    fake.settled().await;
    let mut annotated = pod("p1", "web", &["10.42.0.5"], true);
    annotated["metadata"]["annotations"] = json!({"a": "b"});
    fake.put(Resource::PODS, annotated);
    assert!(fake.settled().await.is_empty());
}

/// Established flows to a Pod end where no slice has it: it is in another one before it leaves the first.
#[tokio::test]
async fn a_pods_weight_is_its_slices() {
    let fake = Fake::new();
    fake.put(Resource::SERVICES, service("web", json!({})));
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
    fake.put(Resource::PODS, pod("p2", "web", &["10.42.0.6"], true));
    let _running = run(&fake);
    fake.until(|fake| told(fake).len() == 2).await;
    fake.settled().await;
    let weights = |fake: &Fake| -> Vec<(Option<String>, usize)> {
        let weight = |slice: &Object| {
            let mut all = slice.annotations();
            let found = all.find(|(key, _)| *key == slice::WEIGHT);
            found.map(|(_, weight)| weight.to_string())
        };
        let mut all: Vec<_> = slices(fake)
            .iter()
            .map(|slice| {
                (
                    weight(slice),
                    slice.0["endpoints"].as_array().unwrap().len(),
                )
            })
            .collect();
        all.sort();
        all
    };
    let with = |weight: Value| {
        let mut pod = pod("p1", "web", &["10.42.0.5"], true);
        pod["metadata"]["annotations"] = json!({"kedge.io/weight": weight});
        pod
    };
    fake.put(Resource::PODS, with(json!("10")));
    fake.until(|fake| weights(fake) == [(None, 1), (Some("10".into()), 1)])
        .await;
    assert_eq!(fake.settled().await.len(), 2);
    fake.put(Resource::PODS, with(json!("0")));
    fake.until(|fake| weights(fake) == [(None, 1), (Some("0".into()), 1)])
        .await;
    assert_eq!(fake.settled().await.len(), 1);
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
    fake.until(|fake| weights(fake) == [(None, 2)]).await;
}

#[tokio::test]
async fn not_ready_addresses_are_published_where_asked() {
    let fake = Fake::new();
    fake.put(
        Resource::SERVICES,
        service("web", json!({"publishNotReadyAddresses": true})),
    );
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], false));
    let _running = run(&fake);
    fake.until(|fake| told(fake) == [("10.42.0.5".into(), true, false, false)])
        .await;
}

#[tokio::test]
async fn named_ports_are_each_pods_own() {
    let fake = Fake::new();
    let ports = json!([
        {"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"},
        {"name": "none", "port": 81, "targetPort": "absent", "protocol": "TCP"},
    ]);
    fake.put(Resource::SERVICES, service("web", json!({"ports": ports})));
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
    let mut other = pod("p2", "web", &["10.42.0.6"], true);
    other["spec"]["containers"][0]["ports"][0]["containerPort"] = json!(7070);
    fake.put(Resource::PODS, other);
    let mut udp = pod("p3", "web", &["10.42.0.7"], true);
    udp["spec"]["containers"][0]["ports"][0]["protocol"] = json!("UDP");
    fake.put(Resource::PODS, udp);
    let _running = run(&fake);
    fake.until(|fake| told(fake).len() == 3).await;
    let mut ports: Vec<Vec<u64>> = slices(&fake)
        .iter()
        .map(|slice| {
            slice.0["ports"]
                .as_array()
                .unwrap()
                .iter()
                .map(|port| port["port"].as_u64().unwrap())
                .collect()
        })
        .collect();
    ports.sort();
    // A Pod without such a port has an endpoint with no port.
    assert_eq!(ports, [vec![], vec![7070], vec![9090]]);
}

#[tokio::test]
async fn both_families_have_their_slices() {
    let fake = Fake::new();
    fake.put(
        Resource::SERVICES,
        service("web", json!({"ipFamilies": ["IPv4", "IPv6"]})),
    );
    fake.put(
        Resource::PODS,
        pod("p1", "web", &["10.42.0.5", "fd42::5"], true),
    );
    let _running = run(&fake);
    fake.until(|fake| told(fake).len() == 2).await;
    let mut types: Vec<_> = slices(&fake)
        .iter()
        .map(|slice| slice.0["addressType"].clone())
        .collect();
    types.sort_by_key(Value::to_string);
    assert_eq!(types, [json!("IPv4"), json!("IPv6")]);

    fake.put(
        Resource::SERVICES,
        service("web", json!({"ipFamilies": ["IPv4"]})),
    );
    fake.until(|fake| slices(fake).len() == 1).await;
}

#[tokio::test]
async fn a_headless_service_gives_names() {
    let fake = Fake::new();
    fake.put(
        Resource::SERVICES,
        service("web", json!({"clusterIP": "None", "ports": null})),
    );
    let mut named = pod("p1", "web", &["10.42.0.5"], true);
    named["spec"]["hostname"] = json!("db-0");
    named["spec"]["subdomain"] = json!("web");
    fake.put(Resource::PODS, named);
    let _running = run(&fake);
    fake.until(|fake| told(fake).len() == 1).await;
    let slice = slices(&fake).remove(0);
    assert_eq!(slice.0["endpoints"][0]["hostname"], "db-0");
    assert!(
        slice
            .labels()
            .any(|label| label == ("service.kubernetes.io/headless", ""))
    );
}

#[tokio::test]
async fn more_than_a_hundred_endpoints_take_more_slices() {
    let fake = Fake::new();
    fake.put(Resource::SERVICES, service("web", json!({})));
    for n in 0..250 {
        fake.put(
            Resource::PODS,
            pod(&format!("p{n}"), "web", &[&format!("10.42.1.{n}")], true),
        );
    }
    let _running = run(&fake);
    fake.until(|fake| told(fake).len() == 250).await;
    assert_eq!(slices(&fake).len(), 3);
    fake.take_writes();
    fake.put(Resource::PODS, pod("p7", "web", &["10.42.1.7"], false));
    fake.until(|fake| told(fake).iter().any(|endpoint| !endpoint.1))
        .await;
    assert_eq!(fake.settled().await.len(), 1);
}

#[tokio::test]
async fn a_zone_follows_its_node() {
    let fake = Fake::new();
    fake.put(Resource::SERVICES, service("web", json!({})));
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
    let _running = run(&fake);
    fake.until(|fake| !told(fake).is_empty()).await;
    fake.put(
        Resource::NODES,
        json!({"metadata": {"name": "node1", "labels": {"topology.kubernetes.io/zone": "z9"}}}),
    );
    fake.until(|fake| slices(fake)[0].0["endpoints"][0]["zone"] == "z9")
        .await;
}

#[tokio::test]
async fn slices_of_an_earlier_service_go() {
    let fake = Fake::new();
    fake.put(Resource::SERVICES, service("web", json!({})));
    let running = run(&fake);
    fake.until(|fake| slices(fake).len() == 1).await;
    drop(running);
    let old = slices(&fake).remove(0).uid().to_string();
    fake.remove(Resource::SERVICES, "a", "web");
    fake.put(Resource::SERVICES, service("web", json!({})));
    let _running = run(&fake);
    fake.until(|fake| slices(fake).len() == 1 && slices(fake)[0].uid() != old)
        .await;
}

#[tokio::test]
async fn a_service_that_gives_its_slices_up_gets_no_new_ones() {
    let fake = Fake::new();
    let mut going = service("web", json!({}));
    going["metadata"]["deletionTimestamp"] = json!("2026-03-03T00:00:00Z");
    going["metadata"]["finalizers"] = json!(["orphan"]);
    fake.put(Resource::SERVICES, going.clone());
    let _running = run(&fake);
    assert!(fake.settled().await.is_empty());
    // Held by somebody else, it still serves.
    going["metadata"]["finalizers"] = json!(["some/body"]);
    fake.put(Resource::SERVICES, going);
    fake.until(|fake| slices(fake).len() == 1).await;
}

#[tokio::test]
async fn a_service_without_a_selector_is_left_alone() {
    let fake = Fake::new();
    fake.put(
        Resource::SERVICES,
        service("web", json!({"selector": null})),
    );
    fake.put(
        Resource::SERVICES,
        service("name", json!({"type": "ExternalName"})),
    );
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
    let _running = run(&fake);
    assert!(fake.settled().await.is_empty());
}

#[tokio::test]
async fn conflicts_and_failures_are_overcome() {
    let fake = Fake::new();
    fake.put(Resource::SERVICES, service("web", json!({})));
    let _running = run(&fake);
    fake.until(|fake| slices(fake).len() == 1).await;
    // Somebody touches the slice, and a write is refused for no lasting reason.
    tokio::time::pause();
    let mut slice = slices(&fake).remove(0);
    slice
        .meta_mut()
        .insert("annotations".into(), json!({"mine": "too"}));
    fake.put(Resource::ENDPOINTSLICES, slice.into_value());
    fake.fail(vec![
        Status::internal("disk full"),
        Status::internal("disk full"),
    ]);
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
    while told(&fake).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

mod legacy {
    use super::*;

    fn run(fake: &Fake) -> Running {
        fake.run(|| Endpoints::new(true))
    }

    #[tokio::test]
    async fn endpoints_go_with_the_slices() {
        let fake = Fake::new();
        fake.put(Resource::SERVICES, service("web", json!({})));
        fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
        fake.put(Resource::PODS, pod("p2", "web", &["10.42.0.6"], false));
        let _running = run(&fake);
        let get = |fake: &Fake| fake.one(Resource::ENDPOINTS, "a", "web");
        fake.until(|fake| get(fake).is_some()).await;
        let address = |ip: &str, pod: &str| {
            json!({
                "ip": ip, "nodeName": "node1",
                "targetRef": {"kind": "Pod", "namespace": "a", "name": pod, "uid": format!("pod-{pod}")},
            })
        };
        let endpoints = get(&fake).unwrap();
        assert_eq!(
            endpoints.0["subsets"],
            json!([{
                "addresses": [address("10.42.0.5", "p1")],
                "notReadyAddresses": [address("10.42.0.6", "p2")],
                "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            }])
        );
        assert!(
            endpoints
                .labels()
                .any(|l| l == ("endpoints.kubernetes.io/managed-by", "endpoint-controller"))
        );
        fake.settled().await;
        fake.put(Resource::SERVICES, service("web", json!({})));
        assert!(fake.settled().await.is_empty());

        fake.remove(Resource::SERVICES, "a", "web");
        fake.until(|fake| get(fake).is_none()).await;
    }
}

/// Hints follow the Service's wish, and the Node's zone.
#[tokio::test]
async fn traffic_is_kept_close_where_that_is_wanted() {
    let fake = Fake::new();
    let node = |zone: &str| json!({"metadata": {"name": "node1", "labels": {"topology.kubernetes.io/zone": zone}}});
    fake.put(Resource::NODES, node("z1"));
    fake.put(Resource::SERVICES, service("web", json!({})));
    fake.put(Resource::PODS, pod("p1", "web", &["10.42.0.5"], true));
    fake.put(Resource::PODS, pod("p2", "web", &["10.42.0.6"], false));
    let _running = run(&fake);
    fake.until(|fake| told(fake).len() == 2).await;
    let of = |fake: &Fake, ready: bool| {
        let slice = slices(fake).remove(0).into_value();
        let endpoints = slice["endpoints"].as_array().unwrap().clone();
        let found = endpoints
            .into_iter()
            .find(|e| e["conditions"]["ready"] == ready);
        found.unwrap()["hints"].clone()
    };
    assert_eq!(of(&fake, true), Value::Null);
    let zone = |name: &str| json!([{"name": name}]);
    for (wish, hints) in [
        ("PreferClose", json!({"forZones": zone("z1")})),
        (
            "PreferSameNode",
            json!({"forZones": zone("z1"), "forNodes": zone("node1")}),
        ),
        ("PreferSameZone", json!({"forZones": zone("z1")})),
    ] {
        let wish = json!({"trafficDistribution": wish});
        fake.put(Resource::SERVICES, service("web", wish));
        fake.until(|fake| of(fake, true) == hints).await;
        assert_eq!(of(&fake, false), Value::Null, "of ready endpoints alone");
    }
    fake.put(Resource::NODES, node("z2"));
    fake.until(|fake| of(fake, true) == json!({"forZones": zone("z2")}))
        .await;
    fake.put(Resource::SERVICES, service("web", json!({})));
    fake.until(|fake| of(fake, true) == Value::Null).await;
}
