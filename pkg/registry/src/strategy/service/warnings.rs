//! What of a Service is taken and may surprise (upstream: `pkg/api/service/warnings.go`).

use kedge_machinery::Object;

use super::spec::{NONE, Spec};
use super::validate::points;
use crate::check;
use crate::value::{text, texts};

/// The older name of the annotation below.
pub(super) const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
pub(super) const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";

pub(super) fn service(service: &Object) -> Vec<String> {
    let spec = Spec::of(service);
    let external = texts(spec.0, "externalIPs");
    let is_name = spec.kind() == "ExternalName";
    let headless = spec.kind() == "ClusterIP" && spec.is_headless();
    let hints = service.at(&["metadata", "annotations", TOPOLOGY_HINTS]);
    let mut said = told([(
        hints.is_some(),
        &format!("annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead"),
    )]);
    said.extend(unusual(spec, "clusterIPs", check::unusual_ip));
    said.extend(told([
        (
            headless && !spec.text("loadBalancerIP").is_empty(),
            "spec.loadBalancerIP is ignored for headless services",
        ),
        (
            headless && !external.is_empty(),
            "spec.externalIPs is ignored for headless services",
        ),
        (
            headless && spec.text("sessionAffinity") != NONE,
            "spec.SessionAffinity is ignored for headless services",
        ),
        (
            !external.is_empty() && !headless && !is_name,
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
        ),
    ]));
    said.extend(unusual(spec, "externalIPs", check::unusual_ip));
    said.extend(check::unusual_ip(
        "spec.loadBalancerIP",
        spec.text("loadBalancerIP"),
    ));
    said.extend(unusual(
        spec,
        "loadBalancerSourceRanges",
        check::unusual_cidr,
    ));
    said.extend(told([
        (
            is_name && !external.is_empty(),
            "spec.externalIPs is ignored when spec.type is \"ExternalName\"",
        ),
        (
            !is_name && !spec.text("externalName").is_empty(),
            "spec.externalName is ignored when spec.type is not \"ExternalName\"",
        ),
        (
            spec.text("trafficDistribution") == "PreferClose",
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"",
        ),
    ]));
    said
}

/// Those that are so.
fn told<const N: usize>(all: [(bool, &str); N]) -> Vec<String> {
    let so = all.into_iter().filter(|(when, _)| *when);
    so.map(|(_, what)| what.to_string()).collect()
}

/// What is odd of the texts of a list.
fn unusual(spec: Spec<'_>, key: &str, check: impl Fn(&str, &str) -> Option<String>) -> Vec<String> {
    let each = texts(spec.0, key).into_iter().enumerate();
    each.filter_map(|(i, value)| check(&format!("spec.{key}[{i}]"), value))
        .collect()
}

/// What a load balancer reported. Upstream's path ends at the item.
pub(super) fn status(service: &Object) -> Vec<String> {
    let each = points(service).iter().enumerate();
    each.filter_map(|(i, point)| {
        let at = format!("status.loadBalancer.ingress[{i}]");
        check::unusual_ip(&at, text(point, "ip"))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case(json!({"type": "ClusterIP", "sessionAffinity": "None", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}), 0)]
    #[case(json!({"type": "ClusterIP", "sessionAffinity": "None", "externalIPs": ["1.2.3.4"]}), 1)]
    #[case(json!({"type": "ClusterIP", "sessionAffinity": "ClientIP", "clusterIP": "None", "clusterIPs": ["None"], "externalIPs": ["1.2.3.4"]}), 2)]
    #[case(json!({"type": "ExternalName", "externalName": "a.b", "sessionAffinity": "None", "externalIPs": ["1.2.3.4"]}), 1)]
    #[case(json!({"type": "ClusterIP", "sessionAffinity": "None", "externalName": "a.b"}), 1)]
    #[case(json!({"type": "ClusterIP", "sessionAffinity": "None", "trafficDistribution": "PreferClose"}), 1)]
    #[case(json!({"type": "ClusterIP", "sessionAffinity": "None", "externalIPs": ["2001:DB8::1"]}), 2)]
    #[case(json!({"type": "LoadBalancer", "sessionAffinity": "None", "loadBalancerSourceRanges": ["2001:DB8::/64"]}), 1)]
    #[case(json!({"type": "LoadBalancer", "sessionAffinity": "None", "loadBalancerIP": "192.0.2.010"}), 1)]
    #[case(json!({"type": "LoadBalancer", "sessionAffinity": "None", "loadBalancerIP": "any"}), 0)]
    fn how_much_is_said(#[case] spec: Value, #[case] count: usize) {
        let object = Object::from_value(json!({"spec": spec})).unwrap();
        let said = service(&object);
        assert_eq!(said.len(), count, "{said:?}");
    }

    /// In upstream's order.
    #[test]
    fn of_addresses_first() {
        let odd = "2001:DB8::1";
        let spec = json!({
            "type": "ClusterIP", "sessionAffinity": "None", "clusterIP": odd, "clusterIPs": [odd], "externalIPs": [odd],
            "loadBalancerIP": odd, "loadBalancerSourceRanges": ["2001:DB8::/64"], "externalName": "a.b",
        });
        let object = Object::from_value(json!({"spec": spec})).unwrap();
        let said = service(&object);
        let begun: Vec<&str> = said
            .iter()
            .filter_map(|line| line.split([' ', ':']).next())
            .collect();
        assert_eq!(
            begun,
            [
                "spec.clusterIPs[0]",
                "spec.externalIPs",
                "spec.externalIPs[0]",
                "spec.loadBalancerIP",
                "spec.loadBalancerSourceRanges[0]",
                "spec.externalName",
            ]
        );
    }

    #[test]
    fn of_what_a_load_balancer_reports() {
        let points =
            json!([{"ip": "192.0.2.1"}, {"ip": "2001:DB8::1"}, {"hostname": "a.example.com"}]);
        let status = json!({"status": {"loadBalancer": {"ingress": points}}});
        let said = super::status(&Object::from_value(status).unwrap());
        let want = "status.loadBalancer.ingress[1]: IPv6 address \"2001:DB8::1\" should be in RFC 5952 canonical format (\"2001:db8::1\")";
        assert_eq!(said, [want]);
    }
}
