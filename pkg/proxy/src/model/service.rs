//! Services, as far as the dataplane is concerned.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use smol_str::SmolStr;

use super::address::{address, range};
use crate::family::{Family, Protocol};

/// `sessionAffinityConfig.clientIP.timeoutSeconds` when it is not given, in seconds.
const AFFINITY_TIMEOUT: u32 = 10_800;

/// Which endpoints a kind of traffic may go to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Policy {
    #[default]
    Cluster,
    /// Those on this node alone.
    Local,
}

/// A Service that needs rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    pub ports: Box<[ServicePort]>,
    pub cluster_ips: Box<[IpAddr]>,
    pub external_ips: Box<[IpAddr]>,
    /// Addresses of its load balancer that packets reach this node with (`ipMode: VIP`).
    pub load_balancer_ips: Box<[IpAddr]>,
    /// Who may come to `load_balancer_ips`; all, when empty.
    pub source_ranges: Box<[IpNet]>,
    pub internal_policy: Policy,
    pub external_policy: Policy,
    /// For how many seconds a client keeps its endpoint.
    pub affinity: Option<u32>,
    /// Where load balancers ask whether this node has endpoints.
    pub health_check_node_port: Option<u16>,
}

/// One port of a [`Service`]. Protocol and port are its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// What EndpointSlices call it.
    pub name: SmolStr,
    pub protocol: Protocol,
    pub port: u16,
    pub node_port: Option<u16>,
}

impl Service {
    /// Reads a Service. `None` when it needs no rules: headless, an ExternalName, without an
    /// address yet, or left to others.
    pub fn decode(json: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        let mut view: View<'_> = serde_json::from_slice(json)?;
        let left_alone =
            view.metadata.labels.as_ref().is_some_and(|labels| {
                labels.service_proxy_name.is_some() || labels.headless.is_some()
            });
        if left_alone || view.spec.kind == "ExternalName" {
            return Ok(None);
        }
        let cluster_ips = view.spec.cluster_ips();
        if cluster_ips.is_empty() {
            return Ok(None);
        }
        Ok(Some(view.into_service(cluster_ips)))
    }

    /// Whether it has a cluster address of this family. Without one, its node ports and outer addresses of the family
    /// are not its own: another program may listen there.
    pub fn is_of(&self, family: Family) -> bool {
        self.cluster_ips.iter().any(|ip| Family::of(*ip) == family)
    }
}

#[derive(Deserialize)]
struct View<'a> {
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    spec: Spec<'a>,
    #[serde(borrow, default)]
    status: Status<'a>,
}

#[derive(Deserialize, Default)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    labels: Option<Labels<'a>>,
}

/// Labels of Services that are left alone: another proxy's, and no proxy's.
#[derive(Deserialize)]
struct Labels<'a> {
    #[serde(borrow, rename = "service.kubernetes.io/service-proxy-name")]
    service_proxy_name: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "service.kubernetes.io/headless")]
    headless: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, rename = "clusterIP")]
    cluster_ip: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "clusterIPs")]
    cluster_ips: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, rename = "externalIPs")]
    external_ips: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    load_balancer_source_ranges: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    ports: Option<Vec<PortView<'a>>>,
    internal_traffic_policy: Option<Policy>,
    external_traffic_policy: Option<Policy>,
    #[serde(borrow)]
    session_affinity: Option<Cow<'a, str>>,
    session_affinity_config: Option<AffinityConfig>,
    health_check_node_port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortView<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    protocol: Option<Protocol>,
    port: u16,
    node_port: Option<u16>,
}

#[derive(Deserialize)]
struct AffinityConfig {
    #[serde(rename = "clientIP")]
    client_ip: Option<ClientIp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientIp {
    timeout_seconds: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    #[serde(borrow)]
    load_balancer: Option<LoadBalancer<'a>>,
}

#[derive(Deserialize, Default)]
struct LoadBalancer<'a> {
    #[serde(borrow)]
    ingress: Option<Vec<Ingress<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ingress<'a> {
    #[serde(borrow)]
    ip: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ip_mode: Option<Cow<'a, str>>,
}

/// Addresses of a list; what is none is left out, as the API server's validation lets none in.
fn addresses(list: Option<Vec<Cow<'_, str>>>) -> Box<[IpAddr]> {
    let list = list.unwrap_or_default();
    list.iter().filter_map(|text| address(text)).collect()
}

impl Spec<'_> {
    fn cluster_ips(&mut self) -> Box<[IpAddr]> {
        match self.cluster_ips.take() {
            Some(list) if !list.is_empty() => addresses(Some(list)),
            _ => addresses(self.cluster_ip.take().map(|ip| vec![ip])),
        }
    }

    fn affinity(&self) -> Option<u32> {
        (self.session_affinity.as_deref() == Some("ClientIP")).then(|| {
            self.session_affinity_config
                .as_ref()
                .and_then(|config| config.client_ip.as_ref()?.timeout_seconds)
                .unwrap_or(AFFINITY_TIMEOUT)
        })
    }
}

