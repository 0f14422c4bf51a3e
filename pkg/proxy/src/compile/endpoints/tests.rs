use rstest::rstest;

use super::*;
use crate::compile::testing::{context, endpoint, port, slice};
use crate::model::{Nodes, SlicePort};

fn chosen(endpoints: Vec<SliceEndpoint>) -> Chosen {
    let slices = [slice(endpoints)];
    choose(
        slices.iter(),
        &port(80),
        Family::V4,
        (true, true),
        &context(),
    )
}

fn last_octets(endpoints: &[Endpoint]) -> Vec<u8> {
    let octet = |e: &Endpoint| match e.address {
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(v6) => v6.octets()[15],
    };
    endpoints.iter().map(octet).collect()
}

#[test]
fn ready_ones_are_used() {
    let chosen = chosen(vec![
        endpoint(3, State::Ready, Place::Elsewhere),
        endpoint(1, State::Ready, Place::Here),
        endpoint(2, State::Terminating, Place::Here),
        endpoint(4, State::Unusable, Place::Here),
    ]);
    assert_eq!(last_octets(&chosen.cluster), [1, 3]);
    assert_eq!(last_octets(&chosen.local), [1]);
    assert!(chosen.any);
}

#[test]
fn terminating_ones_serve_when_no_other_does() {
    let chosen = chosen(vec![
        endpoint(1, State::Terminating, Place::Here),
        endpoint(2, State::Ready, Place::Elsewhere),
    ]);
    assert_eq!(last_octets(&chosen.cluster), [2]);
    assert_eq!(
        last_octets(&chosen.local),
        [1],
        "each policy falls back on its own"
    );
}

#[test]
fn an_endpoint_in_two_slices_counts_once_and_at_its_best() {
    let chosen = chosen(vec![
        endpoint(1, State::Unusable, Place::Here),
        endpoint(1, State::Ready, Place::Here),
    ]);
    assert_eq!(last_octets(&chosen.cluster), [1]);
    let chosen = self::chosen(vec![
        endpoint(1, State::Ready, Place::Unknown),
        endpoint(1, State::Ready, Place::Here),
    ]);
    assert_eq!(
        last_octets(&chosen.local),
        [1],
        "on this node, if any says so"
    );
}

/// What a second slice calls its port, with its number; who is used then, beside 10.42.0.1:8080 of the first.
#[rstest]
#[case::another_number("", Protocol::Tcp, 8081, &["10.42.0.1:8080", "10.42.0.1:8081"])]
#[case::another_name("http", Protocol::Tcp, 8081, &["10.42.0.1:8080"])]
#[case::another_protocol("", Protocol::Udp, 8081, &["10.42.0.1:8080"])]
#[case::the_same("", Protocol::Tcp, 8080, &["10.42.0.1:8080"])]
fn slices_name_their_ports(
    #[case] name: &str,
    #[case] protocol: Protocol,
    #[case] number: u16,
    #[case] used: &[&str],
) {
    let endpoints = || vec![endpoint(1, State::Ready, Place::Here)];
    let second = Slice {
        ports: [SlicePort {
            name: name.into(),
            protocol,
            port: number,
        }]
        .into(),
        ..slice(endpoints())
    };
    let slices = [slice(endpoints()), second];
    let policies = (true, true);
    let chosen = choose(slices.iter(), &port(80), Family::V4, policies, &context());
    let text = |e: &Endpoint| format!("{}:{}", e.address, e.port);
    let cluster: Vec<String> = chosen.cluster.iter().map(text).collect();
    assert_eq!(cluster, used);
    assert_eq!(chosen.local, chosen.cluster);
}

#[test]
fn only_own_or_unplaced_endpoints_come_to_themselves() {
    let chosen = chosen(vec![
        endpoint(1, State::Ready, Place::Here),
        endpoint(2, State::Ready, Place::Elsewhere),
        endpoint(3, State::Ready, Place::Unknown),
    ]);
    let hairpins: Vec<String> = chosen.hairpins.iter().map(ToString::to_string).collect();
    assert_eq!(hairpins, ["10.42.0.1", "10.42.0.3"]);
}

#[test]
fn weights_count_among_those_that_are_used() {
    let mut nodes = Nodes::default();
    let node = nodes.id("slow");
    nodes.set_weight("slow", Weight::parse("50").unwrap());
    let on_slow = |n, state, place| SliceEndpoint {
        node,
        ..endpoint(n, state, place)
    };
    let slices = [
        slice(vec![
            on_slow(1, State::Ready, Place::Here),
            endpoint(2, State::Ready, Place::Elsewhere),
        ]),
        Slice {
            weight: Weight::parse("0").unwrap(),
            ..slice(vec![
                endpoint(3, State::Ready, Place::Here),
                on_slow(4, State::Terminating, Place::Here),
            ])
        },
    ];
    let udp = ServicePort {
        protocol: Protocol::Udp,
        ..port(80)
    };
    let context = Context {
        nodes: &nodes,
        ..context()
    };
    let choose = |slices: &[Slice], port: &ServicePort| {
        choose(slices.iter(), port, Family::V4, (true, true), &context)
    };
    let used = choose(&slices, &port(80));
    assert_eq!(last_octets(&used.cluster), [1, 2, 2]);
    assert_eq!(
        last_octets(&used.local),
        [1],
        "of two here, one is to get nothing"
    );
    assert_eq!(
        choose(&slices[1..], &port(80)).cluster.len(),
        1,
        "better than none"
    );
    let mut of_udp = slices.clone();
    for slice in &mut of_udp {
        slice.ports[0].protocol = Protocol::Udp;
    }
    let draining = choose(&of_udp, &udp).draining;
    assert_eq!(last_octets(&draining), [3, 4], "their flows go on");
}

