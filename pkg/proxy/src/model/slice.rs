//! EndpointSlices, as far as the dataplane is concerned.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;

use super::address;
use super::annotations::Annotations;
use super::service::ServicePort;
use super::weight::{NodeId, Nodes, Weight};
use crate::family::{Family, Protocol};

/// An EndpointSlice of one Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    pub service: SmolStr,
    pub family: Family,
    /// Of each of its endpoints.
    pub weight: Weight,
    pub ports: Box<[SlicePort]>,
    pub endpoints: Box<[SliceEndpoint]>,
}

/// What an EndpointSlice says.
#[derive(Debug)]
pub struct Reading {
    pub slice: Slice,
    /// The text of a weight that cannot be read, and counts for nothing.
    pub misread: Option<String>,
    /// When that happened which has changed its endpoints.
    pub trigger: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlicePort {
    pub name: SmolStr,
    pub protocol: Protocol,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceEndpoint {
    pub address: IpAddr,
    pub state: State,
    pub place: Place,
    /// Whose weight counts for it.
    pub node: Option<NodeId>,
    /// Which nodes and zones it is meant for; `None` when nothing is said.
    pub hints: Option<Box<Hints>>,
}

/// Whether an endpoint takes connections. The order is the order of preference, best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Unusable,
    /// On its way out, but it still answers: used when nothing is ready (KEP-1669).
    Terminating,
    Ready,
}

/// Where an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this node.
    Here,
    /// On another one.
    Elsewhere,
    /// Nobody said.
    Unknown,
}

/// Topology hints (KEP-2433, KEP-3015).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hints {
    pub zones: Box<[Box<str>]>,
    pub nodes: Box<[Box<str>]>,
}

impl Slice {
    /// Reads an EndpointSlice. `None` when it concerns no rules: of no Service, of names instead of
    /// addresses, or left alone.
    pub fn decode(
        json: &[u8],
        node_name: &str,
        nodes: &mut Nodes,
    ) -> Result<Option<Reading>, serde_json::Error> {
        let view: View<'_> = serde_json::from_slice(json)?;
        let Some(labels) = view.metadata.labels else {
            return Ok(None);
        };
        let family = match &*view.address_type {
            "IPv4" => Family::V4,
            "IPv6" => Family::V6,
            _ => return Ok(None),
        };
        let service = match (labels.service, labels.headless) {
            (Some(service), None) if !service.is_empty() => service,
            _ => return Ok(None),
        };
        let annotations = view.metadata.annotations.unwrap_or_default();
        let weight = annotations.weight();
        let misread = weight.err().map(str::to_owned);
        let slice = Self {
            service: service.into(),
            family,
            weight: weight.unwrap_or_default(),
            ports: view
                .ports
                .unwrap_or_default()
                .into_iter()
                .filter_map(PortView::into_port)
                .collect(),
            endpoints: view
                .endpoints
                .unwrap_or_default()
                .into_iter()
                .filter_map(|endpoint| endpoint.into_endpoint(family, node_name, nodes))
                .collect(),
        };
        Ok(Some(Reading {
            slice,
            misread,
            trigger: annotations.trigger(),
        }))
    }

    /// The numbers that a Service's port leads to.
    pub fn numbers(&self, port: &ServicePort) -> impl Iterator<Item = u16> {
        let own = |p: &&SlicePort| p.name == port.name && p.protocol == port.protocol;
        self.ports.iter().filter(own).map(|p| p.port)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    address_type: Cow<'a, str>,
    #[serde(borrow)]
    ports: Option<Vec<PortView<'a>>>,
    #[serde(borrow)]
    endpoints: Option<Vec<EndpointView<'a>>>,
}

#[derive(Deserialize, Default)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    labels: Option<Labels<'a>>,
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct Labels<'a> {
    #[serde(borrow, rename = "kubernetes.io/service-name")]
    service: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "service.kubernetes.io/headless")]
    headless: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct PortView<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    protocol: Option<Protocol>,
    port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointView<'a> {
    #[serde(borrow, default)]
    addresses: Option<Vec<Cow<'a, str>>>,
    #[serde(default)]
    conditions: Option<Conditions>,
    #[serde(borrow)]
    node_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    hints: Option<HintsView<'a>>,
}

#[derive(Deserialize, Default, Clone, Copy)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HintsView<'a> {
    #[serde(borrow)]
    for_zones: Option<Vec<Named<'a>>>,
    #[serde(borrow)]
    for_nodes: Option<Vec<Named<'a>>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

impl PortView<'_> {
    /// A port without a number means all ports, which no Service can forward to.
    fn into_port(self) -> Option<SlicePort> {
        Some(SlicePort {
            name: self.name.unwrap_or_default().into(),
            protocol: self.protocol.unwrap_or(Protocol::Tcp),
            port: self.port.filter(|port| *port != 0)?,
        })
    }
}

