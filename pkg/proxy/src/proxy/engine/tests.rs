use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use kedge_client::{ObjectKey, Resource};
use proptest::prelude::*;
use rstest::rstest;
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

fn change(resource: Resource, name: &str, object: Option<Json>) -> Change {
    Change {
        key: ObjectKey {
            resource,
            namespace: "default".into(),
            name: name.into(),
        },
        object: object.map(|value| Bytes::from(value.to_string())),
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

#[test]
fn an_empty_cluster_has_tables_all_the_same() {
    let kernel = FakeKernel::default();
    engine(&kernel).apply(vec![]).unwrap();
    assert_eq!(kernel.elements().len(), fixed_count());
}

#[test]
fn one_change_is_a_few_elements() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine
        .apply(vec![
            service("a", "10.43.0.1", json!({})),
            slice("a", &[1, 2, 3]),
        ])
        .unwrap();
    engine.apply(vec![slice("a", &[1, 2, 4])]).unwrap();
    // The slot of 3 is replaced, and 4, being here, may come to itself.
    assert_eq!(kernel.lock().commits.last(), Some(&3));
    engine.apply(vec![slice("a", &[1, 2, 4])]).unwrap();
    assert_eq!(
        kernel.lock().commits.len(),
        2,
        "nothing new, nothing written"
    );
    assert_eq!(kernel.lock().reads, 1);
    assert_in_step(&engine, &kernel);
}

#[test]
fn a_restart_writes_nothing() {
    let kernel = FakeKernel::default();
    let all = vec![
        service(
            "a",
            "10.43.0.1",
            json!({"externalTrafficPolicy": "Local", "externalIPs": ["198.51.100.1"]}),
        ),
        slice("a", &[1, 2, 3]),
        service("b", "10.43.0.2", json!({"internalTrafficPolicy": "Local"})),
        slice("b", &[1, 2]),
        service("c", "10.43.0.3", json!({"sessionAffinity": "ClientIP"})),
        slice("c", &[1]),
        service("d", "10.43.0.4", json!({})),
    ];
    let mut first = engine(&kernel);
    first.apply(all.clone()).unwrap();
    // Out of order, so that ids and slots could not be found again by counting.
    first
        .apply(vec![
            service("0", "10.43.0.9", json!({})),
            slice("0", &[4]),
            slice("a", &[4, 2, 3]),
        ])
        .unwrap();
    let commits = kernel.lock().commits.len();
    let mut second = engine(&kernel);
    let mut now = all;
    now.extend([
        service("0", "10.43.0.9", json!({})),
        slice("0", &[4]),
        slice("a", &[4, 2, 3]),
    ]);
    second.apply(now).unwrap();
    assert_eq!(kernel.lock().commits.len(), commits);
    assert_in_step(&second, &kernel);
    second
        .apply(vec![service("e", "10.43.0.5", json!({})), slice("e", &[1])])
        .unwrap();
    assert_in_step(&second, &kernel);
}

#[test]
fn what_changed_during_a_restart_is_forgotten() {
    let kernel = FakeKernel::default();
    let mut first = engine(&kernel);
    first
        .apply(vec![
            service("a", "10.43.0.1", json!({})),
            slice("a", &[1, 2]),
            service("b", "10.43.0.2", json!({})),
            slice("b", &[3]),
        ])
        .unwrap();
    let (a, b) = (
        mark(&kernel, "10.43.0.1", 53).unwrap(),
        mark(&kernel, "10.43.0.2", 53).unwrap(),
    );
    let stays = flow("10.43.0.1", 53, endpoint(1), group(a));
    kernel.lock().flows = vec![
        stays,
        flow("10.43.0.1", 53, endpoint(2), group(a)),
        flow("10.43.0.2", 53, endpoint(3), group(b)),
    ];
    let mut second = engine(&kernel);
    second
        .apply(vec![service("a", "10.43.0.1", json!({})), slice("a", &[1])])
        .unwrap();
    assert_eq!(kernel.lock().flows, [stays]);
    assert_in_step(&second, &kernel);
}

#[test]
fn no_endpoints_is_a_closed_port() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine
        .apply(vec![service("a", "10.43.0.1", json!({}))])
        .unwrap();
    assert_eq!(
        mark(&kernel, "10.43.0.1", 53).unwrap().class(),
        Class::REJECT
    );
    engine.apply(vec![slice("a", &[1])]).unwrap();
    assert_eq!(
        mark(&kernel, "10.43.0.1", 53).unwrap().class(),
        Class::for_count(1).unwrap()
    );
    engine.apply(vec![slice("a", &[])]).unwrap();
    assert_eq!(
        mark(&kernel, "10.43.0.1", 53).unwrap().class(),
        Class::REJECT
    );
}

