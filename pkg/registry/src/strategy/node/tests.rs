//! Each rule of Nodes by one that breaks it.

use rstest::rstest;

use super::*;

fn node(value: Value) -> Object {
    let mut node = Object::from_value(value).unwrap();
    Node.default(&mut node);
    node
}

fn fields(errors: Vec<FieldError>) -> Vec<String> {
    errors.into_iter().map(|e| e.field).collect()
}

#[test]
fn a_bare_node_is_filled() {
    let node =
        node(json!({"spec": {"podCIDR": "10.42.0.0/24"}, "status": {"capacity": {"cpu": "2"}}}));
    assert_eq!(
        node.at(&["spec", "podCIDRs"]),
        Some(&json!(["10.42.0.0/24"]))
    );
    assert_eq!(
        node.at(&["status", "allocatable", "cpu"]),
        Some(&json!("2"))
    );
    assert_eq!(
        node.at(&["status", "nodeInfo", "architecture"]),
        Some(&json!(""))
    );
    assert!(Node.validate(&node).is_empty());
}

#[test]
fn one_range_is_the_first_of_all() {
    let with = |spec: Value| node(json!({"spec": spec})).0["spec"].clone();
    let both = json!({"podCIDR": "10.42.0.0/24", "podCIDRs": ["10.42.0.0/24"]});
    let others = json!(["10.43.0.0/24", "2001:db8::/64"]);
    assert_eq!(with(json!({"podCIDRs": ["10.42.0.0/24"]})), both);
    assert_eq!(
        with(json!({"podCIDR": "10.42.0.0/24", "podCIDRs": others})),
        both
    );
    assert_eq!(
        with(json!({"podCIDR": "", "podCIDRs": others}))["podCIDRs"],
        others
    );
}

#[test]
fn what_is_wrong() {
    let twice = json!({"type": "InternalIP", "address": "10.0.0.1"});
    let taint = json!({"key": "a", "effect": "NoSchedule"});
    let bad = node(json!({
        "spec": {
            "podCIDRs": ["x", "10.0.0.0/24", "10.0.0.0/24"],
            "taints": [{"key": "a", "effect": "Never"}, taint, taint, {"key": "", "value": "b c", "effect": ""}],
        },
        "status": {"addresses": [twice, twice]},
    }));
    let taints = [
        "metadata.taints[0].effect",
        "metadata.taints[2]",
        "metadata.taints[3].key",
        "metadata.taints[3].key",
        "metadata.taints[3].value",
        "metadata.taints[3].effect",
    ];
    let ranges = [
        "spec.podCIDRs[0]",
        "spec.podCIDRs",
        "spec.podCIDRs",
        "spec.podCIDRs[2]",
    ];
    assert_eq!(fields(Node.validate(&bad)), [&taints[..], &ranges].concat());
    assert_eq!(
        fields(Node.validate_change(&bad, &bad)),
        [&["status.addresses[1]"], &taints[..]].concat()
    );
}

/// Of what is there twice, upstream shows its own structs.
#[test]
fn what_is_shown_of_duplicates() {
    let taint = json!({"key": "a", "value": "b", "effect": "NoSchedule"});
    let address = json!({"type": "Hostname", "address": "n"});
    let twice = node(json!({
        "spec": {"taints": [taint, taint, {"key": "c", "effect": "Never"}]},
        "status": {"addresses": [address, address]},
    }));
    let said: Vec<String> = Node
        .validate_change(&twice, &twice)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        [
            r#"status.addresses[1]: Duplicate value: {"Type":"Hostname","Address":"n"}"#,
            r#"metadata.taints[1]: Duplicate value: {"Key":"a","Value":"b","Effect":"NoSchedule","TimeAdded":null}: taints must be unique by key and effect pair"#,
            r#"metadata.taints[2].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute""#,
        ]
    );
}

#[test]
fn resources_are_counted() {
    let capacity =
        json!({"cpu": "-1", "memory": "1500m", "pods": "1500m", "example.com/gpu": "1.5"});
    let bad = node(json!({"status": {"capacity": capacity, "allocatable": {"cpu": "1500m"}}}));
    let wrong = ["cpu", "example.com/gpu", "pods"].map(|name| format!("status.capacity.{name}"));
    assert_eq!(fields(Node.validate(&bad)), wrong);
    assert_eq!(fields(Node.validate_change(&bad, &bad)), wrong);
}

