//! Each rule by a Service that breaks it, and those that break none.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// A defaulted Service of a spec laid over one that is right.
fn with(over: Value) -> Object {
    let mut spec = json!({
        "type": "ClusterIP", "clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.9"],
        "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "ports": [{"port": 80}],
    });
    for (key, value) in over.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let spec = spec
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, value)| !value.is_null());
    let spec: serde_json::Map<_, _> = spec.map(|(k, v)| (k.clone(), v.clone())).collect();
    let mut service = Object::from_value(json!({"metadata": {"name": "s"}, "spec": spec})).unwrap();
    super::super::defaults::apply(&mut service);
    service
}

fn fields(errors: Vec<FieldError>) -> Vec<String> {
    errors.into_iter().map(|error| error.field).collect()
}

const NONE: Value = Value::Null;

/// Fields that an ExternalName Service must not have.
fn external(over: Value) -> Value {
    let mut spec = json!({
        "type": "ExternalName", "externalName": "db.example.com", "clusterIP": NONE, "clusterIPs": NONE,
        "ipFamilies": NONE, "ipFamilyPolicy": NONE, "ports": NONE,
    });
    for (key, value) in over.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

#[rstest]
#[case::plain(json!({}))]
#[case::headless_without_ports(json!({"clusterIP": "None", "clusterIPs": ["None"], "ports": NONE}))]
#[case::two_protocols(json!({"ports": [{"name": "a", "port": 53}, {"name": "b", "port": 53, "protocol": "UDP"}]}))]
#[case::node_port_on_two_protocols(json!({"type": "NodePort", "ports": [
    {"name": "a", "port": 53, "nodePort": 30053}, {"name": "b", "port": 53, "nodePort": 30053, "protocol": "UDP"},
]}))]
#[case::named_target(json!({"ports": [{"port": 80, "targetPort": "http", "appProtocol": "example.com/x"}]}))]
#[case::mixed_balancer(json!({"type": "LoadBalancer", "ports": [
    {"name": "a", "port": 80}, {"name": "b", "port": 81, "protocol": "UDP"}, {"name": "kubelet", "port": 10250},
]}))]
#[case::headless_with_another_target(json!({
    "clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 11722, "targetPort": "target"}],
}))]
#[case::second_family_is_not_named(json!({
    "clusterIPs": ["10.43.0.9", "fd00::9"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "PreferDualStack",
}))]
#[case::two_families_of_one_is_for_allocation(json!({"clusterIPs": ["10.43.0.9", "fd00::9"]}))]
#[case::internal_policy_of_an_external_name(external(json!({"internalTrafficPolicy": "Cluster"})))]
#[case::external_name(external(json!({})))]
#[case::external_name_with_dot(external(json!({"externalName": "db.example.com."})))]
#[case::external_name_keeps_ports(external(json!({"ports": [{"port": 80}], "selector": {"a": "b"}})))]
#[case::padded_ranges(json!({"type": "LoadBalancer", "loadBalancerSourceRanges": [" 10.0.0.0/8 "]}))]
#[case::class(json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/own"}))]
#[case::affinity(json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86400}}}))]
#[case::external_ips(json!({"externalIPs": ["192.0.2.1", "2001:db8::1"]}))]
#[case::distribution(json!({"trafficDistribution": "PreferSameNode"}))]
#[case::local_node_port_without_health_check(json!({"type": "NodePort", "externalTrafficPolicy": "Local"}))]
#[case::external_ips_with_a_policy(json!({"externalIPs": ["192.0.2.1"], "externalTrafficPolicy": "Local"}))]
#[case::two_families(json!({
    "clusterIPs": ["10.43.0.9", "fd00::9"], "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack",
}))]
fn right(#[case] spec: Value) {
    assert_eq!(fields(service(&with(spec))), Vec::<String>::new());
}