#[test]
fn local_policy_without_local_endpoints_drops() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    let more = json!({"externalTrafficPolicy": "Local", "externalIPs": ["198.51.100.1"]});
    engine
        .apply(vec![service("a", "10.43.0.1", more), slice("a", &[1])])
        .unwrap();
    let asked = mark(&kernel, "198.51.100.1", 53).unwrap();
    assert_eq!(asked.class(), Class::BY_SOURCE);
    let elements = kernel.elements();
    let next = |key: Key| match elements[&key] {
        Value::Mark(mark) => mark.class(),
        other => panic!("{other:?}"),
    };
    assert_eq!(next(Key::FromOutside(group(asked))), Class::DENY);
    assert_eq!(
        next(Key::FromInside(group(asked))),
        Class::for_count(1).unwrap()
    );
}

#[test]
fn node_ports_follow_the_node() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    let ports = json!({"ports": [{"port": 53, "protocol": "UDP", "nodePort": 30053}]});
    engine
        .apply(vec![service("a", "10.43.0.1", ports), slice("a", &[1])])
        .unwrap();
    assert!(mark(&kernel, "192.0.2.1", 30053).is_some());
    engine
        .set_node_addresses(Arc::from([IpAddr::from([192, 0, 2, 7])]))
        .unwrap();
    assert!(mark(&kernel, "192.0.2.1", 30053).is_none());
    assert!(mark(&kernel, "192.0.2.7", 30053).is_some());
    assert_in_step(&engine, &kernel);
}

#[test]
fn another_range_of_cluster_ips_rewrites_the_rules_for_it() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine
        .apply(vec![service("a", "10.43.0.1", json!({})), slice("a", &[1])])
        .unwrap();
    let ranges = vec!["10.44.0.0/24".parse().unwrap()];
    engine.set_service_cidrs(ranges.clone()).unwrap();
    let broken = |kernel: &FakeKernel| {
        let inside = kernel.lock();
        inside
            .tables
            .iter()
            .flatten()
            .any(|table| table.broken_rules)
    };
    assert!(!broken(&kernel));
    assert_in_step(&engine, &kernel);
    let reads = kernel.lock().reads;
    engine.set_service_cidrs(ranges).unwrap();
    assert_eq!(kernel.lock().reads, reads, "the same is nothing to do");
}

#[test]
fn only_stale_flows_are_forgotten() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    let more = json!({"externalIPs": ["198.51.100.1"]});
    engine
        .apply(vec![service("a", "10.43.0.1", more), slice("a", &[1, 2])])
        .unwrap();
    let a = group(mark(&kernel, "10.43.0.1", 53).unwrap());
    let kept = flow("10.43.0.1", 53, endpoint(1), a);
    let foreign = flow("203.0.113.1", 53, endpoint(2), Group { id: 0, ..a });
    let external = flow("198.51.100.1", 53, endpoint(1), a);
    kernel.lock().flows = vec![
        kept,
        foreign,
        external,
        flow("198.51.100.1", 53, endpoint(2), a),
    ];
    engine.apply(vec![slice("a", &[1])]).unwrap();
    assert_eq!(kernel.lock().flows, [kept, foreign, external]);
    // The external address goes, and with it what came to it.
    engine
        .apply(vec![service("a", "10.43.0.1", json!({}))])
        .unwrap();
    assert_eq!(kernel.lock().flows, [kept, foreign]);
    engine
        .apply(vec![change(Resource::SERVICES, "a", None)])
        .unwrap();
    assert_eq!(kernel.lock().flows, [foreign]);
}

