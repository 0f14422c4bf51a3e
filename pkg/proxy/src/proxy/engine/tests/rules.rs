//! What the kernel is told of Services, endpoints and the node.

use super::*;

#[test]
fn an_empty_cluster_has_tables_all_the_same() {
    let kernel = FakeKernel::default();
    engine(&kernel).apply(vec![]).unwrap();
    assert_eq!(kernel.elements().len(), fixed_count());
}

#[test]
fn one_change_is_a_few_elements() {
    let (kernel, mut engine) = begun(vec![
        service("a", "10.43.0.1", json!({})),
        slice("a", &[1, 2, 3]),
    ]);
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

/// What is written in each step of some Services' lives, removals and additions together.
#[test]
fn each_step_writes_what_it_changes() {
    let (kernel, mut engine) = begun(vec![]);
    let (a, b) = (
        || service("a", "10.43.0.1", json!({})),
        service("b", "10.43.0.2", json!({})),
    );
    for (changes, written, what) in [
        (vec![a()], 2, "a closed port of a cluster IP"),
        (vec![slice("a", &[1])], 3, "it opens, to a slot"),
        (
            vec![b, slice("b", &[5])],
            3,
            "another Service, and nothing of the first",
        ),
        (vec![slice("a", &[3])], 2, "another endpoint in the slot"),
        (
            vec![slice("a", &[3, 5])],
            3,
            "one more: a slot, and they are two",
        ),
        (vec![slice("a", &[])], 4, "none: both slots, and it closes"),
        (vec![a()], 0, "the same Service"),
        (
            vec![change(Resource::SERVICES, "b", None)],
            3,
            "the other one goes",
        ),
        (
            vec![change(Resource::ENDPOINTSLICES, "b-slice", None)],
            0,
            "and what nobody used",
        ),
    ] {
        kernel.lock().commits.clear();
        engine.apply(changes).unwrap();
        assert_eq!(
            kernel.lock().commits.iter().sum::<usize>(),
            written,
            "{what}"
        );
    }
    assert_in_step(&engine, &kernel);
}

#[test]
fn what_was_there_at_the_start_has_waited_for_nobody() {
    let mut engine = engine(&FakeKernel::default());
    let timed = |port: u16| {
        let value = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "a"},
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-02T03:04:05Z"}},
            "addressType": "IPv4", "ports": [{"port": port, "protocol": "UDP"}], "endpoints": [],
        });
        change(Resource::ENDPOINTSLICES, "a-slice", Some(value))
    };
    engine.apply(vec![timed(1)]).unwrap();
    assert!(engine.round().triggers.is_empty());
    engine.apply(vec![timed(2)]).unwrap();
    assert_eq!(engine.round().triggers.len(), 1);
}

#[test]
fn no_endpoints_is_a_closed_port() {
    let (kernel, mut engine) = begun(vec![service("a", "10.43.0.1", json!({}))]);
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
    let more = json!({"externalTrafficPolicy": "Local", "externalIPs": ["198.51.100.1"]});
    let (kernel, _engine) = begun(vec![service("a", "10.43.0.1", more), slice("a", &[1])]);
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
    let ports = json!({"ports": [{"port": 53, "protocol": "UDP", "nodePort": 30053}]});
    let (kernel, mut engine) = begun(vec![service("a", "10.43.0.1", ports), slice("a", &[1])]);
    assert!(mark(&kernel, "192.0.2.1", 30053).is_some());
    engine
        .set_node_addresses(Arc::from([IpAddr::from([192, 0, 2, 7])]))
        .unwrap();
    assert!(mark(&kernel, "192.0.2.1", 30053).is_none());
    assert!(mark(&kernel, "192.0.2.7", 30053).is_some());
    assert_in_step(&engine, &kernel);
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

#[test]
fn a_contested_address_goes_to_the_next() {
    let more = json!({"externalIPs": ["198.51.100.1"]});
    let (kernel, mut engine) = begun(vec![
        service("a", "10.43.0.1", more.clone()),
        slice("a", &[1]),
        service("b", "10.43.0.2", more),
        slice("b", &[2]),
    ]);
    let asked = |address| mark(&kernel, address, 53).map(Mark::group_id);
    assert_eq!(asked("198.51.100.1"), asked("10.43.0.1"));
    engine
        .apply(vec![change(Resource::SERVICES, "a", None)])
        .unwrap();
    assert_eq!(asked("198.51.100.1"), asked("10.43.0.2"));
    assert_in_step(&engine, &kernel);
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

#[test]
fn another_range_of_cluster_ips_rewrites_the_rules_for_it() {
    let (kernel, mut engine) = begun(vec![service("a", "10.43.0.1", json!({})), slice("a", &[1])]);
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

/// As upstream counts them: of the policies Local, those whose endpoints are all elsewhere.
#[test]
fn services_without_local_endpoints_are_counted() {
    let kernel = FakeKernel::default();
    let mut engine = engine(&kernel);
    let internal = json!({"internalTrafficPolicy": "Local"});
    let ports = json!([{"port": 53, "protocol": "UDP", "nodePort": 30053}]);
    let external = json!({"type": "NodePort", "ports": ports, "externalTrafficPolicy": "Local"});
    let mut both = external.clone();
    both["internalTrafficPolicy"] = "Local".into();
    for (more, endpoints, expected) in [
        (&internal, &[1, 3][..], [1, 0]),
        (&internal, &[1, 2], [0, 0]),
        (&external, &[1, 3], [0, 1]),
        (&external, &[2], [0, 0]),
        (&both, &[1], [1, 1]),
        (&both, &[2], [0, 0]),
        (&both, &[], [0, 0]),
        (&json!({}), &[1], [0, 0]),
    ] {
        engine
            .apply(vec![
                service("a", "10.43.0.1", more.clone()),
                slice("a", endpoints),
            ])
            .unwrap();
        assert_eq!(
            engine.round().no_local_endpoints,
            [expected, [0, 0]],
            "{more} {endpoints:?}"
        );
    }
    engine
        .apply(vec![service("a", "10.43.0.1", both), slice("a", &[1])])
        .unwrap();
    engine
        .apply(vec![change(Resource::SERVICES, "a", None)])
        .unwrap();
    assert_eq!(engine.round().no_local_endpoints, [[0, 0], [0, 0]]);
}