#[rstest]
#[case::no_ports(json!({"ports": []}), &["spec.ports"])]
#[case::port_zero(json!({"ports": [{"port": 0}]}), &["spec.ports[0].port", "spec.ports[0].targetPort"])]
#[case::port_too_large(json!({"ports": [{"port": 70000}]}), &["spec.ports[0].port", "spec.ports[0].targetPort"])]
#[case::unnamed(json!({"ports": [{"port": 80}, {"port": 81}]}), &["spec.ports[0].name", "spec.ports[1].name"])]
#[case::same_name(json!({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]}), &["spec.ports[1].name"])]
#[case::bad_name(json!({"ports": [{"port": 80, "name": "A_b"}]}), &["spec.ports[0].name"])]
#[case::same_port(json!({"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]}), &["spec.ports[1]"])]
#[case::protocol(json!({"ports": [{"port": 80, "protocol": "ICMP"}]}), &["spec.ports[0].protocol"])]
#[case::target(json!({"ports": [{"port": 80, "targetPort": "not_a_name!"}]}), &["spec.ports[0].targetPort"])]
#[case::app_protocol(json!({"ports": [{"port": 80, "appProtocol": "a b"}]}), &["spec.ports[0].appProtocol"])]
#[case::kind(json!({"type": "Nonsense"}), &["spec.type"])]
#[case::node_port_of_cluster_ip(json!({"ports": [{"port": 80, "nodePort": 30000}]}), &["spec.ports[0].nodePort"])]
#[case::same_node_port(
    json!({"type": "NodePort", "ports": [{"name": "a", "port": 80, "nodePort": 30000}, {"name": "b", "port": 81, "nodePort": 30000}]}),
    &["spec.ports[1].nodePort"]
)]
#[case::selector(json!({"selector": {"a b": "c"}}), &["spec.selector"])]
#[case::affinity(json!({"sessionAffinity": "Cookie"}), &["spec.sessionAffinity"])]
#[case::affinity_too_long(
    json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}}}),
    &["spec.sessionAffinityConfig.clientIP.timeoutSeconds"]
)]
#[case::affinity_zero(
    json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}}),
    &["spec.sessionAffinityConfig.clientIP.timeoutSeconds"]
)]
#[case::headless_balancer(
    json!({"type": "LoadBalancer", "clusterIP": "None", "clusterIPs": ["None"]}), &["spec.clusterIPs[0]"]
)]
#[case::headless_node_port(
    json!({"type": "NodePort", "clusterIP": "None", "clusterIPs": ["None"]}), &["spec.clusterIPs[0]"]
)]
#[case::external_without_name(external(json!({"externalName": NONE})), &["spec.externalName"])]
#[case::external_bad_name(external(json!({"externalName": "-db-"})), &["spec.externalName"])]
#[case::external_and_headless(
    external(json!({"clusterIP": "None", "clusterIPs": ["None"]})), &["spec.clusterIPs"]
)]
#[case::external_with_addresses(
    external(json!({"clusterIPs": ["10.43.0.9"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})),
    &["spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy"]
)]
#[case::singular_differs(json!({"clusterIP": "10.43.0.8"}), &["spec.clusterIPs"])]
#[case::plural_alone(json!({"clusterIP": NONE}), &["spec.clusterIPs"])]
#[case::no_address(json!({"clusterIP": "x", "clusterIPs": ["x"]}), &["spec.clusterIPs[0]"])]
#[case::none_and_more(json!({"clusterIP": "None", "clusterIPs": ["None", "10.43.0.9"]}), &["spec.clusterIPs"])]
#[case::three(
    json!({"clusterIPs": ["10.43.0.9", "fd00::9", "10.43.0.7"]}), &["spec.clusterIPs"]
)]
#[case::one_family_twice(
    json!({"clusterIPs": ["10.43.0.9", "10.43.0.7"]}), &["spec.clusterIPs"]
)]
#[case::two_that_are_none(
    json!({"clusterIP": "x", "clusterIPs": ["x", "y"]}), &["spec.clusterIPs[0]", "spec.clusterIPs[1]"]
)]
#[case::none_is_second(json!({"clusterIPs": ["10.43.0.9", "None"]}), &["spec.clusterIPs[1]"])]
#[case::empty_is_second(json!({"clusterIPs": ["10.43.0.9", ""]}), &["spec.clusterIPs[1]"])]
#[case::empty_is_first(
    json!({"clusterIP": NONE, "clusterIPs": ["", "fd00::9"]}), &["spec.clusterIPs", "spec.clusterIPs[0]"]
)]
#[case::one_family_twice_and_two_named(
    json!({"clusterIP": "fd00::9", "clusterIPs": ["fd00::9", "fd00::7"], "ipFamilies": ["IPv4", "IPv6"]}),
    &["spec.clusterIPs", "spec.clusterIPs[0]"]
)]
#[case::other_family(json!({"ipFamilies": ["IPv6"]}), &["spec.clusterIPs[0]"])]
#[case::no_family(json!({"ipFamilies": ["IPv5"]}), &["spec.ipFamilies[0]"])]
#[case::family_twice(json!({"ipFamilies": ["IPv4", "IPv4"]}), &["spec.ipFamilies[1]"])]
#[case::no_policy(json!({"ipFamilyPolicy": "Triple"}), &["spec.ipFamilyPolicy"])]
#[case::external_ip(json!({"externalIPs": ["127.0.0.1", "x"]}), &["spec.externalIPs[0]", "spec.externalIPs[1]"])]
#[case::ranges_of_cluster_ip(json!({"loadBalancerSourceRanges": ["10.0.0.0/8"]}), &["spec.LoadBalancerSourceRanges"])]
#[case::no_range(
    json!({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0"]}), &["spec.LoadBalancerSourceRanges[0]"]
)]
#[case::declines_for_cluster_ip(
    json!({"allocateLoadBalancerNodePorts": true}), &["spec.allocateLoadBalancerNodePorts"]
)]
#[case::class_of_cluster_ip(json!({"loadBalancerClass": "a"}), &["spec.loadBalancerClass"])]
#[case::bad_class(json!({"type": "LoadBalancer", "loadBalancerClass": "a b"}), &["spec.loadBalancerClass"])]
#[case::external_policy_of_cluster_ip(json!({"externalTrafficPolicy": "Local"}), &["spec.externalTrafficPolicy"])]
#[case::external_policy(json!({"type": "NodePort", "externalTrafficPolicy": "Near"}), &["spec.externalTrafficPolicy"])]
#[case::internal_policy(json!({"internalTrafficPolicy": "Near"}), &["spec.internalTrafficPolicy"])]
#[case::health_check_below_all(
    json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": -1}),
    &["spec.healthCheckNodePort"]
)]
#[case::blank_range(
    json!({"type": "LoadBalancer", "loadBalancerSourceRanges": ["  "]}), &["spec.LoadBalancerSourceRanges[0]"]
)]
#[case::range_with_zeros(
    json!({"type": "LoadBalancer", "loadBalancerSourceRanges": ["010.0.0.0/8"]}), &["spec.LoadBalancerSourceRanges[0]"]
)]
#[case::health_check_of_a_node_port(
    json!({"type": "NodePort", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30000}), &["spec.healthCheckNodePort"]
)]
#[case::health_check_of_the_other_policy(
    json!({"type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "healthCheckNodePort": 30000}),
    &["spec.healthCheckNodePort"]
)]
#[case::outer_traffic_of_an_external_name(
    external(json!({"externalTrafficPolicy": "Local", "healthCheckNodePort": 30000})),
    &["spec.externalTrafficPolicy", "spec.healthCheckNodePort"]
)]
#[case::health_check_for_nothing(json!({"healthCheckNodePort": 30000}), &["spec.healthCheckNodePort"])]
#[case::health_check_missing(
    json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}), &["spec.healthCheckNodePort"]
)]
#[case::distribution(json!({"trafficDistribution": "PreferFar"}), &["spec.trafficDistribution"])]
fn wrong(#[case] spec: Value, #[case] want: &[&str]) {
    assert_eq!(fields(service(&with(spec))), want);
}