#[test]
fn flows_from_before_the_service_are_forgotten() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine.apply(vec![]).unwrap();
    let none = Group {
        family: Family::V4,
        id: 0,
    };
    let own = Endpoint {
        address: [198, 51, 100, 1].into(),
        port: 53,
    };
    kernel.lock().flows = vec![flow("198.51.100.1", 53, own, none)];
    let more = json!({"externalIPs": ["198.51.100.1"]});
    engine
        .apply(vec![service("a", "10.43.0.1", more), slice("a", &[1])])
        .unwrap();
    assert!(kernel.lock().flows.is_empty());
}

#[test]
fn flows_are_looked_through_only_where_one_may_be_stale() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine.apply(vec![]).unwrap();
    let looks = || std::mem::take(&mut kernel.lock().looks);
    looks();
    // Nobody was answered there before.
    engine
        .apply(vec![
            service("a", "10.43.0.1", json!({})),
            service("b", "10.43.0.2", json!({})),
        ])
        .unwrap();
    engine
        .apply(vec![slice("a", &[1]), slice("b", &[1, 2])])
        .unwrap();
    engine
        .apply(vec![slice("a", &[1, 3]), slice("b", &[1, 2, 3])])
        .unwrap();
    assert_eq!(looks(), 0);
    // Many at once are one look.
    engine
        .apply(vec![slice("a", &[1]), slice("b", &[1])])
        .unwrap();
    assert_eq!(looks(), 1);
    engine
        .apply(vec![slice("a", &[]), slice("b", &[1])])
        .unwrap();
    assert_eq!(looks(), 1);
    // It has had no endpoint since.
    engine
        .apply(vec![change(Resource::SERVICES, "a", None)])
        .unwrap();
    assert_eq!(looks(), 0);
    engine
        .apply(vec![change(Resource::SERVICES, "b", None)])
        .unwrap();
    assert_eq!(looks(), 1);
}

/// Looking through all flows takes its time: what is right again by then is left alone.
#[test]
fn a_flow_to_what_has_come_back_meanwhile_lives() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    let web = |external: Json| service("a", "10.43.0.1", json!({"externalIPs": external}));
    let at = "198.51.100.1";
    engine
        .apply(vec![web(json!([at])), slice("a", &[1, 2])])
        .unwrap();
    let a = group(mark(&kernel, "10.43.0.1", 53).unwrap());
    kernel.lock().slow = true;
    engine
        .apply(vec![web(json!([])), slice("a", &[1])])
        .unwrap();
    engine
        .apply(vec![web(json!([at])), slice("a", &[1, 2])])
        .unwrap();
    let new = vec![
        flow("10.43.0.1", 53, endpoint(2), a),
        flow(at, 53, endpoint(1), a),
    ];
    {
        let mut inside = kernel.lock();
        inside.flows = new.clone();
        inside.flows.push(flow(at, 53, endpoint(9), a));
        inside.sweep();
    }
    assert_eq!(kernel.lock().flows, new);
}

#[test]
fn flows_that_passed_by_while_rules_were_missing_are_forgotten() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine
        .apply(vec![service("a", "10.43.0.1", json!({})), slice("a", &[1])])
        .unwrap();
    let a = group(mark(&kernel, "10.43.0.1", 53).unwrap());
    let right = flow("10.43.0.1", 53, endpoint(1), a);
    let itself = Endpoint {
        address: [10, 43, 0, 1].into(),
        port: 53,
    };
    let astray = flow("10.43.0.1", 53, itself, Group { id: 0, ..a });
    {
        let mut inside = kernel.lock();
        inside.flows = vec![right, astray];
        inside.tables[0] = None;
        inside.generation += 1;
    }
    engine.heal().unwrap();
    assert_eq!(kernel.lock().flows, [right]);
}

#[test]
fn a_flow_to_a_draining_endpoint_lives() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine
        .apply(vec![
            service("a", "10.43.0.1", json!({})),
            slice("a", &[1, 2]),
        ])
        .unwrap();
    let a = group(mark(&kernel, "10.43.0.1", 53).unwrap());
    let draining = flow("10.43.0.1", 53, endpoint(2), a);
    kernel.lock().flows = vec![draining];
    let with = |conditions: Json| {
        let value = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "a"}}, "addressType": "IPv4",
            "ports": [{"port": 5353, "protocol": "UDP"}],
            "endpoints": [{"addresses": ["10.42.0.1"]}, {"addresses": ["10.42.0.2"], "conditions": conditions}],
        });
        change(Resource::ENDPOINTSLICES, "a-slice", Some(value))
    };
    engine
        .apply(vec![with(
            json!({"ready": false, "serving": true, "terminating": true}),
        )])
        .unwrap();
    assert_eq!(kernel.lock().flows, [draining]);
    engine
        .apply(vec![with(
            json!({"ready": false, "serving": false, "terminating": true}),
        )])
        .unwrap();
    assert!(kernel.lock().flows.is_empty());
}

