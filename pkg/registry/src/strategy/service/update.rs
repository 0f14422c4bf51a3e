//! What an update of a Service keeps, and what a change of type sheds
//! (upstream: `patchAllocatedValues`, `NormalizeClusterIPs`, `dropTypeDependentFields`).

use std::collections::{BTreeMap, BTreeSet};

use kedge_machinery::Object;
use serde_json::{Value, json};

use super::spec::{Spec, spec_mut};
use super::validate::internal_traffic;
use crate::value::{copy_field, field, int, list_mut, structs_mut, text};

/// Fills allocated values that a client left out, so that sending the same manifest again is no change.
pub(super) fn keep_allocated(new: &mut Object, old: &Object) {
    let (was, is) = (Spec::of(old), Spec::of(new));
    let addresses = was.needs_cluster_ip() && is.needs_cluster_ip();
    let (singular, plural) = (is.cluster_ip().is_empty(), is.cluster_ips().is_empty());
    let health =
        was.needs_health_check() && is.needs_health_check() && is.health_check_node_port() == 0;
    // Who declines node ports gives up those that it names no more.
    if was.allocates_node_ports() && is.allocates_node_ports() {
        keep_node_ports(new, old);
    }
    let Some(from) = field(&old.0, "spec").as_object() else {
        return;
    };
    let spec = spec_mut(new);
    if addresses && singular {
        copy_field(spec, from, "clusterIP");
    }
    if addresses && plural {
        copy_field(spec, from, "clusterIPs");
    }
    if health {
        copy_field(spec, from, "healthCheckNodePort");
    }
}

/// Node ports are known again by the name of their port, unless another port of the Service took them.
fn keep_node_ports(new: &mut Object, old: &Object) {
    let before: BTreeSet<i64> = Spec::of(old).node_ports().into_iter().collect();
    let taken: BTreeSet<i64> = Spec::of(new)
        .node_ports()
        .into_iter()
        .filter(|n| before.contains(n))
        .collect();
    let by_name: BTreeMap<&str, i64> = Spec::of(old)
        .ports()
        .iter()
        .map(|p| (text(p, "name"), int(p, "nodePort")))
        .collect();
    for port in list_mut(spec_mut(new), "ports") {
        if int(port, "nodePort") != 0 {
            continue;
        }
        let kept = by_name
            .get(text(port, "name"))
            .copied()
            .filter(|n| *n != 0 && !taken.contains(n));
        if let (Some(kept), Some(port)) = (kept, port.as_object_mut()) {
            port.insert("nodePort".into(), kept.into());
        }
    }
}

/// `clusterIP` and `clusterIPs` say the same, whichever of them the client knows.
pub(super) fn normalize_cluster_ips(new: &mut Object, old: Option<&Object>) {
    let is = Spec::of(new);
    let (ip, ips) = (is.cluster_ip().to_string(), is.cluster_ips());
    let plural: Option<Value> = match old {
        None if !ip.is_empty() && ips.is_empty() => Some(json!([ip])),
        None => None,
        Some(old) => {
            let was = Spec::of(old);
            let (old_ip, old_ips) = (was.cluster_ip(), was.cluster_ips());
            if old_ip == ip {
                (!old_ips.is_empty() && ips.is_empty()).then(|| json!(old_ips))
            } else if ips != old_ips {
                None
            } else if ip.is_empty() {
                Some(Value::Null)
            } else {
                Some(json!([ip]))
            }
        }
    };
    match plural {
        Some(Value::Null) => {
            spec_mut(new).remove("clusterIPs");
        }
        Some(plural) => {
            spec_mut(new).insert("clusterIPs".into(), plural);
        }
        None => {}
    }
}

