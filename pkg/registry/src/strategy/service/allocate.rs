//! Gives a Service its ClusterIPs, node ports and health-check node port (upstream: `allocateCreate`,
//! `allocateUpdate`). Only chooses; the choice is claimed when the Service is committed.

mod node_ports;

use std::net::IpAddr;
use std::ops::Range;

use kedge_machinery::{FieldError, Object, Status};
use serde_json::{Value, json};

use super::spec::{NONE, Spec, spec_mut};
use crate::allocate::{Environment, Family};

/// Fills what is missing and checks what was asked for. What an update keeps is not looked at again: whether it may
/// change is told by validation, which comes after.
pub(super) fn fill(
    service: &mut Object,
    old: Option<&Object>,
    world: &Environment<'_>,
) -> Result<(), Status> {
    addresses(service, old, world)?;
    if Spec::of(service).needs_node_ports() {
        match old {
            None => node_ports::of_new(service, world)?,
            Some(old) => node_ports::of_changed(service, old, world)?,
        }
    }
    let needed = old.is_some_and(|old| Spec::of(old).needs_health_check());
    if Spec::of(service).needs_health_check() && !needed {
        health_check(service, world)?;
    }
    Ok(())
}

fn invalid(service: &Object, error: FieldError) -> Status {
    Status::invalid("", "Service", service.name(), &[error])
}

/// The places in `ipFamilies` that addresses are taken for: all of a Service that had none, the second of one that gains a
/// family.
fn places(is: Spec<'_>, was: Option<Spec<'_>>) -> Range<usize> {
    let count = is.families().len();
    if !is.needs_cluster_ip() || is.cluster_ip() == NONE {
        return 0..0;
    }
    match was {
        None => 0..count,
        Some(was) if !was.needs_cluster_ip() => 0..count,
        Some(was) if !was.is_headless() && was.families().len() == 1 => 1..count,
        Some(_) => 0..0,
    }
}

fn addresses(
    service: &mut Object,
    old: Option<&Object>,
    world: &Environment<'_>,
) -> Result<(), Status> {
    let spec = Spec::of(service);
    let places = places(spec, old.map(Spec::of));
    if places.is_empty() {
        return Ok(());
    }
    let given: Vec<String> = spec.cluster_ips().into_iter().map(String::from).collect();
    let mut ips = given.clone();
    let families = spec.families();
    for (i, family) in families.into_iter().enumerate() {
        if !places.contains(&i) {
            continue;
        }
        let family = if family == "IPv6" {
            Family::V6
        } else {
            Family::V4
        };
        match given.get(i).filter(|ip| !ip.is_empty()) {
            None => {
                let address = world.choose_address(family).map_err(|why| {
                    Status::internal(format!("failed to allocate a serviceIP: {why}"))
                })?;
                ips.truncate(i);
                ips.push(address.to_string());
            }
            Some(ip) => {
                let Ok(address) = ip.parse::<IpAddr>() else {
                    continue;
                };
                world.check_address(address).map_err(|why| {
                    let detail = format!("failed to allocate IP {ip}: {why}");
                    invalid(
                        service,
                        FieldError::invalid("spec.clusterIPs", json!(given), detail),
                    )
                })?;
            }
        }
    }
    let first = ips.first().cloned();
    let spec = spec_mut(service);
    if let Some(first) = first {
        spec.insert("clusterIP".into(), first.into());
        spec.insert("clusterIPs".into(), Value::from(ips));
    }
    Ok(())
}