#[test]
fn clients_of_a_vanished_endpoint_are_forgotten() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    let sticky = json!({"sessionAffinity": "ClientIP"});
    engine
        .apply(vec![service("a", "10.43.0.1", sticky), slice("a", &[1, 2])])
        .unwrap();
    let a = group(mark(&kernel, "10.43.0.1", 53).unwrap());
    kernel.lock().clients = vec![(a, endpoint(1)), (a, endpoint(2))];
    engine.apply(vec![slice("a", &[1, 3])]).unwrap();
    assert_eq!(kernel.lock().clients, [(a, endpoint(1))]);
    engine
        .apply(vec![service("a", "10.43.0.1", json!({}))])
        .unwrap();
    assert!(kernel.lock().clients.is_empty());
    assert!(kernel.lock().tables[0].as_ref().unwrap().learn.is_empty());
    assert_in_step(&engine, &kernel);
}

#[test]
fn what_packets_on_their_way_bring_back_is_forgotten_too() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    let sticky = json!({"sessionAffinity": "ClientIP"});
    engine
        .apply(vec![
            service("a", "10.43.0.1", sticky.clone()),
            slice("a", &[1, 2]),
        ])
        .unwrap();
    engine.begin_settling();
    engine.settle().unwrap();
    assert!(!engine.begin_settling());
    let a = group(mark(&kernel, "10.43.0.1", 53).unwrap());
    let client = (a, endpoint(2));
    let udp = flow("10.43.0.1", 53, endpoint(2), a);
    let come_back = || {
        kernel.lock().clients = vec![client];
        kernel.lock().flows = vec![udp];
    };
    let gone = || kernel.lock().clients.is_empty() && kernel.lock().flows.is_empty();

    engine.apply(vec![slice("a", &[1])]).unwrap();
    assert!(engine.begin_settling());
    come_back();
    engine.settle().unwrap();
    assert!(gone() && !engine.begin_settling());

    // What has become right in the meantime stays.
    engine.apply(vec![slice("a", &[2])]).unwrap();
    engine.apply(vec![slice("a", &[1])]).unwrap();
    assert!(engine.begin_settling());
    engine.apply(vec![slice("a", &[1, 2])]).unwrap();
    come_back();
    engine.settle().unwrap();
    assert!(!gone());

    // What was forgotten meanwhile has its own turn.
    engine.apply(vec![slice("a", &[1])]).unwrap();
    assert!(engine.begin_settling());
    engine
        .apply(vec![change(Resource::SERVICES, "a", None)])
        .unwrap();
    assert!(!engine.begin_settling());
    engine.settle().unwrap();
    assert!(engine.begin_settling());
    come_back();
    engine.settle().unwrap();
    assert!(gone());
}

#[test]
fn an_endpoint_comes_to_itself_until_packets_to_it_have_passed() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    let hairpins = || {
        let mut all: Vec<String> = kernel
            .elements()
            .into_keys()
            .filter_map(|key| match key {
                Key::Hairpin(address) => Some(address.to_string()),
                _ => None,
            })
            .collect();
        all.sort();
        all
    };
    let both = ["10.42.0.2", "10.42.0.4"];
    engine
        .apply(vec![
            service("a", "10.43.0.1", json!({})),
            slice("a", &[2, 4]),
        ])
        .unwrap();
    assert_eq!(hairpins(), both);
    engine.apply(vec![slice("a", &[2])]).unwrap();
    assert_eq!(hairpins(), both);
    assert_in_step(&engine, &kernel);
    assert!(engine.begin_settling());
    engine.settle().unwrap();
    assert_eq!(hairpins(), both[..1]);
    assert_in_step(&engine, &kernel);
    // A kernel that refuses is compared with, and loses what may go.
    engine.apply(vec![slice("a", &[4])]).unwrap();
    assert!(engine.begin_settling());
    kernel.lock().faults.push_back(Fault::Refuse(libc::EBUSY));
    engine.settle().unwrap();
    assert_eq!(hairpins(), both[1..]);
    assert_in_step(&engine, &kernel);
}