#[test]
fn a_port_said_twice_is_shown_as_upstream_shows_it() {
    let ports = json!([{"port": 80, "name": "a"}, {"port": 80, "name": "b", "targetPort": "x"}]);
    let said = "spec.ports[1]: Duplicate value: {\"Name\":\"\",\"Protocol\":\"TCP\",\"AppProtocol\":null,\"Port\":80,\"TargetPort\":0,\"NodePort\":0}";
    let errors = service(&with(json!({"ports": ports})));
    assert_eq!(errors[0].to_string(), said);
}

#[rstest]
#[case(Some("Auto"), Some("Auto"), &[])]
#[case(Some("Auto"), None, &[])]
#[case(Some("Auto"), Some("Disabled"), &["metadata.annotations[service.kubernetes.io/topology-mode]"])]
fn two_annotations_for_topology(
    #[case] mode: Option<&str>,
    #[case] hints: Option<&str>,
    #[case] want: &[&str],
) {
    let annotations: serde_json::Map<_, _> = [(TOPOLOGY_MODE, mode), (TOPOLOGY_HINTS, hints)]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_string(), value?.into())))
        .collect();
    let mut annotated = with(json!({}));
    annotated
        .meta_mut()
        .insert("annotations".into(), annotations.into());
    assert_eq!(fields(service(&annotated)), want);
}

