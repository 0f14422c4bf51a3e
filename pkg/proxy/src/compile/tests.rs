use rstest::rstest;

use super::testing::{context, endpoint, port, slice};
use super::*;
use crate::model::{Place, State};

fn entry(service: Service) -> Entry {
    let mut entry = Entry {
        service: Some(service),
        ..Entry::default()
    };
    let endpoints = vec![
        endpoint(1, State::Ready, Place::Here),
        endpoint(2, State::Ready, Place::Elsewhere),
    ];
    entry.slices.insert("web-1", slice(endpoints));
    entry
}

fn cluster_ip() -> Service {
    Service {
        ports: [port(80)].into(),
        cluster_ips: ["10.43.0.9".parse().unwrap()].into(),
        ..Service::default()
    }
}

fn fronts(plan: &ServicePlan) -> Vec<String> {
    let ports = plan.ports.iter();
    ports
        .flat_map(|port| port.spec.fronts.iter())
        .map(|front| format!("{:?} {} {}", front.role, front.address, front.port))
        .collect()
}

#[test]
fn a_cluster_ip() {
    let plan = compile(&entry(cluster_ip()), &context());
    assert_eq!(fronts(&plan), ["Internal 10.43.0.9 80"]);
    let port = &plan.ports[0];
    assert_eq!(port.cluster.len(), 2);
    assert!(port.local.is_empty());
    assert_eq!(port.spec.internal.flags, Flags::MASQUERADE_OFF_CLUSTER);
}

#[test]
fn every_kind_of_address() {
    let service = Service {
        ports: [ServicePort {
            node_port: Some(30080),
            ..port(80)
        }]
        .into(),
        cluster_ips: ["10.43.0.9".parse().unwrap(), "fd00::9".parse().unwrap()].into(),
        external_ips: ["198.51.100.7".parse().unwrap()].into(),
        load_balancer_ips: ["203.0.113.5".parse().unwrap()].into(),
        source_ranges: ["192.0.2.0/24".parse().unwrap()].into(),
        external_policy: Policy::Local,
        ..Service::default()
    };
    let plan = compile(&entry(service), &context());
    assert_eq!(
        fronts(&plan),
        [
            "Internal 10.43.0.9 80",
            "Guarded 203.0.113.5 80",
            "External 198.51.100.7 80",
            "NodePort 192.0.2.1 30080",
            "Internal fd00::9 80",
            "NodePort 2001:db8::1 30080",
        ]
    );
    let v4 = &plan.ports[0];
    assert_eq!(v4.local.len(), 1);
    let ranges: Vec<String> = v4
        .spec
        .source_ranges
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        ranges,
        ["192.0.2.0/24", "203.0.113.5/32"],
        "the node may come as the address itself"
    );
    assert!(plan.ports[1].spec.source_ranges.is_empty());
}

/// The other family's node port, external and load balancer's address belong to nobody, whatever the Service says.
#[rstest]
#[case("10.43.0.9", &[
    "Internal 10.43.0.9 80", "External 203.0.113.5 80", "External 198.51.100.7 80", "NodePort 192.0.2.1 30080",
])]
#[case("fd00::9", &[
    "Internal fd00::9 80", "External 2001:db8:5::5 80", "External 2001:db8:7::7 80", "NodePort 2001:db8::1 30080",
])]
fn a_family_without_a_cluster_ip_is_left_alone(#[case] ip: &str, #[case] expected: &[&str]) {
    let addresses = |list: [&str; 2]| list.iter().map(|ip| ip.parse().unwrap()).collect();
    let service = Service {
        ports: [ServicePort {
            node_port: Some(30080),
            ..port(80)
        }]
        .into(),
        cluster_ips: [ip.parse().unwrap()].into(),
        external_ips: addresses(["198.51.100.7", "2001:db8:7::7"]),
        load_balancer_ips: addresses(["203.0.113.5", "2001:db8:5::5"]),
        ..Service::default()
    };
    assert_eq!(fronts(&compile(&entry(service), &context())), expected);
}

/// Ranges of the other family guard nothing, and those that everybody is in are ranges like others.
#[rstest]
#[case(&["2001:db8::/32"], &[])]
#[case(&["0.0.0.0/0", "::/0"], &["0.0.0.0/0"])]
#[case(&["198.51.100.0/24", "2001:db8::/32"], &["198.51.100.0/24"])]
fn source_ranges_are_of_their_family(#[case] ranges: &[&str], #[case] expected: &[&str]) {
    let service = Service {
        source_ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        load_balancer_ips: ["203.0.113.5".parse().unwrap()].into(),
        ..cluster_ip()
    };
    let plan = compile(&entry(service), &context());
    let spec = &plan.ports[0].spec;
    let ranges: Vec<String> = spec.source_ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, expected);
    let guarded = fronts(&plan).contains(&"Guarded 203.0.113.5 80".to_owned());
    assert_eq!(guarded, !expected.is_empty());
}

#[test]
fn two_ports_never_share_an_address() {
    let service = Service {
        ports: [
            ServicePort {
                node_port: Some(443),
                ..port(80)
            },
            port(443),
        ]
        .into(),
        external_ips: ["192.0.2.1".parse().unwrap()].into(),
        load_balancer_ips: ["192.0.2.1".parse().unwrap()].into(),
        ..cluster_ip()
    };
    let plan = compile(&entry(service), &context());
    let all = fronts(&plan);
    assert_eq!(
        all.iter()
            .filter(|front| front.ends_with("192.0.2.1 443"))
            .count(),
        1
    );
    assert!(
        all.contains(&"External 192.0.2.1 443".to_owned()),
        "{all:?}"
    );
}

#[test]
fn overlapping_source_ranges_are_merged() {
    let service = Service {
        source_ranges: [
            "10.0.0.0/8".parse().unwrap(),
            "10.1.0.0/16".parse().unwrap(),
        ]
        .into(),
        load_balancer_ips: ["203.0.113.5".parse().unwrap()].into(),
        ..cluster_ip()
    };
    let plan = compile(&entry(service), &context());
    assert_eq!(plan.ports[0].spec.source_ranges.len(), 1);
}

#[test]
fn without_a_cluster_range_nobody_is_off_cluster() {
    let config = ProxyConfig::default();
    let context = Context {
        config: &config,
        ..context()
    };
    let plan = compile(&entry(cluster_ip()), &context);
    assert_eq!(plan.ports[0].spec.internal.flags, Flags::NONE);
    assert_eq!(plan.ports[0].spec.inside, Flags::MASQUERADE);
}

#[test]
fn nothing_comes_of_slices_alone() {
    let mut entry = entry(cluster_ip());
    entry.service = None;
    assert_eq!(compile(&entry, &context()), ServicePlan::default());
}