#[test]
fn names_of_what_is_counted() {
    for counted in ["services", "configmaps", "example.com/gpu", "a.b/c.d"] {
        let bad = node(json!({"status": {"capacity": {counted: "1500m"}}}));
        // Once as capacity, once as what is to be had of it.
        assert_eq!(Node.validate(&bad).len(), 2, "{counted}");
    }
    let long = format!("example.com/{}", "x".repeat(64));
    for other in [
        "cpu",
        "kubernetes.io/gpu",
        "requests.example.com/gpu",
        &long,
    ] {
        let good = node(json!({"status": {"capacity": {other: "1500m"}}}));
        assert!(Node.validate(&good).is_empty(), "{other}");
    }
}

#[rstest]
#[case(&["192.168.0.0/16"], &[])]
#[case(&["192.168.0.0/16", "2001:db8::/64"], &[])]
#[case(&["2001:db8::/64", "192.168.0.0/16"], &[])]
#[case(&["192.168.0.0"], &["spec.podCIDRs[0]"])]
#[case(&["10.0.0.0/16", "10.1.0.0/16"], &["spec.podCIDRs"])]
#[case(&["10.0.0.0/16", "2001:db8::/64", "10.1.0.0/16"], &["spec.podCIDRs"])]
#[case(&["10.0.0.1/16", "10.0.0.1/16"], &["spec.podCIDRs[0]", "spec.podCIDRs[1]", "spec.podCIDRs", "spec.podCIDRs[1]"])]
#[case(&["010.0.0.0/16", "2001:db8::/64"], &["spec.podCIDRs[0]"])]
#[case(&["10.0.0.0/16", "x"], &["spec.podCIDRs[1]", "spec.podCIDRs", "spec.podCIDRs"])]
fn ranges_of_pods(#[case] cidrs: &[&str], #[case] want: &[&str]) {
    let node = node(json!({"spec": {"podCIDRs": cidrs}}));
    assert_eq!(fields(Node.validate(&node)), want);
}

#[test]
fn taints_are_told_apart_by_key_and_effect() {
    let taint = |key: &str, value: &str, effect: &str| json!({"key": key, "value": value, "effect": effect});
    let of =
        |second: Value| node(json!({"spec": {"taints": [taint("a", "1", "NoSchedule"), second]}}));
    for good in [taint("b", "1", "NoSchedule"), taint("a", "1", "NoExecute")] {
        assert!(Node.validate(&of(good)).is_empty());
    }
    let errors = Node.validate(&of(taint("a", "2", "NoSchedule")));
    assert_eq!(errors[0].field, "metadata.taints[1]");
    assert!(
        errors[0]
            .to_string()
            .ends_with(": taints must be unique by key and effect pair")
    );
}

#[test]
fn the_source_of_a_kubelets_configuration_is_forgotten() {
    let source = json!({"configMap": {"namespace": "a", "name": "b", "kubeletConfigKey": "c"}});
    let said = || {
        node(json!({"spec": {"configSource": source}, "status": {"config": {"assigned": source}}}))
    };
    let has = |node: &Object, path: [&str; 2]| node.at(&path).is_some();
    let (spec, status) = (["spec", "configSource"], ["status", "config"]);
    let mut new = said();
    Node.prepare_create(&mut new);
    assert!(!has(&new, spec));
    for (subresource, path) in [("", spec), ("status", status)] {
        let mut new = said();
        Node.prepare_update(&mut new, &said(), subresource);
        assert!(has(&new, path));
        Node.prepare_update(&mut new, &node(json!({})), subresource);
        assert!(!has(&new, path));
    }
}

#[test]
fn what_is_set_once() {
    let spec = |cidr: &str, provider: &str| {
        node(json!({"spec": {"podCIDR": cidr, "providerID": provider}}))
    };
    let empty = node(json!({}));
    let set = spec("10.42.0.0/24", "kedge://a");
    assert!(Node.validate_change(&set, &empty).is_empty());
    let errors = Node.validate_change(&spec("10.42.1.0/24", "kedge://b"), &set);
    assert_eq!(fields(errors), ["spec.podCIDRs", "spec.providerID"]);
}
