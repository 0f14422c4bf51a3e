use super::*;
use crate::compile::testing::{context, endpoint, port, slice};
use crate::compile::{ServicePlan, compile};
use crate::layout::{Class, Mark, ServiceKey};
use crate::model::{Entry, Place, Service, State as EndpointState};

fn plan(count: usize) -> ServicePlan {
    let mut entry = Entry {
        service: Some(Service {
            ports: [port(80)].into(),
            cluster_ips: ["10.43.0.9".parse().unwrap()].into(),
            ..Service::default()
        }),
        ..Entry::default()
    };
    for (index, chunk) in (0..count).collect::<Vec<_>>().chunks(1000).enumerate() {
        let endpoints = chunk.iter().map(|n| {
            let mut endpoint = endpoint(0, EndpointState::Ready, Place::Elsewhere);
            endpoint.address = std::net::Ipv4Addr::from(0x0a2a_0000 + *n as u32).into();
            endpoint
        });
        entry
            .slices
            .insert(format!("web-{index}"), slice(endpoints.collect()));
    }
    compile(&entry, &context())
}

fn class(state: &State) -> Class {
    let key = ServiceKey {
        address: "10.43.0.9".parse().unwrap(),
        protocol: crate::family::Protocol::Tcp,
        port: 80,
    };
    let mark: Option<Mark> = state
        .claims
        .iter()
        .find(|(k, _)| *k == key)
        .map(|(_, mark)| mark);
    mark.unwrap().class()
}

#[test]
fn no_endpoint_is_dropped_silently() {
    let name = ServiceName::new("default", "web");
    let mut state = State::default();
    for count in [1, 64, 65, 100, 1000, 10_000] {
        let mut delta = Delta::default();
        state.update(&name, plan(count), None, &mut delta);
        let mut slots = 0;
        state.for_each(Family::V4, |(key, _)| {
            slots += usize::from(matches!(key, Key::Slot(..)))
        });
        assert_eq!(slots, count);
        assert_eq!(Some(class(&state)), Class::for_count(count));
        delta = Delta::default();
        state.update(&name, plan(count), None, &mut delta);
        assert_eq!(delta.changes.net().count(), 0);
    }
}

#[test]
fn one_endpoint_of_many_is_one_change() {
    let name = ServiceName::new("default", "web");
    let mut state = State::default();
    state.update(&name, plan(5000), None, &mut Delta::default());
    let mut delta = Delta::default();
    state.update(&name, plan(4999), None, &mut delta);
    assert_eq!(delta.changes.net().count(), 1);
}

#[test]
fn ids_stay_in_use_until_the_kernel_knows() {
    let name = ServiceName::new("default", "web");
    let mut state = State::default();
    state.update(&name, plan(1), None, &mut Delta::default());
    let mut delta = Delta::default();
    state.update(&name, ServicePlan::default(), None, &mut delta);
    let next = state.ids_of(Family::V4).clone().allocate();
    assert_eq!(next, Some(2), "id 1 is still taken");
    state.settle();
    assert!(state.ids_of(Family::V4).claim(1));
    assert_eq!(state.len(), 0);
}