impl View<'_> {
    fn into_service(self, cluster_ips: Box<[IpAddr]>) -> Service {
        let affinity = self.spec.affinity();
        let ports = self.spec.ports.unwrap_or_default();
        let ingress = self
            .status
            .load_balancer
            .unwrap_or_default()
            .ingress
            .unwrap_or_default();
        Service {
            ports: ports
                .into_iter()
                .map(|port| ServicePort {
                    name: port.name.unwrap_or_default().into(),
                    protocol: port.protocol.unwrap_or(Protocol::Tcp),
                    port: port.port,
                    node_port: port.node_port.filter(|port| *port != 0),
                })
                .collect(),
            cluster_ips,
            external_ips: addresses(self.spec.external_ips),
            load_balancer_ips: ingress
                .iter()
                .filter(|ingress| ingress.ip_mode.as_deref() != Some("Proxy"))
                .filter_map(|ingress| address(ingress.ip.as_deref()?))
                .collect(),
            source_ranges: self
                .spec
                .load_balancer_source_ranges
                .unwrap_or_default()
                .iter()
                .filter_map(|text| range(text))
                .collect(),
            internal_policy: self.spec.internal_traffic_policy.unwrap_or_default(),
            external_policy: self.spec.external_traffic_policy.unwrap_or_default(),
            affinity,
            health_check_node_port: self
                .spec
                .health_check_node_port
                .filter(|port| *port != 0 && self.spec.kind == "LoadBalancer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn decode(value: serde_json::Value) -> Option<Service> {
        Service::decode(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_full_service_is_read() {
        let service = decode(json!({
            "metadata": {"name": "web", "labels": {"app": "web"}},
            "spec": {
                "type": "LoadBalancer", "clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.9", "fd00::9"],
                "externalIPs": ["192.0.2.7"], "loadBalancerSourceRanges": ["192.0.2.9/24", " 2001:db8::/32"],
                "externalTrafficPolicy": "Local", "healthCheckNodePort": 32000,
                "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
                "ports": [{"name": "http", "port": 80, "targetPort": "web", "nodePort": 30080},
                          {"name": "dns", "port": 53, "protocol": "UDP"}],
            },
            "status": {"loadBalancer": {"ingress": [
                {"ip": "198.51.100.1"}, {"ip": "198.51.100.2", "ipMode": "Proxy"}, {"hostname": "lb.example"}]}},
        }))
        .unwrap();
        assert_eq!(service.cluster_ips.len(), 2);
        assert_eq!(
            &*service.load_balancer_ips,
            ["198.51.100.1".parse::<IpAddr>().unwrap()]
        );
        assert_eq!(service.source_ranges[0].to_string(), "192.0.2.0/24");
        assert_eq!(service.source_ranges[1].to_string(), "2001:db8::/32");
        assert_eq!(service.external_policy, Policy::Local);
        assert_eq!(service.affinity, Some(60));
        assert_eq!(service.ports[0].node_port, Some(30080));
        assert_eq!(service.ports[1].protocol, Protocol::Udp);
        assert_eq!(service.health_check_node_port, Some(32000));
    }

    #[rstest]
    #[case(json!({"spec": {"clusterIP": "None", "ports": [{"port": 80}]}}))]
    #[case(json!({"spec": {"clusterIP": "None", "externalIPs": ["192.0.2.7"], "ports": [{"port": 80}]}}))]
    #[case(json!({"spec": {"type": "ExternalName", "externalName": "example.org"}}))]
    #[case(json!({"spec": {"type": "ExternalName", "externalName": "example.org", "clusterIP": "10.43.0.1"}}))]
    #[case(json!({"spec": {"ports": [{"port": 80}]}}))]
    #[case(json!({"metadata": {"labels": {"service.kubernetes.io/service-proxy-name": ""}}, "spec": {"clusterIP": "10.43.0.1"}}))]
    #[case(json!({"metadata": {"labels": {"service.kubernetes.io/headless": "x"}}, "spec": {"clusterIP": "10.43.0.1"}}))]
    fn services_without_rules(#[case] service: serde_json::Value) {
        assert_eq!(decode(service), None);
    }

    #[test]
    fn nulls_are_defaults() {
        let service = decode(json!({
            "metadata": {"labels": null},
            "spec": {"clusterIP": "10.43.0.1", "clusterIPs": null, "ports": [{"port": 80, "name": null}],
                     "sessionAffinity": "ClientIP", "sessionAffinityConfig": null, "externalIPs": null},
            "status": {"loadBalancer": {}},
        }))
        .unwrap();
        assert_eq!(service.affinity, Some(AFFINITY_TIMEOUT));
        assert_eq!(&*service.ports[0].name, "");
    }

    #[test]
    fn old_forms_of_addresses_are_read() {
        let service = decode(json!({
            "spec": {"clusterIP": "10.43.0.041", "clusterIPs": ["10.43.0.041"], "externalIPs": ["198.051.100.7"],
                     "loadBalancerSourceRanges": ["203.0.113.000/025"], "ports": [{"port": 80}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.007"}]}},
        }))
        .unwrap();
        let addresses = [
            &service.cluster_ips,
            &service.external_ips,
            &service.load_balancer_ips,
        ];
        assert_eq!(
            addresses.map(|list| list[0].to_string()),
            ["10.43.0.41", "198.51.100.7", "192.0.2.7"]
        );
        assert_eq!(service.source_ranges[0].to_string(), "203.0.113.0/25");
    }

    #[test]
    fn what_is_no_service_is_an_error() {
        assert!(Service::decode(b"{\"spec\": {\"ports\": [{\"port\": 70000}]}}").is_err());
        assert!(Service::decode(b"7").is_err());
    }
}
