//! What DNS needs of Services and EndpointSlices, read out of their JSON into as little memory as it takes.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

use crate::ports::Ports;

/// A Service, as far as names go.
#[derive(Debug, Clone, PartialEq)]
pub enum Service {
    /// Addresses of its own.
    Cluster {
        addresses: Box<[IpAddr]>,
        ports: Ports,
    },
    /// Its names lead to its endpoints.
    Headless,
    /// An alias; the target as it was written.
    External { target: Box<str> },
}

/// The endpoints of one EndpointSlice that names may lead to.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    pub service: Box<str>,
    pub addresses: Addresses,
    /// Beside the addresses, empty text for one without; empty altogether where no endpoint has a host name.
    pub hostnames: Box<[Box<str>]>,
    pub ports: Ports,
}

/// Addresses of one family: a slice has no others.
#[derive(Debug, Clone, PartialEq)]
pub enum Addresses {
    V4(Box<[Ipv4Addr]>),
    V6(Box<[Ipv6Addr]>),
}

impl Addresses {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::V4(all) => all.len(),
            Self::V6(all) => all.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[must_use]
    pub fn get(&self, at: usize) -> Option<IpAddr> {
        match self {
            Self::V4(all) => all.get(at).copied().map(IpAddr::V4),
            Self::V6(all) => all.get(at).copied().map(IpAddr::V6),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = IpAddr> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

#[derive(Deserialize)]
struct ServiceView<'j> {
    #[serde(default, borrow)]
    spec: ServiceSpec<'j>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ServiceSpec<'j> {
    #[serde(borrow)]
    r#type: Cow<'j, str>,
    #[serde(rename = "clusterIP", borrow)]
    cluster_ip: Cow<'j, str>,
    #[serde(rename = "clusterIPs", borrow)]
    cluster_ips: Vec<Cow<'j, str>>,
    #[serde(borrow)]
    external_name: Cow<'j, str>,
    #[serde(borrow)]
    ports: Vec<PortView<'j>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PortView<'j> {
    #[serde(borrow)]
    name: Option<Cow<'j, str>>,
    #[serde(borrow)]
    protocol: Option<Cow<'j, str>>,
    port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SliceView<'j> {
    #[serde(borrow)]
    metadata: SliceMeta<'j>,
    #[serde(default, borrow)]
    endpoints: Option<Vec<EndpointView<'j>>>,
    #[serde(default, borrow)]
    address_type: Cow<'j, str>,
    #[serde(default, borrow)]
    ports: Option<Vec<PortView<'j>>>,
}

#[derive(Deserialize)]
struct SliceMeta<'j> {
    #[serde(default, borrow)]
    labels: SliceLabels<'j>,
}

#[derive(Deserialize, Default)]
struct SliceLabels<'j> {
    #[serde(rename = "kubernetes.io/service-name", borrow)]
    service: Option<Cow<'j, str>>,
}

#[derive(Deserialize)]
struct EndpointView<'j> {
    #[serde(default, borrow)]
    addresses: Vec<Cow<'j, str>>,
    #[serde(default, borrow)]
    hostname: Option<Cow<'j, str>>,
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
    let spec = serde_json::from_slice::<ServiceView<'_>>(json).ok()?.spec;
    if spec.r#type == "ExternalName" {
        let target = spec.external_name.trim_end_matches('.');
        return (!target.is_empty()).then(|| Service::External {
            target: target.into(),
        });
    }
    if spec.cluster_ip == "None" {
        return Some(Service::Headless);
    }
    let texts = if spec.cluster_ips.is_empty() {
        &[spec.cluster_ip][..]
    } else {
        &spec.cluster_ips[..]
    };
    let addresses: Box<[IpAddr]> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    (!addresses.is_empty()).then(|| Service::Cluster {
        addresses,
        ports: ports(&spec.ports),
    })
}

/// Reads an EndpointSlice; `None` for one of no Service, of names instead of addresses, or unreadable.
#[must_use]
pub fn slice(json: &[u8]) -> Option<Slice> {
    let view: SliceView<'_> = serde_json::from_slice(json).ok()?;
    let service = view.metadata.labels.service?.into();
    let ready: Vec<&EndpointView<'_>> = view
        .endpoints
        .iter()
        .flatten()
        // Absent means ready: that is how publishNotReadyAddresses shows here too.
        .filter(|e| e.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true))
        .collect();
    let texts = || {
        ready
            .iter()
            .flat_map(|e| e.addresses.iter().map(|a| (a, e.hostname.as_deref())))
    };
    let (addresses, named): (Addresses, Vec<Option<&str>>) = match &*view.address_type {
        "FQDN" => return None,
        "IPv6" => {
            let (all, names): (Vec<Ipv6Addr>, Vec<_>) = texts()
                .filter_map(|(text, name)| Some((text.parse::<Ipv6Addr>().ok()?, name)))
                .unzip();
            (Addresses::V6(all.into()), names)
        }
        _ => {
            let (all, names): (Vec<Ipv4Addr>, Vec<_>) = texts()
                .filter_map(|(text, name)| Some((text.parse::<Ipv4Addr>().ok()?, name)))
                .unzip();
            (Addresses::V4(all.into()), names)
        }
    };
    let hostnames = if named.iter().any(Option::is_some) {
        named.iter().map(|n| n.unwrap_or_default().into()).collect()
    } else {
        Box::default()
    };
    Some(Slice {
        service,
        addresses,
        hostnames,
        ports: ports(view.ports.as_deref().unwrap_or_default()),
    })
}

fn ports(views: &[PortView<'_>]) -> Ports {
    Ports::new(views.iter().filter_map(|view| {
        let protocol = view.protocol.as_deref().unwrap_or("TCP");
        Some((
            view.name.as_deref().unwrap_or_default(),
            protocol.parse().ok()?,
            view.port?,
        ))
    }))
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
                target: "Example.COM".into()
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
            .map(|p| format!("{}/{:?}/{}", p.name, p.protocol, p.number))
            .collect();
        assert_eq!(shown, ["http/Tcp/80", "/Tcp/81", "dns/Udp/53"]);
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
        let addresses: Vec<_> = found.addresses.iter().map(|a| a.to_string()).collect();
        assert_eq!(addresses, ["10.42.0.11", "10.42.0.13"]);
        assert_eq!(*found.hostnames, ["db-0".into(), "".into()]);
    }

    #[test]
    fn text_with_escapes_is_read_too() {
        let found = service(
            br#"{"spec":{"type":"External\u004eame","externalName":"ex\u0061mple.com","ports":[]}}"#,
        );
        assert!(matches!(found, Some(Service::External { target }) if &*target == "example.com"));
    }
}