#[rstest]
#[case(Fault::Refuse(libc::EBUSY))]
#[case(Fault::Refuse(libc::EEXIST))]
#[case(Fault::Refuse(libc::ENOENT))]
#[case(Fault::Refuse(libc::EINTR))]
#[case(Fault::Refuse(libc::ENOBUFS))]
#[case(Fault::LoseAnswer)]
fn a_fault_is_got_over(#[case] fault: Fault, #[values(1, 2, 3)] times: usize) {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine
        .apply(vec![
            service("a", "10.43.0.1", json!({})),
            slice("a", &[1, 2]),
        ])
        .unwrap();
    let a = group(mark(&kernel, "10.43.0.1", 53).unwrap());
    kernel.lock().flows = vec![flow("10.43.0.1", 53, endpoint(2), a)];
    kernel.lock().faults = vec![fault; times].into();
    engine
        .apply(vec![
            slice("a", &[1, 3]),
            service("b", "10.43.0.2", json!({})),
        ])
        .unwrap();
    assert_in_step(&engine, &kernel);
    assert!(
        kernel.lock().flows.is_empty(),
        "what is stale is forgotten after all"
    );
}

/// Killed before the transaction, between it and its answer, or before flows are deleted: the next one does what is left.
#[rstest]
#[case::before_the_transaction(&[Fault::Refuse(libc::EPERM); 10], false)]
#[case::before_its_answer(&[Fault::LoseAnswer; 10], false)]
#[case::before_flows_are_deleted(&[], true)]
fn an_end_between_any_two_steps_is_taken_up(#[case] faults: &[Fault], #[case] slow: bool) {
    let kernel = FakeKernel::default();
    let mut first = engine(&kernel);
    let sticky = || service("a", "10.43.0.1", json!({"sessionAffinity": "ClientIP"}));
    first
        .apply(vec![
            sticky(),
            slice("a", &[1, 2]),
            service("b", "10.43.0.2", json!({})),
            slice("b", &[2]),
        ])
        .unwrap();
    let groups = ["10.43.0.1", "10.43.0.2"].map(|ip| group(mark(&kernel, ip, 53).unwrap()));
    let stays = flow("10.43.0.1", 53, endpoint(1), groups[0]);
    {
        let mut inside = kernel.lock();
        inside.flows = vec![
            stays,
            flow("10.43.0.1", 53, endpoint(2), groups[0]),
            flow("10.43.0.2", 53, endpoint(2), groups[1]),
        ];
        inside.clients = vec![(groups[0], endpoint(1)), (groups[0], endpoint(2))];
        inside.faults = faults.to_vec().into();
        inside.slow = slow;
    }
    let changes = || vec![slice("a", &[1, 3]), slice("b", &[3])];
    let _ = first.apply(changes());
    drop(first);
    kernel.lock().killed();

    let mut all = vec![sticky(), service("b", "10.43.0.2", json!({}))];
    all.extend(changes());
    let mut second = engine(&kernel);
    second.apply(all).unwrap();
    assert_in_step(&second, &kernel);
    assert_eq!(kernel.lock().flows, [stays]);
    assert_eq!(kernel.lock().clients, [(groups[0], endpoint(1))]);
}

#[test]
fn changes_that_could_not_be_written_are_not_lost() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine.apply(vec![]).unwrap();
    kernel.lock().faults = vec![Fault::Refuse(libc::EPERM); 100].into();
    assert!(
        engine
            .apply(vec![service("a", "10.43.0.1", json!({})), slice("a", &[1])])
            .is_err()
    );
    assert!(
        engine
            .apply(vec![service("b", "10.43.0.2", json!({}))])
            .is_err()
    );
    kernel.lock().faults.clear();
    engine.heal().unwrap();
    assert!(mark(&kernel, "10.43.0.2", 53).is_some());
    assert_in_step(&engine, &kernel);
}