#[test]
fn the_older_annotation_for_ranges() {
    let annotated = |kind: &str, value: &str| {
        let mut service = with(json!({"type": kind}));
        service
            .meta_mut()
            .insert("annotations".into(), json!({SOURCE_RANGES: value}));
        super::service(&service).len()
    };
    assert_eq!(annotated("LoadBalancer", "10.0.0.0/8, 192.0.2.0/24"), 0);
    assert_eq!(annotated("LoadBalancer", " "), 0);
    assert_eq!(annotated("LoadBalancer", "10.0.0.0/8,x"), 1);
    assert_eq!(annotated("LoadBalancer", "foo.bar"), 1);
    assert_eq!(annotated("ClusterIP", "10.0.0.0/8"), 1);
    assert_eq!(annotated("ClusterIP", ""), 1);
    // The field counts before it.
    let ranges = json!({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"]});
    let mut both = with(ranges);
    both.meta_mut()
        .insert("annotations".into(), json!({SOURCE_RANGES: "foo.bar"}));
    assert!(super::service(&both).is_empty());
}

#[rstest]
#[case::nothing(json!({}), json!({}), &[])]
#[case::address(json!({}), json!({"clusterIP": "10.43.0.7", "clusterIPs": ["10.43.0.7"]}), &["spec.clusterIPs[0]"])]
#[case::unset(json!({}), json!({"clusterIP": NONE, "clusterIPs": NONE}), &["spec.clusterIPs[0]"])]
#[case::headless_now(json!({}), json!({"clusterIP": "None", "clusterIPs": ["None"]}), &["spec.clusterIPs[0]"])]
#[case::family(json!({}), json!({"ipFamilies": ["IPv6"]}), &["spec.ipFamilies[0]"])]
#[case::upgrade(
    json!({}),
    json!({"clusterIPs": ["10.43.0.9", "fd00::9"], "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}),
    &[]
)]
#[case::downgrade(
    json!({"clusterIPs": ["10.43.0.9", "fd00::9"], "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}),
    json!({}),
    &[]
)]
#[case::silent_downgrade(
    json!({"clusterIPs": ["10.43.0.9", "fd00::9"], "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}),
    json!({"ipFamilyPolicy": "PreferDualStack"}),
    &["spec.ipFamilyPolicy", "spec.ipFamilyPolicy"]
)]
#[case::to_external_name(json!({}), external(json!({})), &[])]
#[case::from_external_name(external(json!({})), json!({"clusterIP": "10.43.0.7", "clusterIPs": ["10.43.0.7"]}), &[])]
#[case::headless_from_external_name(external(json!({})), json!({"clusterIP": "None", "clusterIPs": ["None"]}), &[])]
#[case::headless_no_more(
    json!({"clusterIP": "None", "clusterIPs": ["None"]}), json!({}), &["spec.clusterIPs[0]"]
)]
#[case::families_of_headless(
    json!({"clusterIP": "None", "clusterIPs": ["None"]}),
    json!({"clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "RequireDualStack"}),
    &[]
)]
#[case::second_address(
    json!({"clusterIPs": ["10.43.0.9", "fd00::9"], "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}),
    json!({"clusterIPs": ["10.43.0.9", "fd00::8"], "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}),
    &["spec.clusterIPs[1]"]
)]
#[case::upgrade_with_another_first(
    json!({}),
    json!({
        "clusterIP": "10.43.0.7", "clusterIPs": ["10.43.0.7", "fd00::9"], "ipFamilies": ["IPv6", "IPv4"],
        "ipFamilyPolicy": "RequireDualStack",
    }),
    &["spec.clusterIPs[0]", "spec.ipFamilies[0]"]
)]
#[case::downgrade_to_the_second(
    json!({"clusterIPs": ["10.43.0.9", "fd00::9"], "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}),
    json!({"clusterIP": "fd00::9", "clusterIPs": ["fd00::9"], "ipFamilies": ["IPv6"]}),
    &["spec.clusterIPs[0]", "spec.ipFamilies[0]"]
)]
#[case::class_comes_late(
    json!({"type": "LoadBalancer"}), json!({"type": "LoadBalancer", "loadBalancerClass": "b"}), &["spec.loadBalancerClass"]
)]
#[case::class_goes(
    json!({"type": "LoadBalancer", "loadBalancerClass": "b"}), json!({"type": "LoadBalancer"}), &["spec.loadBalancerClass"]
)]
#[case::class_goes_with_the_type(json!({"type": "LoadBalancer", "loadBalancerClass": "b"}), json!({"type": "NodePort"}), &[])]
#[case::a_bad_class_comes_with_the_type(
    json!({}), json!({"type": "LoadBalancer", "loadBalancerClass": "a b"}), &["spec.loadBalancerClass"]
)]
#[case::class(
    json!({"type": "LoadBalancer", "loadBalancerClass": "a"}), json!({"type": "LoadBalancer", "loadBalancerClass": "b"}),
    &["spec.loadBalancerClass"]
)]
#[case::class_with_the_type(json!({}), json!({"type": "LoadBalancer", "loadBalancerClass": "b"}), &[])]
#[case::class_without_the_type(
    json!({}), json!({"loadBalancerClass": "b"}), &["spec.loadBalancerClass"]
)]
#[case::health_check(
    json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30001}),
    json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30002}),
    &["spec.healthCheckNodePort"]
)]
fn changes(#[case] old: Value, #[case] new: Value, #[case] want: &[&str]) {
    assert_eq!(fields(change(&with(new), &with(old))), want);
}

