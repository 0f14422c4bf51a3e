//! Conntrack entries and affinities that go with their endpoint, address or Service, and those that stay.

use super::*;

#[test]
fn only_stale_flows_are_forgotten() {
    let more = json!({"externalIPs": ["198.51.100.1"]});
    let (kernel, mut engine) = begun(vec![service("a", "10.43.0.1", more), slice("a", &[1, 2])]);
    let a = group_at(&kernel, "10.43.0.1");
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
    let (kernel, mut engine) = begun(vec![]);
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
    let (kernel, mut engine) = begun(vec![]);
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
    let web = |external: Json| service("a", "10.43.0.1", json!({"externalIPs": external}));
    let at = "198.51.100.1";
    let (kernel, mut engine) = begun(vec![web(json!([at])), slice("a", &[1, 2])]);
    let a = group_at(&kernel, "10.43.0.1");
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
    let (kernel, mut engine) = begun(vec![service("a", "10.43.0.1", json!({})), slice("a", &[1])]);
    let a = group_at(&kernel, "10.43.0.1");
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

/// An endpoint that takes flows, or only answers those that it has, keeps them.
#[test]
fn a_flow_lives_as_long_as_its_endpoint_answers() {
    let with = |conditions: Json| {
        let value = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "a"}}, "addressType": "IPv4",
            "ports": [{"port": 5353, "protocol": "UDP"}],
            "endpoints": [{"addresses": ["10.42.0.1"]}, {"addresses": ["10.42.0.2"], "conditions": conditions}],
        });
        change(Resource::ENDPOINTSLICES, "a-slice", Some(value))
    };
    let a = service("a", "10.43.0.1", json!({}));
    let (kernel, mut engine) = begun(vec![a, with(json!({}))]);
    let a = group_at(&kernel, "10.43.0.1");
    let flow = flow("10.43.0.1", 53, endpoint(2), a);
    for (ready, serving, terminating, lives) in [
        (true, true, false, true),
        (true, false, false, true),
        (true, false, true, true),
        (false, true, true, true),
        (false, false, true, false),
        (false, true, false, false),
        (false, false, false, false),
    ] {
        engine.apply(vec![with(json!({}))]).unwrap();
        kernel.lock().flows = vec![flow];
        let conditions = json!({"ready": ready, "serving": serving, "terminating": terminating});
        engine.apply(vec![with(conditions.clone())]).unwrap();
        assert_eq!(kernel.lock().flows.contains(&flow), lives, "{conditions}");
    }
}

#[test]
fn clients_of_a_vanished_endpoint_are_forgotten() {
    let sticky = json!({"sessionAffinity": "ClientIP"});
    let (kernel, mut engine) = begun(vec![service("a", "10.43.0.1", sticky), slice("a", &[1, 2])]);
    let a = group_at(&kernel, "10.43.0.1");
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
    let sticky = json!({"sessionAffinity": "ClientIP"});
    let (kernel, mut engine) = begun(vec![
        service("a", "10.43.0.1", sticky.clone()),
        slice("a", &[1, 2]),
    ]);
    engine.begin_settling();
    engine.settle().unwrap();
    assert!(!engine.begin_settling());
    let a = group_at(&kernel, "10.43.0.1");
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
