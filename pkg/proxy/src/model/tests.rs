use kedge_client::ObjectKey;
use serde_json::{Value, json};

use super::*;

fn change(resource: Resource, name: &str, object: Option<Value>) -> Change {
    Change {
        key: ObjectKey {
            resource,
            namespace: "default".into(),
            name: name.into(),
        },
        object: object.map(|value| value.to_string().into()),
    }
}

fn service(name: &str, ip: &str) -> Change {
    change(
        Resource::SERVICES,
        name,
        Some(json!({"spec": {"clusterIP": ip, "ports": [{"port": 80}]}})),
    )
}

fn slice(name: &str, service: &str, address: &str) -> Change {
    let value = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": service}}, "addressType": "IPv4",
        "ports": [{"port": 8080}], "endpoints": [{"addresses": [address]}],
    });
    change(Resource::ENDPOINTSLICES, name, Some(value))
}

fn dirty(names: &[&str]) -> Dirty {
    Dirty::Services(
        names
            .iter()
            .map(|name| ServiceName::new("default", name))
            .collect(),
    )
}

#[test]
fn only_what_changed_is_dirty() {
    let mut model = Model::new("here");
    assert_eq!(
        model.take(vec![
            service("a", "10.0.0.1"),
            slice("a-1", "a", "10.1.0.1")
        ]),
        dirty(&["a"])
    );
    assert_eq!(model.take(vec![service("a", "10.0.0.1")]), dirty(&[]));
    assert_eq!(model.take(vec![slice("a-1", "a", "10.1.0.1")]), dirty(&[]));
    assert_eq!(
        model.take(vec![slice("a-1", "a", "10.1.0.2")]),
        dirty(&["a"])
    );
}

#[test]
fn a_slices_ports_and_endpoints_count_and_the_rest_does_not() {
    let mut model = Model::new("here");
    let of = |ports: Value, endpoints: Value, more: Value| {
        let value = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "a"}, "annotations": more}, "addressType": "IPv4",
            "ports": ports, "endpoints": endpoints,
        });
        change(Resource::ENDPOINTSLICES, "a-1", Some(value))
    };
    let http = json!([{"name": "http", "port": 80}]);
    let both = json!([{"name": "http", "port": 80}, {"name": "https", "port": 443}]);
    let one = json!([{"addresses": ["10.1.0.1"]}]);
    let two = json!([{"addresses": ["10.1.0.1"]}, {"addresses": ["10.1.0.2"]}]);
    let none = json!({});
    for (ports, endpoints, more, concerned) in [
        (&http, &one, &none, dirty(&["a"])),
        (&both, &one, &none, dirty(&["a"])),
        (&both, &two, &none, dirty(&["a"])),
        (&both, &two, &json!({"note": "x"}), dirty(&[])),
        (&both, &one, &none, dirty(&["a"])),
        (&http, &one, &none, dirty(&["a"])),
    ] {
        let change = of(ports.clone(), endpoints.clone(), more.clone());
        assert_eq!(model.take(vec![change]), concerned, "{ports} {endpoints}");
    }
}

#[test]
fn a_slice_may_change_hands() {
    let mut model = Model::new("here");
    model.take(vec![
        service("a", "10.0.0.1"),
        service("b", "10.0.0.2"),
        slice("s", "a", "10.1.0.1"),
    ]);
    assert_eq!(
        model.take(vec![slice("s", "b", "10.1.0.1")]),
        dirty(&["a", "b"])
    );
    assert!(
        model
            .get(&ServiceName::new("default", "a"))
            .unwrap()
            .slices
            .is_empty()
    );
    assert_eq!(
        model.take(vec![change(Resource::ENDPOINTSLICES, "s", None)]),
        dirty(&["b"])
    );
}

#[test]
fn nothing_is_left_of_what_is_gone() {
    let mut model = Model::new("here");
    model.take(vec![slice("s", "a", "10.1.0.1"), service("a", "10.0.0.1")]);
    model.take(vec![change(Resource::SERVICES, "a", None)]);
    assert_eq!(model.names().count(), 1, "its slice is still there");
    model.take(vec![change(Resource::ENDPOINTSLICES, "s", None)]);
    assert_eq!(model.names().count(), 0);
    assert!(model.slice_owners.is_empty());
}