#[rstest]
#[case("LoadBalancer", json!({"ip": "192.0.2.1", "ipMode": "VIP"}), &[])]
#[case("LoadBalancer", json!({"hostname": "lb.example.com"}), &[])]
#[case("ClusterIP", json!({"ip": "192.0.2.1"}), &["status.loadBalancer.ingress"])]
#[case("LoadBalancer", json!({"ip": "x", "ipMode": "Odd"}), &["status.loadBalancer.ingress[0].ip", "status.loadBalancer.ingress[0].ipMode"])]
#[case("LoadBalancer", json!({"ip": "192.0.2.1"}), &["status.loadBalancer.ingress[0].ipMode"])]
#[case("LoadBalancer", json!({"hostname": "h", "ipMode": "VIP"}), &["status.loadBalancer.ingress[0].ipMode"])]
#[case("LoadBalancer", json!({"ip": "192.0.2.1", "ipMode": ""}), &["status.loadBalancer.ingress[0].ipMode"])]
#[case("LoadBalancer", json!({"ip": "192.0.2.01", "ipMode": "Proxy"}), &["status.loadBalancer.ingress[0].ip"])]
#[case("LoadBalancer", json!({"hostname": "192.0.2.01"}), &["status.loadBalancer.ingress[0].hostname"])]
#[case("LoadBalancer", json!({"hostname": "-"}), &["status.loadBalancer.ingress[0].hostname"])]
#[case("LoadBalancer", json!({"hostname": "192.0.2.1"}), &["status.loadBalancer.ingress[0].hostname"])]
fn reports(#[case] kind: &str, #[case] ingress: Value, #[case] want: &[&str]) {
    let mut service = with(json!({"type": kind}));
    service.0.insert(
        "status".into(),
        json!({"loadBalancer": {"ingress": [ingress]}}),
    );
    assert_eq!(fields(status(&service, &Object::default())), want);
    let again = fields(status(&service, &service));
    assert!(!again.contains(&"status.loadBalancer.ingress[0].ip".into()));
}
