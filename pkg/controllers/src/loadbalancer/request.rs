//! What a Service asks of its load balancer, read out of the Service.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::view::{Service, ServicePort};

/// MetalLB's annotation for addresses, and its older spelling.
const REQUESTED: [&str; 2] = [
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
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
    /// Why the request cannot be read.
    pub mistake: Option<String>,
    pub ports: Vec<(Transport, u16)>,
    /// What `status` says: the record of what it has.
    pub current: Vec<IpAddr>,
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
            current: service
                .ingress()
                .iter()
                .filter_map(|ingress| ingress.ip.parse().ok())
                .collect(),
            ..Self::default()
        };
        match requested(service) {
            Ok(requested) => request.requested = requested,
            Err(mistake) => request.mistake = Some(mistake),
        }
        request
    }
}

/// Protocol and number of a Service's ports, by either of their numbers; none for 0.
pub(super) fn ports(
    service: &Service,
    number: impl Fn(&ServicePort) -> u16,
) -> Vec<(Transport, u16)> {
    let ports = service.spec.ports.iter().filter(|port| number(port) != 0);
    ports
        .filter_map(|port| Some((port.protocol().parse().ok()?, number(port))))
        .collect()
}

fn requested(service: &Service) -> Result<Vec<IpAddr>, String> {
    let annotation = REQUESTED
        .iter()
        .find_map(|name| Some((name, service.metadata.annotations.get(*name)?)));
    let field = service.spec.load_balancer_ip.as_str();
    let (place, text) = match annotation {
        Some((name, _)) if !field.is_empty() => {
            return Err(format!("spec.loadBalancerIP and {name} are both set"));
        }
        Some((name, text)) => (*name, text.as_str()),
        None => ("spec.loadBalancerIP", field),
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
}
