//! Random changes and faults: the kernel holds what it should after each.

use proptest::prelude::*;

use super::*;

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
            let mut value: Json = serde_json::from_slice(&change.object.as_ref().unwrap().text()).unwrap();
            value["status"] = json!({"loadBalancer": {"ingress": [{"ip": format!("203.0.113.{number}")}]}});
            change.object = Some(value.to_string().into());
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
