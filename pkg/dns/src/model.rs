//! What DNS needs of Services and EndpointSlices, read out of their JSON.

use std::net::IpAddr;

use serde::Deserialize;

/// A Service, as far as names go.
#[derive(Debug, Clone, PartialEq)]
pub enum Service {
    /// Addresses of its own.
    Cluster {
        addresses: Vec<IpAddr>,
        ports: Vec<Port>,
    },
    /// Its names lead to its endpoints.
    Headless,
    /// An alias; the target without a trailing dot, in lower case.
    External { target: String },
}

/// A port that has a name, and so a SRV record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    pub name: String,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    pub number: u16,
}

/// The endpoints of one EndpointSlice that names may lead to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slice {
    pub service: String,
    pub endpoints: Vec<Endpoint>,
    pub ports: Vec<Port>,
}

/// One address of an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    pub address: IpAddr,
    /// The label below the Service's name: `hostname`, or the address with dashes.
    pub label: String,
}

#[derive(Deserialize)]
struct ServiceView {
    #[serde(default)]
    spec: ServiceSpec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ServiceSpec {
    r#type: String,
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    #[serde(rename = "clusterIPs")]
    cluster_ips: Vec<String>,
    external_name: String,
    ports: Vec<PortView>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PortView {
    name: Option<String>,
    protocol: Option<String>,
    port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SliceView {
    metadata: SliceMeta,
    #[serde(default)]
    address_type: String,
    #[serde(default)]
    endpoints: Option<Vec<EndpointView>>,
    #[serde(default)]
    ports: Option<Vec<PortView>>,
}

#[derive(Deserialize)]
struct SliceMeta {
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct EndpointView {
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    hostname: Option<String>,
    #[serde(default)]
    conditions: Option<Conditions>,
}

#[derive(Deserialize)]
struct Conditions {
    ready: Option<bool>,
}

/// Reads a Service; `None` for one that has no name yet (no address given) or cannot be read.
#[must_use]
pub fn service(json: &[u8]) -> Option<Service> {
    let spec = serde_json::from_slice::<ServiceView>(json).ok()?.spec;
    if spec.r#type == "ExternalName" {
        let target = spec
            .external_name
            .trim_end_matches('.')
            .to_ascii_lowercase();
        return (!target.is_empty()).then_some(Service::External { target });
    }
    if spec.cluster_ip == "None" {
        return Some(Service::Headless);
    }
    let texts = if spec.cluster_ips.is_empty() {
        vec![spec.cluster_ip]
    } else {
        spec.cluster_ips
    };
    let addresses: Vec<IpAddr> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    (!addresses.is_empty()).then(|| Service::Cluster {
        addresses,
        ports: ports(spec.ports),
    })
}

/// Reads an EndpointSlice; `None` for one of no Service, of names instead of addresses, or unreadable.
#[must_use]
pub fn slice(json: &[u8]) -> Option<Slice> {
    let mut view: SliceView = serde_json::from_slice(json).ok()?;
    let service = view.metadata.labels.remove("kubernetes.io/service-name")?;
    if view.address_type == "FQDN" {
        return None;
    }
    let endpoints = view
        .endpoints
        .unwrap_or_default()
        .into_iter()
        // Absent means ready: that is how publishNotReadyAddresses shows here too.
        .filter(|e| e.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true))
        .flat_map(|e| {
            let hostname = e.hostname.filter(|h| !h.is_empty());
            e.addresses.into_iter().filter_map(move |text| {
                let address: IpAddr = text.parse().ok()?;
                let label = hostname.clone().unwrap_or_else(|| dashed(address));
                Some(Endpoint { address, label })
            })
        })
        .collect();
    Some(Slice {
        service,
        endpoints,
        ports: ports(view.ports.unwrap_or_default()),
    })
}

fn ports(views: Vec<PortView>) -> Vec<Port> {
    views
        .into_iter()
        .filter_map(|view| {
            Some(Port {
                name: view.name.filter(|name| !name.is_empty())?,
                protocol: view
                    .protocol
                    .as_deref()
                    .unwrap_or("TCP")
                    .to_ascii_lowercase(),
                number: view.port?,
            })
        })
        .collect()
}

/// `10-42-0-11`, `fd00-42--11`: an address as a label.
#[must_use]
pub fn dashed(address: IpAddr) -> String {
    address.to_string().replace(['.', ':'], "-")
}

/// The address that a label stands for.
#[must_use]
pub fn undashed(label: &str) -> Option<IpAddr> {
    let v4 = label.replace('-', ".");
    v4.parse()
        .ok()
        .or_else(|| label.replace('-', ":").parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_of_each_type() {
        let read = |spec: &str| service(format!(r#"{{"spec":{spec}}}"#).as_bytes());
        assert_eq!(
            read(r#"{"type":"ExternalName","externalName":"Example.COM."}"#),
            Some(Service::External {
                target: "example.com".into()
            })
        );
        assert_eq!(
            read(r#"{"type":"ClusterIP","clusterIP":"None"}"#),
            Some(Service::Headless)
        );
        assert_eq!(read(r#"{"type":"ClusterIP","clusterIP":""}"#), None);
        let ports =
            r#"[{"name":"http","port":80},{"port":81},{"name":"dns","protocol":"UDP","port":53}]"#;
        let found = read(&format!(
            r#"{{"clusterIP":"10.43.0.5","clusterIPs":["10.43.0.5","fd00::5"],"ports":{ports}}}"#
        ));
        let Some(Service::Cluster { addresses, ports }) = found else {
            panic!("{found:?}")
        };
        assert_eq!(addresses.len(), 2);
        let shown: Vec<_> = ports
            .iter()
            .map(|p| format!("{}/{}/{}", p.name, p.protocol, p.number))
            .collect();
        assert_eq!(shown, ["http/tcp/80", "dns/udp/53"]);
    }

    #[test]
    fn only_ready_endpoints_have_names() {
        let found = slice(
            br#"{"metadata":{"labels":{"kubernetes.io/service-name":"db"}},"addressType":"IPv4","endpoints":[
                {"addresses":["10.42.0.11"],"hostname":"db-0","conditions":{"ready":true}},
                {"addresses":["10.42.0.12"],"conditions":{"ready":false}},
                {"addresses":["10.42.0.13"]}],"ports":null}"#,
        )
        .unwrap();
        let labels: Vec<_> = found.endpoints.iter().map(|e| e.label.as_str()).collect();
        assert_eq!(labels, ["db-0", "10-42-0-13"]);
    }

    #[test]
    fn a_label_for_an_address_and_back() {
        for text in ["10.42.0.11", "fd00:42::11", "::1"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(undashed(&dashed(address)), Some(address));
        }
        assert_eq!(undashed("web"), None);
    }
}
