//! The engine over a kernel that is a value.

mod faults;
mod flows;
mod property;
mod restart;
mod rules;

use std::net::{IpAddr, Ipv4Addr};

use kedge_client::{ObjectKey, Resource};
use serde_json::{Value as Json, json};

use super::*;
use crate::family::{Endpoint, Protocol};
use crate::kernel::fake::{FakeKernel, Fault, fixed_count};
use crate::layout::{Class, Group, Key, Mark, ServiceKey, Value};
use crate::state::Flow;

fn config() -> ProxyConfig {
    ProxyConfig {
        node_name: "here".into(),
        service_cidrs: vec!["10.43.0.0/16".parse().unwrap()],
        cluster_cidrs: vec!["10.42.0.0/16".parse().unwrap()],
        ..ProxyConfig::default()
    }
}

fn engine(kernel: &FakeKernel) -> Engine<FakeKernel> {
    Engine::new(
        kernel.clone(),
        config(),
        Arc::from([IpAddr::from([192, 0, 2, 1])]),
    )
}

/// An engine that has begun with these objects, and its kernel.
fn begun(objects: Vec<Change>) -> (FakeKernel, Engine<FakeKernel>) {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine.apply(objects).unwrap();
    (kernel, engine)
}

fn change(resource: Resource, name: &str, object: Option<Json>) -> Change {
    Change {
        key: ObjectKey {
            resource,
            namespace: "default".into(),
            name: name.into(),
        },
        object: object.map(|value| value.to_string().into()),
    }
}

fn service(name: &str, ip: &str, more: Json) -> Change {
    let mut spec = json!({"clusterIP": ip, "ports": [{"port": 53, "protocol": "UDP"}]});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    change(Resource::SERVICES, name, Some(json!({"spec": spec})))
}

fn slice(service: &str, endpoints: &[u8]) -> Change {
    let endpoints: Vec<Json> = endpoints
        .iter()
        .map(|n| json!({"addresses": [format!("10.42.0.{n}")], "nodeName": if n % 2 == 0 { "here" } else { "there" }}))
        .collect();
    let value = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": service}}, "addressType": "IPv4",
        "ports": [{"port": 5353, "protocol": "UDP"}], "endpoints": endpoints,
    });
    change(
        Resource::ENDPOINTSLICES,
        &format!("{service}-slice"),
        Some(value),
    )
}

fn mark(kernel: &FakeKernel, address: &str, port: u16) -> Option<Mark> {
    let key = Key::Service(ServiceKey {
        address: address.parse().unwrap(),
        protocol: Protocol::Udp,
        port,
    });
    match kernel.elements().get(&key) {
        Some(Value::Mark(mark)) => Some(*mark),
        _ => None,
    }
}

fn group(mark: Mark) -> Group {
    Group {
        family: Family::V4,
        id: mark.group_id(),
    }
}

/// The group that port 53 of an address leads to.
fn group_at(kernel: &FakeKernel, address: &str) -> Group {
    group(mark(kernel, address, 53).unwrap())
}

fn endpoint(n: u8) -> Endpoint {
    Endpoint {
        address: Ipv4Addr::new(10, 42, 0, n).into(),
        port: 5353,
    }
}

fn flow(asked: &str, port: u16, answers: Endpoint, group: Group) -> Flow {
    Flow {
        asked: Endpoint {
            address: asked.parse().unwrap(),
            port,
        },
        answers,
        group,
    }
}

/// What the kernel holds is what a fresh engine would have written, ids aside.
fn assert_in_step(engine: &Engine<FakeKernel>, kernel: &FakeKernel) {
    let mut want = HashMap::new();
    for family in Family::ALL {
        engine.state.for_each(family, |(key, value)| {
            assert_eq!(want.insert(key, value), None, "{key:?} twice");
        });
    }
    assert_eq!(kernel.elements(), want);
    let learn: BTreeSet<(Family, u32)> = engine.state.timeouts().collect();
    let inside = kernel.lock();
    for family in Family::ALL {
        let there = inside.tables[family as usize]
            .iter()
            .flat_map(|table| table.learn.iter());
        let wanted = learn.iter().filter(|(f, _)| *f == family);
        assert!(there.eq(wanted.map(|(_, seconds)| seconds)));
    }
}