/// Removes what the new type cannot have, where it is only left over from the old type.
pub(super) fn drop_type_dependent(new: &mut Object, old: &Object) {
    let (was, is) = (Spec::of(old), Spec::of(new));
    let same = |key: &str| was.get(key) == is.get(key);
    let mut gone: Vec<&str> = Vec::new();
    if was.needs_cluster_ip() && !is.needs_cluster_ip() {
        if same("clusterIP") && same("clusterIPs") {
            gone.extend(["clusterIP", "clusterIPs"]);
        }
        gone.extend(
            ["ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"]
                .into_iter()
                .filter(|key| same(key)),
        );
    }
    if was.needs_health_check() && !is.needs_health_check() && same("healthCheckNodePort") {
        gone.push("healthCheckNodePort");
    }
    if was.is_load_balancer() && !is.is_load_balancer() {
        gone.extend(
            ["allocateLoadBalancerNodePorts", "loadBalancerClass"]
                .into_iter()
                .filter(|key| same(key)),
        );
    }
    if was.is_externally_accessible()
        && !is.is_externally_accessible()
        && same("externalTrafficPolicy")
    {
        gone.push("externalTrafficPolicy");
    }
    let before: BTreeSet<i64> = was.node_ports().into_iter().collect();
    let shed_ports = was.needs_node_ports()
        && !is.needs_node_ports()
        && is.node_ports().iter().all(|n| before.contains(n));
    let balancer = is.is_load_balancer();

    let spec = spec_mut(new);
    for key in gone {
        spec.remove(key);
    }
    if shed_ports {
        for port in structs_mut(spec, "ports") {
            port.remove("nodePort");
        }
    }
    if !balancer {
        let status = kedge_machinery::object::child_mut(&mut new.0, "status");
        status.insert("loadBalancer".into(), json!({}));
    }
}