impl EndpointView<'_> {
    /// Only the first address counts: the others are other ways to the same endpoint.
    fn into_endpoint(
        self,
        family: Family,
        node_name: &str,
        nodes: &mut Nodes,
    ) -> Option<SliceEndpoint> {
        let address = address::address(self.addresses?.first()?)?;
        Some(SliceEndpoint {
            address: Some(address).filter(|address| Family::of(*address) == family)?,
            state: self.conditions.unwrap_or_default().state(),
            place: match self.node_name.as_deref() {
                None | Some("") => Place::Unknown,
                Some(name) if name == node_name => Place::Here,
                Some(_) => Place::Elsewhere,
            },
            node: nodes.id(self.node_name.as_deref().unwrap_or_default()),
            hints: self.hints.and_then(HintsView::into_hints),
        })
    }
}

impl Conditions {
    fn state(self) -> State {
        if self.ready.unwrap_or(true) {
            State::Ready
        } else if self.serving.unwrap_or(true) && self.terminating == Some(true) {
            State::Terminating
        } else {
            State::Unusable
        }
    }
}

impl HintsView<'_> {
    fn into_hints(self) -> Option<Box<Hints>> {
        let names = |list: Option<Vec<Named<'_>>>| -> Box<[Box<str>]> {
            let list = list.unwrap_or_default();
            list.into_iter().map(|named| named.name.into()).collect()
        };
        let hints = Hints {
            zones: names(self.for_zones),
            nodes: names(self.for_nodes),
        };
        (!(hints.zones.is_empty() && hints.nodes.is_empty())).then(|| Box::new(hints))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn slice(endpoint: serde_json::Value) -> Slice {
        let value = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}, {"name": "any", "port": null}],
            "endpoints": [endpoint],
        });
        decode(&value).unwrap()
    }

    fn decode(value: &serde_json::Value) -> Option<Slice> {
        let mut nodes = Nodes::default();
        let reading = Slice::decode(value.to_string().as_bytes(), "here", &mut nodes);
        reading.unwrap().map(|reading| reading.slice)
    }

    #[rstest]
    #[case(json!({}), State::Ready)]
    #[case(json!(null), State::Ready)]
    #[case(json!({"ready": true}), State::Ready)]
    #[case(json!({"ready": true, "serving": false, "terminating": true}), State::Ready)]
    #[case(json!({"ready": false}), State::Unusable)]
    #[case(json!({"ready": false, "serving": true}), State::Unusable)]
    #[case(json!({"ready": false, "serving": true, "terminating": true}), State::Terminating)]
    #[case(json!({"ready": false, "serving": false, "terminating": true}), State::Unusable)]
    fn states(#[case] conditions: serde_json::Value, #[case] state: State) {
        let slice = slice(json!({"addresses": ["10.0.0.1"], "conditions": conditions}));
        assert_eq!(slice.endpoints[0].state, state);
    }

    #[rstest]
    #[case(json!("here"), Place::Here)]
    #[case(json!("there"), Place::Elsewhere)]
    #[case(json!(null), Place::Unknown)]
    #[case(json!(""), Place::Unknown)]
    fn places_by_node_name(#[case] node: serde_json::Value, #[case] place: Place) {
        let slice = slice(json!({"addresses": ["10.0.0.1"], "nodeName": node}));
        assert_eq!(slice.endpoints[0].place, place);
    }

    #[test]
    fn endpoints_are_small() {
        assert_eq!(size_of::<SliceEndpoint>(), 32);
    }

    #[test]
    fn ports_hints_and_odd_addresses() {
        let slice = slice(
            json!({"addresses": ["10.0.0.1", "10.0.0.2"], "hints": {"forZones": [{"name": "a"}]}}),
        );
        assert_eq!(slice.ports.len(), 1);
        assert_eq!(slice.endpoints.len(), 1);
        assert_eq!(
            &*slice.endpoints[0].hints.as_ref().unwrap().zones,
            ["a".into()]
        );
        let padded = self::slice(json!({"addresses": ["10.000.0.001"]}));
        assert_eq!(padded.endpoints[0].address.to_string(), "10.0.0.1");
        assert!(
            self::slice(json!({"addresses": ["fd00::1"]}))
                .endpoints
                .is_empty()
        );
        assert!(self::slice(json!({"addresses": []})).endpoints.is_empty());
    }

    #[rstest]
    #[case(json!({"addressType": "IPv4"}))]
    #[case(json!({"metadata": {"labels": {"kubernetes.io/service-name": "web"}}, "addressType": "FQDN"}))]
    #[case(json!({"metadata": {"labels": {"kubernetes.io/service-name": "web", "service.kubernetes.io/headless": ""}},
                  "addressType": "IPv4"}))]
    fn slices_without_rules(#[case] slice: serde_json::Value) {
        assert_eq!(decode(&slice), None);
    }
}