fn health_check(service: &mut Object, world: &Environment<'_>) -> Result<(), Status> {
    let spec = Spec::of(service);
    let asked = spec.health_check_node_port();
    let ports: Vec<i64> = spec.node_ports();
    if asked == 0 {
        let chosen = world
            .choose_port(|n| ports.contains(&n.into()))
            .map_err(|why| {
                Status::internal(format!(
                    "failed to allocate a HealthCheck NodePort 0: {why}"
                ))
            })?;
        spec_mut(service).insert("healthCheckNodePort".into(), chosen.into());
        return Ok(());
    }
    let refused = |why: &str| {
        Status::internal(format!(
            "failed to allocate requested HealthCheck NodePort {asked}: {why}"
        ))
    };
    if ports.contains(&asked) {
        return Err(refused("provided port is already allocated"));
    }
    world
        .check_port(asked)
        .map(|_| ())
        .map_err(|why| refused(&why))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::allocate::claims::claims;
    use crate::allocate::{Claim, Pools};
    use crate::value::{field, int};

    fn filled(spec: Value, taken: &[Claim]) -> Result<Value, Status> {
        changed(spec, None, taken)
    }

    /// What becomes of a Service, where its own claims are taken too.
    fn changed(spec: Value, old: Option<Value>, taken: &[Claim]) -> Result<Value, Status> {
        let pools = Pools {
            cidrs: vec![
                "10.43.0.0/24".parse().unwrap(),
                "fd00::/112".parse().unwrap(),
            ],
            node_ports: 30000..=30099,
        };
        let object = |spec: Value| {
            Object::from_value(json!({"metadata": {"name": "s"}, "spec": spec})).unwrap()
        };
        let old = old.map(object);
        let held = old.as_ref().map(claims).unwrap_or_default();
        let is_taken = |claim: &Claim| taken.contains(claim) || held.contains(claim);
        let world = Environment {
            pools: &pools,
            further: &Vec::new,
            taken: &is_taken,
            random: &|| 5,
        };
        let mut service = object(spec);
        fill(&mut service, old.as_ref(), &world)?;
        Ok(field(&service.0, "spec").clone())
    }

    #[test]
    fn an_address_of_each_family_beyond_the_reserved_band() {
        let spec = filled(
            json!({"type": "ClusterIP", "ipFamilies": ["IPv6", "IPv4"]}),
            &[],
        )
        .unwrap();
        assert_eq!(spec["clusterIPs"], json!(["fd00::106", "10.43.0.22"]));
        assert_eq!(spec["clusterIP"], "fd00::106");
    }

    #[test]
    fn a_requested_address() {
        let ask = |ip: &str| json!({"type": "ClusterIP", "ipFamilies": ["IPv4"], "clusterIP": ip, "clusterIPs": [ip]});
        let claim = Claim::Address("10.43.0.9".parse().unwrap());
        let got = filled(ask("10.43.0.9"), &[]).unwrap();
        assert_eq!(got["clusterIP"], "10.43.0.9");
        let again = changed(ask("10.43.0.9"), Some(got), &[]).unwrap();
        assert_eq!(again["clusterIP"], "10.43.0.9");
        let status = filled(ask("10.43.0.9"), &[claim]).unwrap_err();
        let cause = &status.details.unwrap().causes[0];
        assert_eq!(
            (status.code, cause.field.as_str(), cause.reason.as_str()),
            (422, "spec.clusterIPs", "FieldValueInvalid")
        );
        assert!(
            cause.message.ends_with("provided IP is already allocated"),
            "{}",
            cause.message
        );
        assert_eq!(filled(ask("10.44.0.9"), &[]).unwrap_err().code, 422);
    }

    /// An update takes addresses for what it gains, and leaves the rest to validation.
    #[test]
    fn addresses_of_an_update() {
        let spec = |kind: &str, ips: &[&str], families: &[&str]| json!({"type": kind, "clusterIP": ips.first(), "clusterIPs": ips, "ipFamilies": families});
        let one = spec("ClusterIP", &["10.43.0.9"], &["IPv4"]);
        let busy = [Claim::Address("10.43.0.7".parse().unwrap())];
        let moved = spec("ClusterIP", &["10.43.0.7"], &["IPv4"]);
        assert_eq!(
            changed(moved.clone(), Some(one.clone()), &busy).unwrap(),
            moved
        );
        let more = spec("ClusterIP", &["10.43.0.9"], &["IPv4", "IPv6"]);
        let got = changed(more, Some(one), &busy).unwrap();
        assert_eq!(got["clusterIPs"], json!(["10.43.0.9", "fd00::106"]));
        let name = json!({"type": "ExternalName", "externalName": "a.b"});
        let got = changed(
            json!({"type": "ClusterIP", "ipFamilies": ["IPv4"]}),
            Some(name.clone()),
            &busy,
        );
        assert_eq!(got.unwrap()["clusterIP"], "10.43.0.22");
        let refused = changed(moved, Some(name), &busy).unwrap_err();
        assert_eq!(refused.details.unwrap().causes[0].field, "spec.clusterIPs");
    }

    fn numbers(spec: &Value) -> Vec<i64> {
        let ports = spec["ports"].as_array().unwrap();
        ports.iter().map(|p| int(p, "nodePort")).collect()
    }

    /// Port, protocol, node port asked for; and what comes of it.
    #[rstest]
    #[case::across_protocols(
        &[(53, "UDP", 0), (53, "TCP", 0), (80, "TCP", 0), (81, "TCP", 30001), (81, "UDP", 0)],
        Ok(vec![30021, 30021, 30022, 30001, 30001])
    )]
    #[case::asked_for_later(&[(53, "UDP", 0), (53, "TCP", 30001)], Ok(vec![30001, 30001]))]
    #[case::asked_for_both(&[(53, "UDP", 30001), (53, "TCP", 30001)], Ok(vec![30001, 30001]))]
    #[case::each_its_own(&[(53, "UDP", 30001), (53, "TCP", 30002)], Ok(vec![30001, 30002]))]
    #[case::of_two_ports(&[(80, "TCP", 30001), (81, "UDP", 30001)], Err("spec.ports[1].nodePort"))]
    #[case::taken(&[(80, "TCP", 30005)], Err("spec.ports[0].nodePort"))]
    #[case::taken_for_the_first(&[(53, "UDP", 0), (53, "TCP", 30005)], Err("spec.ports[0].nodePort"))]
    #[case::outside(&[(80, "TCP", 8080)], Err("spec.ports[0].nodePort"))]
    fn node_ports_of_a_new_service(
        #[case] ports: &[(i64, &str, i64)],
        #[case] want: Result<Vec<i64>, &str>,
    ) {
        let ports = ports.iter().map(
            |(port, protocol, own)| json!({"port": port, "protocol": protocol, "nodePort": own}),
        );
        let spec = json!({"type": "NodePort", "ports": ports.collect::<Vec<_>>()});
        let got = filled(spec, &[Claim::Port(30005)]);
        match want {
            Ok(want) => assert_eq!(numbers(&got.unwrap()), want),
            Err(field) => {
                let status = got.unwrap_err();
                assert_eq!(status.code, 422);
                assert_eq!(status.details.unwrap().causes[0].field, field);
            }
        }
    }

    #[rstest]
    #[case::kept(json!([{"port": 80, "protocol": "TCP", "nodePort": 30001}]), Ok(vec![30001]))]
    #[case::one_more(json!([{"port": 80, "protocol": "TCP", "nodePort": 30001}, {"port": 81, "protocol": "TCP"}]), Ok(vec![30001, 30021]))]
    #[case::two_ports_of_two_protocols(
        json!([{"port": 80, "protocol": "TCP", "nodePort": 30003}, {"port": 81, "protocol": "UDP", "nodePort": 30003}]), Ok(vec![30003, 30003])
    )]
    #[case::taken(json!([{"port": 80, "protocol": "TCP", "nodePort": 30005}]), Err(422))]
    #[case::twice(
        json!([{"port": 80, "protocol": "TCP", "nodePort": 30001}, {"port": 81, "protocol": "TCP", "nodePort": 30001}]), Err(500)
    )]
    fn node_ports_of_a_changed_service(#[case] ports: Value, #[case] want: Result<Vec<i64>, u16>) {
        let old = json!({"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30001}]});
        let new = json!({"type": "NodePort", "ports": ports});
        let got = changed(new, Some(old), &[Claim::Port(30005)]);
        match want {
            Ok(want) => assert_eq!(numbers(&got.unwrap()), want),
            Err(code) => assert_eq!(got.unwrap_err().code, code),
        }
    }

    #[test]
    fn a_balancer_may_decline_node_ports() {
        let spec = json!({
            "type": "LoadBalancer", "allocateLoadBalancerNodePorts": false,
            "ports": [{"port": 80}, {"port": 81, "nodePort": 30007}],
        });
        assert_eq!(filled(spec.clone(), &[]).unwrap()["ports"], spec["ports"]);
    }

    #[test]
    fn a_local_balancer_has_a_health_check_port() {
        let spec = |extra: Option<i64>| {
            let mut spec = json!({
                "type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 80, "nodePort": 30005}],
            });
            if let Some(port) = extra {
                spec["healthCheckNodePort"] = port.into();
            }
            spec
        };
        assert_eq!(
            filled(spec(None), &[]).unwrap()["healthCheckNodePort"],
            30021
        );
        assert_eq!(
            filled(spec(Some(30006)), &[]).unwrap()["healthCheckNodePort"],
            30006
        );
        assert_eq!(
            filled(spec(Some(30006)), &[Claim::Port(30006)])
                .unwrap_err()
                .code,
            500
        );
        assert_eq!(filled(spec(Some(30005)), &[]).unwrap_err().code, 500);
    }

    #[test]
    fn exhaustion_is_said() {
        let all: Vec<Claim> = (30000..=30099).map(Claim::Port).collect();
        let status =
            filled(json!({"type": "NodePort", "ports": [{"port": 80}]}), &all).unwrap_err();
        assert_eq!(status.code, 500);
        assert!(
            status
                .message
                .contains("failed to allocate a nodePort: range is full"),
            "{}",
            status.message
        );
    }
}