#[test]
fn damage_is_put_right() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine
        .apply(vec![
            service("a", "10.43.0.1", json!({})),
            slice("a", &[1, 2]),
        ])
        .unwrap();
    let before = kernel.elements();
    let damages: [fn(&mut Option<crate::kernel::fake::Table>); 4] = [
        |table| *table = None,
        |table| table.as_mut().unwrap().elements.clear(),
        |table| table.as_mut().unwrap().broken_rules = true,
        |table| {
            let elements = &mut table.as_mut().unwrap().elements;
            elements
                .values_mut()
                .for_each(|value| *value = Value::Foreign);
        },
    ];
    for damage in damages {
        {
            let mut inside = kernel.lock();
            damage(&mut inside.tables[0]);
            inside.generation += 1;
        }
        engine.heal().unwrap();
        assert_eq!(kernel.elements(), before, "the same ids and slots");
        assert!(!kernel.lock().tables[0].as_ref().unwrap().broken_rules);
    }
    let commits = kernel.lock().commits.len();
    engine.heal().unwrap();
    assert_eq!(
        kernel.lock().commits.len(),
        commits,
        "nothing to heal, nothing written"
    );
}

#[test]
fn a_contested_address_goes_to_the_next() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    let more = json!({"externalIPs": ["198.51.100.1"]});
    engine
        .apply(vec![
            service("a", "10.43.0.1", more.clone()),
            slice("a", &[1]),
            service("b", "10.43.0.2", more),
            slice("b", &[2]),
        ])
        .unwrap();
    let asked = |address| mark(&kernel, address, 53).map(Mark::group_id);
    assert_eq!(asked("198.51.100.1"), asked("10.43.0.1"));
    engine
        .apply(vec![change(Resource::SERVICES, "a", None)])
        .unwrap();
    assert_eq!(asked("198.51.100.1"), asked("10.43.0.2"));
    assert_in_step(&engine, &kernel);
}

#[test]
fn only_what_others_did_is_looked_into() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    engine
        .apply(vec![service("a", "10.43.0.1", json!({}))])
        .unwrap();
    let reads = kernel.lock().reads;
    engine.verify().unwrap();
    assert_eq!(kernel.lock().reads, reads);
    {
        let mut inside = kernel.lock();
        inside.tables[0] = None;
        inside.generation += 1;
    }
    engine.verify().unwrap();
    assert_in_step(&engine, &kernel);
}

/// A change of one of a few Services, by numbers.
fn random_change() -> impl Strategy<Value = Change> {
    prop_oneof![6 => random_service_change(), 1 => random_weight()]
}

/// Nodes are those of [`slice`].
fn random_weight() -> impl Strategy<Value = Change> {
    (any::<bool>(), 0u8..=110).prop_map(|(here, weight)| {
        let annotations = json!({"kedge.io/weight": weight.to_string()});
        let name = if here { "here" } else { "there" };
        let value = json!({"metadata": {"annotations": annotations}});
        change(Resource::NODES, name, Some(value))
    })
}

