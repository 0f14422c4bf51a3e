//! What a Service asks of its load balancer, read out of the Service.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::pool::Labels;
use crate::view::{Service, ServicePort};

/// MetalLB's annotations, and their older spelling.
const REQUESTED: [&str; 2] = [
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
];
const POOL: [&str; 2] = [
    "metallb.io/address-pool",
    "metallb.universe.tf/address-pool",
];
const SHARING: [&str; 2] = [
    "metallb.io/allow-shared-ip",
    "metallb.universe.tf/allow-shared-ip",
];

/// The protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    Tcp,
    Udp,
    Sctp,
}

/// A text that is no protocol of a Service port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not TCP, UDP or SCTP")]
pub struct TransportError(String);

impl FromStr for Transport {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, TransportError> {
        match text {
            "TCP" => Ok(Self::Tcp),
            "UDP" => Ok(Self::Udp),
            "SCTP" => Ok(Self::Sctp),
            _ => Err(TransportError(text.into())),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// A Service that wants addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// RFC 3339: who came first is served first.
    pub created: String,
    /// Whether each family is IPv6; the primary first.
    pub families: Vec<bool>,
    /// One family is not enough (`RequireDualStack`).
    pub all_families: bool,
    /// Addresses asked for by name.
    pub requested: Vec<IpAddr>,
    /// The name of the pool that the addresses are to come from.
    pub pool: Option<String>,
    /// With whom it may share an address; nobody where there is none.
    pub sharing: Option<Sharing>,
    /// Why the request cannot be read.
    pub mistake: Option<String>,
    pub ports: Vec<Port>,
    /// Only nodes with endpoints of it answer for its addresses (`externalTrafficPolicy: Local`).
    pub local: bool,
    /// Of the Service, for pools that select by them.
    pub labels: Labels,
    /// What `status` says: the record of what it has.
    pub current: Vec<IpAddr>,
    /// What it asks for changed while it had this address: in a conflict that this makes, it is the one that yields.
    pub edited: bool,
}

/// Protocol and number.
pub(super) type Port = (Transport, u16);

/// What Services on one address must have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sharing {
    /// The annotation's value.
    pub key: String,
    /// The endpoints, where only nodes that have some answer for the address; empty where every node does.
    pub backend: String,
}

impl Request {
    pub(super) fn of(service: &Service) -> Self {
        let mut request = Self {
            created: service.metadata.creation_timestamp.clone(),
            families: service
                .families()
                .into_iter()
                .map(|family| family == "IPv6")
                .collect(),
            all_families: service.spec.ip_family_policy == "RequireDualStack",
            ports: ports(service, |port| port.port),
            local: service.spec.external_traffic_policy == "Local",
            current: service
                .ingress()
                .iter()
                .filter_map(|ingress| ingress.ip.parse().ok())
                .collect(),
            pool: annotation(service, POOL)
                .map(|(_, name)| name.to_string())
                .filter(|name| !name.is_empty()),
            sharing: sharing(service),
            labels: service.metadata.labels.clone(),
            ..Self::default()
        };
        match requested(service) {
            Ok(requested) => request.requested = requested,
            Err(mistake) => request.mistake = Some(mistake),
        }
        request
    }
}

impl Request {
    /// True where both ask for the same, whatever they have.
    pub(super) fn asks_as(&self, other: &Self) -> bool {
        let asked = |request: &Self| Self {
            current: Vec::new(),
            edited: false,
            ..request.clone()
        };
        asked(self) == asked(other)
    }
}

/// The value of an annotation under the first of its names that is there.
fn annotation<'a>(
    service: &'a Service,
    names: [&'static str; 2],
) -> Option<(&'static str, &'a str)> {
    let of = |name: &&str| service.metadata.annotations.get(*name);
    names
        .iter()
        .find_map(|name| Some((*name, of(name)?.as_str())))
}

fn sharing(service: &Service) -> Option<Sharing> {
    let (_, key) = annotation(service, SHARING)?;
    let backend = if service.spec.external_traffic_policy == "Local" {
        let pairs = service.spec.selector.iter();
        let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
        pairs.join(",")
    } else {
        String::new()
    };
    (!key.is_empty()).then(|| Sharing {
        key: key.into(),
        backend,
    })
}

/// Protocol and number of a Service's ports, by either of their numbers; none for 0.
pub(super) fn ports(service: &Service, number: impl Fn(&ServicePort) -> u16) -> Vec<Port> {
    let ports = service.spec.ports.iter().filter(|port| number(port) != 0);
    ports
        .filter_map(|port| Some((port.protocol().parse().ok()?, number(port))))
        .collect()
}

fn requested(service: &Service) -> Result<Vec<IpAddr>, String> {
    let field = service.spec.load_balancer_ip.as_str();
    let (place, text) = match annotation(service, REQUESTED) {
        Some((name, text)) if !field.is_empty() && !text.is_empty() => {
            return Err(format!("spec.loadBalancerIP and {name} are both set"));
        }
        Some((name, text)) if !text.is_empty() => (name, text),
        Some(_) | None if field.is_empty() => return Ok(Vec::new()),
        _ => ("spec.loadBalancerIP", field),
    };
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.parse()
                .map_err(|_| format!("{place}: {part:?} is not an IP address"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(annotation: Option<&str>, ip: &str) -> Service {
        let mut service = Service::default();
        service.spec.load_balancer_ip = ip.into();
        service
            .metadata
            .annotations
            .extend(annotation.map(|text| (REQUESTED[0].to_string(), text.to_string())));
        service
    }

    #[test]
    fn addresses_are_asked_for_in_two_places() {
        let request = Request::of(&service(Some("192.168.1.9, fd00::9"), ""));
        assert_eq!(request.requested.len(), 2);
        assert_eq!(
            Request::of(&service(None, "192.168.1.9")).requested,
            ["192.168.1.9".parse::<IpAddr>().unwrap()]
        );
        assert!(Request::of(&service(None, "")).requested.is_empty());
    }

    #[test]
    fn a_request_that_cannot_be_read_says_so() {
        assert!(
            Request::of(&service(Some("a"), ""))
                .mistake
                .unwrap()
                .contains("\"a\" is not an IP address")
        );
        assert!(
            Request::of(&service(Some("10.0.0.1"), "10.0.0.1"))
                .mistake
                .unwrap()
                .contains("both set")
        );
    }

    #[test]
    fn a_pool_and_those_to_share_with_are_named_by_annotations() {
        let annotated = |name: &str, value: &str| {
            let mut service = Service::default();
            service
                .metadata
                .annotations
                .insert(name.into(), value.into());
            service.spec.selector = [("app".to_string(), "web".to_string())].into();
            service
        };
        for name in POOL {
            assert_eq!(Request::of(&annotated(name, "lan")).pool.unwrap(), "lan");
        }
        assert!(Request::of(&annotated(POOL[0], "")).pool.is_none());
        for name in SHARING {
            let mut service = annotated(name, "k");
            let (key, backend) = ("k".to_string(), String::new());
            assert_eq!(
                Request::of(&service).sharing,
                Some(Sharing { key, backend })
            );
            service.spec.external_traffic_policy = "Local".into();
            assert_eq!(Request::of(&service).sharing.unwrap().backend, "app=web");
        }
        assert!(Request::of(&annotated(SHARING[0], "")).sharing.is_none());
    }
}