/// An ExternalName Service has no internal policy. Upstream stores one that it is given and shows it to nobody; what is
/// no policy at all is left for validation.
pub(super) fn drop_internal_policy(service: &mut Object) {
    let spec = Spec::of(service);
    if !spec.needs_cluster_ip() && internal_traffic(spec).is_none() {
        spec_mut(service).remove("internalTrafficPolicy");
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn service(spec: Value) -> Object {
        Object::from_value(json!({"spec": spec, "status": {"loadBalancer": {}}})).unwrap()
    }

    fn spec(service: &Object) -> &Value {
        field(&service.0, "spec")
    }

    #[test]
    fn the_same_manifest_again_keeps_what_was_allocated() {
        let old = service(json!({
            "type": "LoadBalancer", "clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.9"],
            "externalTrafficPolicy": "Local", "healthCheckNodePort": 30500,
            "ports": [{"name": "a", "port": 80, "nodePort": 30080}, {"name": "b", "port": 81, "nodePort": 30081}],
        }));
        let mut new = service(json!({
            "type": "LoadBalancer", "externalTrafficPolicy": "Local",
            "ports": [{"name": "b", "port": 82}, {"name": "c", "port": 83}],
        }));
        keep_allocated(&mut new, &old);
        assert_eq!(
            spec(&new),
            &json!({
                "type": "LoadBalancer", "clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.9"],
                "externalTrafficPolicy": "Local", "healthCheckNodePort": 30500,
                "ports": [{"name": "b", "port": 82, "nodePort": 30081}, {"name": "c", "port": 83}],
            })
        );
    }

    /// Type and `allocateLoadBalancerNodePorts`, before and after; whether a port that is left out keeps its node port.
    #[rstest]
    #[case(("NodePort", None), ("LoadBalancer", Some(true)), true)]
    #[case(("LoadBalancer", Some(true)), ("LoadBalancer", Some(true)), true)]
    #[case(("LoadBalancer", Some(true)), ("NodePort", None), true)]
    #[case(("LoadBalancer", Some(true)), ("LoadBalancer", Some(false)), false)]
    #[case(("LoadBalancer", Some(false)), ("LoadBalancer", Some(false)), false)]
    #[case(("NodePort", None), ("LoadBalancer", Some(false)), false)]
    fn who_declines_node_ports_gives_up_those_that_it_leaves_out(
        #[case] before: (&str, Option<bool>),
        #[case] after: (&str, Option<bool>),
        #[case] kept: bool,
    ) {
        let of = |(kind, allocates): (&str, Option<bool>), second: Value| {
            let ports = json!([{"name": "a", "port": 80, "nodePort": 30080}, second]);
            let mut spec = json!({"type": kind, "ports": ports});
            if let Some(allocates) = allocates {
                spec["allocateLoadBalancerNodePorts"] = allocates.into();
            }
            service(spec)
        };
        let old = of(before, json!({"name": "b", "port": 81, "nodePort": 30081}));
        let mut new = of(after, json!({"name": "b", "port": 81}));
        keep_allocated(&mut new, &old);
        let ports = &spec(&new)["ports"];
        assert_eq!(ports[0]["nodePort"], 30080);
        assert_eq!(ports[1]["nodePort"] == 30081, kept);
    }

    #[rstest]
    #[case("ExternalName", "Local", false)]
    #[case("ExternalName", "Near", true)]
    #[case("ClusterIP", "Local", true)]
    fn the_internal_policy_of_an_external_name(
        #[case] kind: &str,
        #[case] policy: &str,
        #[case] kept: bool,
    ) {
        let mut new = service(json!({"type": kind, "internalTrafficPolicy": policy}));
        drop_internal_policy(&mut new);
        assert_eq!(spec(&new).get("internalTrafficPolicy").is_some(), kept);
    }

    #[test]
    fn a_node_port_that_moved_to_another_port_is_not_given_twice() {
        let old = service(
            json!({"type": "NodePort", "ports": [{"name": "a", "port": 80, "nodePort": 30080}]}),
        );
        let ports =
            json!([{"name": "a", "port": 80}, {"name": "b", "port": 81, "nodePort": 30080}]);
        let mut new = service(json!({"type": "NodePort", "ports": ports}));
        keep_allocated(&mut new, &old);
        assert_eq!(spec(&new)["ports"], ports);
    }

    #[test]
    fn singular_and_plural_agree() {
        let both = |ip: &str, ips: Value| json!({"clusterIP": ip, "clusterIPs": ips});
        let run = |new: Value, old: Option<Value>| {
            let mut new = service(new);
            normalize_cluster_ips(&mut new, old.map(service).as_ref());
            spec(&new).clone()
        };
        assert_eq!(
            run(json!({"clusterIP": "1.1.1.1"}), None),
            both("1.1.1.1", json!(["1.1.1.1"]))
        );
        assert_eq!(
            run(json!({"clusterIPs": ["1.1.1.1"]}), None),
            json!({"clusterIPs": ["1.1.1.1"]})
        );
        let old = both("1.1.1.1", json!(["1.1.1.1", "::1"]));
        assert_eq!(run(json!({"clusterIP": "1.1.1.1"}), Some(old.clone())), old);
        assert_eq!(
            run(both("", json!(["1.1.1.1", "::1"])), Some(old.clone())),
            json!({"clusterIP": ""})
        );
        let moved = run(both("1.1.1.2", json!(["1.1.1.1", "::1"])), Some(old));
        assert_eq!(moved, both("1.1.1.2", json!(["1.1.1.2"])));
    }

    #[test]
    fn types_shed_what_they_cannot_have() {
        let balancer = json!({
            "type": "LoadBalancer", "clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.9"], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster", "externalTrafficPolicy": "Local",
            "healthCheckNodePort": 30500, "allocateLoadBalancerNodePorts": true, "loadBalancerClass": "a/b",
            "ports": [{"port": 80, "nodePort": 30080}], "selector": {"a": "b"},
        });
        let to = |kind: &str| {
            let mut spec = balancer.clone();
            spec["type"] = kind.into();
            let mut new = service(spec);
            drop_type_dependent(&mut new, &service(balancer.clone()));
            field(&new.0, "spec").clone()
        };
        assert_eq!(
            to("ExternalName"),
            json!({"type": "ExternalName", "ports": [{"port": 80}], "selector": {"a": "b"}})
        );
        assert_eq!(
            to("ClusterIP"),
            json!({
                "type": "ClusterIP", "clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.9"], "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster",
                "ports": [{"port": 80}], "selector": {"a": "b"},
            })
        );
        let node = to("NodePort");
        assert_eq!(node["ports"], json!([{"port": 80, "nodePort": 30080}]));
        assert_eq!(node["externalTrafficPolicy"], "Local");
        assert!(
            node.get("healthCheckNodePort").is_none() && node.get("loadBalancerClass").is_none()
        );
    }

    #[test]
    fn a_field_that_was_changed_too_is_left_for_validation() {
        let old = service(json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}));
        let mut new =
            service(json!({"type": "ClusterIP", "ports": [{"port": 80, "nodePort": 30999}]}));
        drop_type_dependent(&mut new, &old);
        assert_eq!(spec(&new)["ports"][0]["nodePort"], 30999);
    }
}
