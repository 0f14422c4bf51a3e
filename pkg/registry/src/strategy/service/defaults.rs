//! What a Service is given when it does not say (upstream: `SetDefaults_Service`).

use kedge_machinery::Object;
use serde_json::json;

use super::spec::{Spec, spec_mut};
use crate::value::{default, field, is_empty, list_mut, omit_empty, present, structs_mut, text};

/// KEP-1904: three hours of session affinity.
const AFFINITY_SECONDS: i64 = 10800;

/// Fields that are no pointers in Go: their empty value is the same as their absence.
const PLAIN: &[&str] = &[
    "clusterIP",
    "externalName",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerIP",
    "publishNotReadyAddresses",
    "sessionAffinity",
    "type",
];

pub(super) fn apply(service: &mut Object) {
    let spec = spec_mut(service);
    omit_empty(spec, PLAIN);
    for port in structs_mut(spec, "ports") {
        omit_empty(port, &["name", "nodePort"]);
        default(port, "protocol", "TCP");
        let number = field(port, "port").clone();
        if is_empty(field(port, "targetPort")) && !number.is_null() {
            port.insert("targetPort".into(), number);
        }
    }
    default(spec, "sessionAffinity", "None");
    match field(spec, "sessionAffinity").as_str() {
        Some("None") => {
            spec.remove("sessionAffinityConfig");
        }
        Some("ClientIP") => {
            let config = field(spec, "sessionAffinityConfig");
            if present(config, "clientIP")
                .and_then(|c| present(c, "timeoutSeconds"))
                .is_none()
            {
                let config = json!({"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}});
                spec.insert("sessionAffinityConfig".into(), config);
            }
        }
        _ => {}
    }
    default(spec, "type", "ClusterIP");
    traffic(service);
    status(service);
}

fn traffic(service: &mut Object) {
    let view = Spec::of(service);
    let external = view.is_externally_accessible();
    let internal = matches!(view.kind(), "ClusterIP" | "NodePort" | "LoadBalancer");
    let balancer = view.is_load_balancer();
    let spec = spec_mut(service);
    if external {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if internal && field(spec, "internalTrafficPolicy").is_null() {
        spec.insert("internalTrafficPolicy".into(), "Cluster".into());
    }
    if balancer && field(spec, "allocateLoadBalancerNodePorts").is_null() {
        spec.insert("allocateLoadBalancerNodePorts".into(), true.into());
    }
}

/// KEP-1860: an address of a load balancer is a virtual one unless it says `Proxy`.
fn status(service: &mut Object) {
    let balancer = Spec::of(service).is_load_balancer();
    let status = kedge_machinery::object::child_mut(&mut service.0, "status");
    let load_balancer = kedge_machinery::object::child_mut(status, "loadBalancer");
    if !balancer {
        return;
    }
    for ingress in list_mut(load_balancer, "ingress") {
        let needs = !text(ingress, "ip").is_empty() && present(ingress, "ipMode").is_none();
        if let (true, Some(ingress)) = (needs, ingress.as_object_mut()) {
            ingress.insert("ipMode".into(), "VIP".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn defaulted(spec: Value) -> Value {
        let mut service = Object::from_value(json!({"spec": spec})).unwrap();
        apply(&mut service);
        field(&service.0, "spec").clone()
    }

    #[test]
    fn a_plain_service() {
        assert_eq!(
            defaulted(
                json!({"ports": [{"port": 80, "nodePort": 0, "name": ""}], "clusterIP": "", "healthCheckNodePort": 0})
            ),
            json!({
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
                "sessionAffinity": "None", "type": "ClusterIP", "internalTrafficPolicy": "Cluster",
            })
        );
    }

    #[test]
    fn a_named_target_port_and_a_protocol_stay() {
        let spec =
            defaulted(json!({"ports": [{"port": 53, "protocol": "UDP", "targetPort": "dns"}]}));
        assert_eq!(
            spec["ports"][0],
            json!({"port": 53, "protocol": "UDP", "targetPort": "dns"})
        );
    }

    #[test]
    fn affinity_gets_three_hours_and_none_forgets_them() {
        let spec = defaulted(json!({"sessionAffinity": "ClientIP"}));
        assert_eq!(
            spec["sessionAffinityConfig"],
            json!({"clientIP": {"timeoutSeconds": 10800}})
        );
        let spec = defaulted(json!({"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}));
        assert!(spec.get("sessionAffinityConfig").is_none());
        let kept = json!({"clientIP": {"timeoutSeconds": 60}});
        let spec = defaulted(json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": kept}));
        assert_eq!(spec["sessionAffinityConfig"], kept);
    }

    #[test]
    fn traffic_policies_by_type() {
        let spec = defaulted(json!({"type": "LoadBalancer"}));
        assert_eq!(spec["externalTrafficPolicy"], "Cluster");
        assert_eq!(spec["allocateLoadBalancerNodePorts"], true);
        let spec = defaulted(json!({"type": "ExternalName"}));
        assert!(
            spec.get("internalTrafficPolicy").is_none()
                && spec.get("externalTrafficPolicy").is_none()
        );
        let spec = defaulted(json!({"externalIPs": ["192.0.2.1"]}));
        assert_eq!(spec["externalTrafficPolicy"], "Cluster");
        let spec =
            defaulted(json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false}));
        assert_eq!(spec["allocateLoadBalancerNodePorts"], false);
    }

    #[test]
    fn balancer_addresses_are_virtual() {
        let mut service = Object::from_value(json!({
            "spec": {"type": "LoadBalancer"},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "h"}]}},
        }))
        .unwrap();
        apply(&mut service);
        let want = json!([{"ip": "192.0.2.1", "ipMode": "VIP"}, {"hostname": "h"}]);
        assert_eq!(
            service.at(&["status", "loadBalancer", "ingress"]),
            Some(&want)
        );
    }
}