fn random_service_change() -> impl Strategy<Value = Change> {
    let name = (0usize..4).prop_map(|n| ["a", "b", "c", "d"][n]);
    (name, any::<bool>(), proptest::collection::vec(1u8..9, 0..70), any::<[bool; 6]>()).prop_map(
        |(name, is_slice, endpoints, [gone, internal, external, sticky, ranges, port])| {
            let number = name.as_bytes()[0];
            if is_slice {
                return match gone && internal {
                    true => change(Resource::ENDPOINTSLICES, &format!("{name}-slice"), None),
                    false => slice(name, &endpoints),
                };
            }
            if gone && internal {
                return change(Resource::SERVICES, name, None);
            }
            let policy = |local: bool| if local { "Local" } else { "Cluster" };
            let more = json!({
                "internalTrafficPolicy": policy(internal), "externalTrafficPolicy": policy(external),
                "sessionAffinity": if sticky { "ClientIP" } else { "None" },
                "loadBalancerSourceRanges": if ranges { json!(["192.0.2.0/24", "10.0.0.0/8"]) } else { json!([]) },
                "externalIPs": ["198.51.100.1"],
                "ports": [{"port": if port { 53 } else { 54 }, "protocol": "UDP",
                           "nodePort": if gone { 30000 } else { 30000 + u16::from(number) }}],
            });
            let mut change = service(name, &format!("10.43.0.{number}"), more);
            let mut value: Json = serde_json::from_slice(change.object.as_ref().unwrap()).unwrap();
            value["status"] = json!({"loadBalancer": {"ingress": [{"ip": format!("203.0.113.{number}")}]}});
            change.object = Some(Bytes::from(value.to_string()));
            change
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_happens_the_kernel_is_in_step(
        batches in proptest::collection::vec(proptest::collection::vec(random_change(), 0..5), 1..12),
        faults in proptest::collection::vec((0usize..12, any::<bool>()), 0..4),
    ) {
        let kernel = FakeKernel::default();
        let mut live = engine(&kernel);
        let mut all: HashMap<ObjectKey, Change> = HashMap::new();
        for (index, batch) in batches.into_iter().enumerate() {
            for (_, lost) in faults.iter().filter(|(at, _)| *at == index) {
                let fault = if *lost { Fault::LoseAnswer } else { Fault::Refuse(libc::EBUSY) };
                kernel.lock().faults.push_back(fault);
            }
            all.extend(batch.iter().map(|change| (change.key.clone(), change.clone())));
            live.apply(batch).unwrap();
            assert_in_step(&live, &kernel);
            check(&kernel.elements());
        }
        kernel.lock().faults.clear();
        while live.begin_settling() {
            live.settle().unwrap();
            assert_in_step(&live, &kernel);
        }
        // A restart finds everything as it is.
        let commits = kernel.lock().commits.len();
        let mut second = engine(&kernel);
        second.apply(all.into_values().filter(|change| change.object.is_some()).collect()).unwrap();
        assert_in_step(&second, &kernel);
        prop_assert_eq!(kernel.lock().commits.len(), commits, "a restart writes nothing");
    }
}

/// Every mark leads somewhere, every slot that can be drawn is filled, and none is filled in vain.
fn check(elements: &HashMap<Key, Value>) {
    let mut slots: HashMap<Group, BTreeSet<u16>> = HashMap::new();
    for key in elements.keys() {
        if let Key::Slot(group, slot) = key {
            slots.entry(*group).or_default().insert(*slot);
        }
    }
    for (group, slots) in &slots {
        assert_eq!(
            slots.len(),
            usize::from(*slots.last().unwrap()) + 1,
            "{group:?} has holes"
        );
    }
    let mut used = std::collections::HashSet::new();
    for (key, value) in elements {
        let Value::Mark(mark) = value else { continue };
        let own = Group {
            family: key.family(),
            id: mark.group_id(),
        };
        match mark.class() {
            Class::REJECT | Class::DENY => {}
            Class::SOURCE_RANGES => assert!(elements.contains_key(&Key::AfterRanges(own))),
            Class::BY_SOURCE => {
                assert!(
                    elements.contains_key(&Key::FromInside(own))
                        && elements.contains_key(&Key::FromOutside(own))
                );
            }
            Class::STICKY => {
                let bits = mark.0 & Mark::STICKY_MASK;
                assert!(elements.contains_key(&Key::Sticky(own.family, bits)));
                assert!(elements.contains_key(&Key::Learn(own)));
            }
            count => {
                assert_eq!(Class::for_count(slots[&own].len()), Some(count));
                used.insert(own);
            }
        }
    }
    assert!(
        slots.keys().all(|group| used.contains(group)),
        "a group that nobody comes to"
    );
}

#[test]
fn who_has_an_address_and_who_is_gone_is_told() {
    let mut engine = engine(&FakeKernel::default());
    let web = service("web", "10.43.0.1", json!({}));
    let headless = service("headless", "None", json!({}));
    engine
        .apply(vec![web, headless, slice("web", &[1])])
        .unwrap();
    let key = |address: &str| ServiceKey {
        address: address.parse().unwrap(),
        protocol: Protocol::Udp,
        port: 53,
    };
    let known = |name: &str| ("default".to_string(), name.to_string());
    let answer = engine.answer(Question {
        keys: [key("10.43.0.1"), key("10.43.0.2")].into(),
        known: [known("web"), known("headless"), known("past")].into(),
    });
    let owners = HashMap::from([(key("10.43.0.1"), ServiceName::new("default", "web"))]);
    assert_eq!(answer.owners, owners);
    assert_eq!(answer.gone, [known("headless"), known("past")].into());
}