#[test]
fn only_the_own_zone_matters() {
    let mut model = Model::new("here");
    let node = |name: &str, zone: &str| {
        let labels = json!({"topology.kubernetes.io/zone": zone});
        change(
            Resource::NODES,
            name,
            Some(json!({"metadata": {"labels": labels}})),
        )
    };
    assert_eq!(model.take(vec![node("there", "a")]), dirty(&[]));
    assert_eq!(model.take(vec![node("here", "b")]), Dirty::All);
    assert_eq!(model.zone(), "b");
    assert_eq!(model.take(vec![node("here", "b")]), dirty(&[]));
}

/// KEP-3836: who is being deleted, gone, or about to be taken away by the autoscaler is no place to send traffic to.
#[test]
fn a_node_that_leaves_is_not_eligible() {
    let mut model = Model::new("here");
    let tainted = |key: &str| json!({"metadata": {}, "spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}});
    let deleted = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    assert!(model.node_is_eligible(), "nothing is known yet");
    for (node, eligible) in [
        (Some(json!({"metadata": {}})), true),
        (Some(tainted("ToBeDeletedByClusterAutoscaler")), false),
        (Some(tainted("node.kubernetes.io/not-ready")), true),
        (Some(deleted.clone()), false),
        (None, false),
        (
            Some(json!({"metadata": {}, "spec": {"taints": null}})),
            true,
        ),
    ] {
        model.take(vec![change(
            Resource::NODES,
            "there",
            Some(deleted.clone()),
        )]);
        model.take(vec![change(Resource::NODES, "here", node.clone())]);
        assert_eq!(model.node_is_eligible(), eligible, "{node:?}");
    }
}

#[test]
fn a_service_may_stop_to_need_rules_and_need_them_again() {
    let mut model = Model::new("here");
    let name = ServiceName::new("default", "a");
    let has_rules = |model: &Model| {
        model
            .get(&name)
            .is_some_and(|entry| entry.service.is_some())
    };
    let external = json!({"spec": {"type": "ExternalName", "externalName": "example.org"}});
    let external = change(Resource::SERVICES, "a", Some(external));
    for (change, rules) in [
        (service("a", "10.0.0.1"), true),
        (external, false),
        (service("a", "10.0.0.1"), true),
        (service("a", "None"), false),
        (service("a", "10.0.0.2"), true),
    ] {
        assert_eq!(model.take(vec![change]), dirty(&["a"]));
        assert_eq!(has_rules(&model), rules);
    }
}

#[test]
fn slices_are_their_namespaces() {
    let mut model = Model::new("here");
    let mut other = slice("a-1", "a", "10.1.0.9");
    other.key.namespace = "other".into();
    model.take(vec![
        service("a", "10.0.0.1"),
        slice("a-1", "a", "10.1.0.1"),
    ]);
    let concerned = Dirty::Services([ServiceName::new("other", "a")].into());
    assert_eq!(model.take(vec![other]), concerned);
    let entry = model.get(&ServiceName::new("default", "a")).unwrap();
    assert_eq!(entry.slices.values().count(), 1);
}

#[test]
fn a_nodes_weight_concerns_who_has_an_endpoint_there() {
    let mut model = Model::new("here");
    let node = |weight: Value| {
        let annotations = json!({"kedge.io/weight": weight});
        let value = json!({"metadata": {"annotations": annotations}});
        change(Resource::NODES, "there", Some(value))
    };
    let on = |name: &str, node: &str| {
        let value = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.1.0.1"], "nodeName": node}],
        });
        change(Resource::ENDPOINTSLICES, name, Some(value))
    };
    model.take(vec![on("a", "there"), on("b", "here")]);
    assert_eq!(model.take(vec![node(json!("100"))]), dirty(&[]));
    assert_eq!(model.take(vec![node(json!("50"))]), dirty(&["a"]));
    assert_eq!(model.take(vec![node(json!("50"))]), dirty(&[]));
    // What is none counts for nothing.
    assert_eq!(model.take(vec![node(json!("half"))]), dirty(&["a"]));
    assert_eq!(model.misread.len(), 1);
    assert_eq!(model.take(vec![node(json!("0"))]), dirty(&["a"]));
    assert!(model.misread.is_empty());
    // Cordoned, as by kubectl: no business of ours.
    let cordoned = json!({
        "metadata": {"annotations": {"kedge.io/weight": "0"}},
        "spec": {"unschedulable": true, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]},
    });
    let cordoned = change(Resource::NODES, "there", Some(cordoned));
    assert_eq!(model.take(vec![cordoned]), dirty(&[]));
    let gone = change(Resource::NODES, "there", None);
    assert_eq!(model.take(vec![gone]), dirty(&["a"]));
}