fn hinted(n: u8, zones: &[&str], nodes: &[&str]) -> SliceEndpoint {
    let names = |list: &[&str]| list.iter().map(|name| (*name).into()).collect();
    SliceEndpoint {
        hints: Some(Box::new(Hints {
            zones: names(zones),
            nodes: names(nodes),
        })),
        ..endpoint(n, State::Ready, Place::Elsewhere)
    }
}

#[test]
fn zone_hints_are_followed_when_all_have_them() {
    let near = chosen(vec![hinted(1, &["a"], &[]), hinted(2, &["b"], &[])]);
    assert_eq!(last_octets(&near.cluster), [1]);
    let partly = chosen(vec![
        hinted(1, &["a"], &[]),
        endpoint(2, State::Ready, Place::Here),
    ]);
    assert_eq!(last_octets(&partly.cluster), [1, 2]);
    let unnamed_first = chosen(vec![
        endpoint(1, State::Ready, Place::Here),
        hinted(2, &["a"], &[]),
    ]);
    assert_eq!(last_octets(&unnamed_first.cluster), [1, 2]);
    let none_here = chosen(vec![hinted(1, &["b"], &[]), hinted(2, &["c"], &[])]);
    assert_eq!(last_octets(&none_here.cluster), [1, 2]);
}

/// Three endpoints, each by the zones and after `@` the nodes that it is for, `!` being before those that are not ready;
/// the own zone, and who is used.
#[rstest]
#[case::each_in_its_zone(["a", "b", "a"], "a", &[1, 3])]
#[case::one_without_a_hint(["a", "b", ""], "a", &[1, 2, 3])]
#[case::one_without_a_hint_is_not_ready(["a", "b", "!"], "a", &[1])]
#[case::nobody_of_the_zone(["a", "b", "a"], "c", &[1, 2, 3])]
#[case::nobody_of_the_zone_is_ready(["!a", "b", "!a"], "a", &[2])]
#[case::a_node_without_a_zone(["a", "b", "a"], "", &[1, 2, 3])]
#[case::several_zones(["a b", "a", "c b"], "b", &[1, 3])]
#[case::own_node(["a@here", "a@there", "b@there"], "a", &[1])]
#[case::own_node_without_zones(["@here", "@there", "@there"], "a", &[1])]
#[case::nobody_of_the_node(["a@there", "b@there", "a@there"], "a", &[1, 3])]
#[case::the_node_s_own_is_not_ready(["!a@here", "b@there", "a@there"], "a", &[3])]
#[case::one_without_a_node(["a@here", "a", "b"], "a", &[1, 2])]
#[case::neither_is_complete(["a", "@here", "a"], "a", &[1, 2, 3])]
fn hints_of_topology(#[case] all: [&str; 3], #[case] zone: &str, #[case] used: &[u8]) {
    let endpoints = (1..).zip(all).map(|(n, text)| {
        let (zones, nodes) = text.split_once('@').unwrap_or((text, ""));
        let zones: Vec<&str> = zones.trim_start_matches('!').split_whitespace().collect();
        let nodes: Vec<&str> = nodes.split_whitespace().collect();
        SliceEndpoint {
            state: if text.starts_with('!') {
                State::Unusable
            } else {
                State::Ready
            },
            ..hinted(n, &zones, &nodes)
        }
    });
    let slices = [slice(endpoints.collect())];
    let context = Context { zone, ..context() };
    let chosen = choose(slices.iter(), &port(80), Family::V4, (true, true), &context);
    assert_eq!(last_octets(&chosen.cluster), used);
}

#[test]
fn hints_say_nothing_of_the_policy_local_and_of_those_that_terminate() {
    let here = |n, zone| SliceEndpoint {
        place: Place::Here,
        ..hinted(n, &[zone], &[])
    };
    let both = chosen(vec![here(1, "a"), here(2, "b")]);
    assert_eq!(last_octets(&both.cluster), [1]);
    assert_eq!(last_octets(&both.local), [1, 2]);
    let ending = |n, zone| SliceEndpoint {
        state: State::Terminating,
        ..hinted(n, &[zone], &[])
    };
    let both = chosen(vec![ending(1, "a"), ending(2, "b")]);
    assert_eq!(last_octets(&both.cluster), [1, 2]);
}

#[test]
fn node_hints_come_before_zone_hints() {
    let chosen = chosen(vec![
        hinted(1, &["a"], &["there"]),
        hinted(2, &["a"], &["here"]),
    ]);
    assert_eq!(last_octets(&chosen.cluster), [2]);
}
