//! Objects for tests.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use super::Context;
use crate::config::ProxyConfig;
use crate::family::{Family, Protocol};
use crate::model::{Nodes, Place, ServicePort, Slice, SliceEndpoint, SlicePort, State, Weight};

static CONFIG: LazyLock<ProxyConfig> = LazyLock::new(|| ProxyConfig {
    node_name: "here".into(),
    service_cidrs: vec!["10.43.0.0/16".parse().unwrap()],
    cluster_cidrs: vec!["10.42.0.0/16".parse().unwrap()],
    ..ProxyConfig::default()
});

static ADDRESSES: LazyLock<Vec<IpAddr>> =
    LazyLock::new(|| vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]);

static NODES: LazyLock<Nodes> = LazyLock::new(Nodes::default);

pub fn context() -> Context<'static> {
    Context {
        node_name: "here",
        zone: "a",
        node_addresses: &ADDRESSES,
        config: &CONFIG,
        nodes: &NODES,
    }
}

pub fn port(port: u16) -> ServicePort {
    ServicePort {
        name: "".into(),
        protocol: Protocol::Tcp,
        port,
        node_port: None,
    }
}

pub fn endpoint(n: u8, state: State, place: Place) -> SliceEndpoint {
    SliceEndpoint {
        address: Ipv4Addr::new(10, 42, 0, n).into(),
        state,
        place,
        node: None,
        hints: None,
    }
}

pub fn slice(endpoints: Vec<SliceEndpoint>) -> Slice {
    Slice {
        service: "web".into(),
        family: Family::V4,
        weight: Weight::FULL,
        ports: [SlicePort {
            name: "".into(),
            protocol: Protocol::Tcp,
            port: 8080,
        }]
        .into(),
        endpoints: endpoints.into(),
    }
}