#[test]
fn a_slices_weight_is_read_or_said_to_be_none() {
    let mut model = Model::new("here");
    let weighted = |weight: &str| {
        let value = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "a"}, "annotations": {"kedge.io/weight": weight}},
            "addressType": "IPv4", "endpoints": [{"addresses": ["10.1.0.1"]}],
        });
        change(Resource::ENDPOINTSLICES, "s", Some(value))
    };
    let weight = |model: &Model| model.slices().next().map(|slice| slice.weight.percent());
    model.take(vec![weighted("30")]);
    assert_eq!(weight(&model), Some(30));
    model.take(vec![weighted("130")]);
    assert_eq!(weight(&model), Some(100));
    assert_eq!(model.misread.len(), 1);
    model.take(vec![change(Resource::ENDPOINTSLICES, "s", None)]);
    assert!(model.misread.is_empty());
}

/// Whose endpoints change, and when what changed them happened, counts; an end has no time of its own.
#[test]
fn changes_of_endpoints_are_timed() {
    let slice = |name: &str, family: &str, port: u16, at: &str| {
        let value = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "a"},
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": at}},
            "addressType": family, "ports": [{"port": port}], "endpoints": [],
        });
        change(Resource::ENDPOINTSLICES, name, Some(value))
    };
    let one = |port, at| slice("one", "IPv4", port, at);
    let gone = || change(Resource::ENDPOINTSLICES, "one", None);
    let untimed = self::slice("one", "a", "10.1.0.1");
    let (first, second) = ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06.123456789Z");
    for (changes, expected) in [
        (vec![one(1, first)], vec![(Family::V4, first)]),
        (
            vec![one(1, first), one(2, second)],
            vec![(Family::V4, first), (Family::V4, second)],
        ),
        (
            vec![one(1, first), slice("two", "IPv6", 1, second)],
            vec![(Family::V4, first), (Family::V6, second)],
        ),
        (
            vec![one(1, first), one(1, second)],
            vec![(Family::V4, first)],
        ),
        (vec![one(1, first), gone()], vec![]),
        (
            vec![one(1, first), gone(), one(1, second)],
            vec![(Family::V4, second)],
        ),
        (vec![gone()], vec![]),
        (vec![untimed], vec![]),
        (vec![one(1, "yesterday")], vec![]),
    ] {
        let mut model = Model::new("here");
        model.take(changes);
        let expected = expected
            .iter()
            .map(|(family, at)| (*family, at.parse().unwrap()));
        assert_eq!(model.take_triggers(), expected.collect::<Vec<_>>());
        assert!(model.take_triggers().is_empty());
    }
}

#[test]
fn an_unreadable_object_keeps_its_last_form() {
    let mut model = Model::new("here");
    model.take(vec![service("a", "10.0.0.1")]);
    let broken = change(Resource::SERVICES, "a", Some(json!({"spec": {"ports": 7}})));
    assert_eq!(model.take(vec![broken]), dirty(&[]));
    assert!(
        model
            .get(&ServiceName::new("default", "a"))
            .unwrap()
            .service
            .is_some()
    );
}
