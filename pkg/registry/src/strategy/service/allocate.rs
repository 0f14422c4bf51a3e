//! Gives a Service its ClusterIPs, node ports and health-check node port (upstream: `allocateCreate`,
//! `allocateUpdate`). Only chooses; the choice is claimed when the Service is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kedge_machinery::{FieldError, Object, Status};
use serde_json::{Value, json};

use super::spec::{Spec, spec_mut};
use crate::allocate::{Claim, Environment, Family};
use crate::value::{int, list_mut};

/// Fills what is missing and checks what was asked for; what `held` has is the Service's own already.
pub(super) fn fill(
    service: &mut Object,
    held: &BTreeSet<Claim>,
    world: &Environment<'_>,
) -> Result<(), Status> {
    let spec = Spec::of(service);
    if spec.needs_cluster_ip() && spec.cluster_ip() != super::spec::NONE {
        addresses(service, held, world)?;
    }
    if Spec::of(service).needs_node_ports() {
        node_ports(service, held, world)?;
    }
    if Spec::of(service).needs_health_check() {
        health_check(service, held, world)?;
    }
    Ok(())
}

fn invalid(service: &Object, error: FieldError) -> Status {
    Status::invalid("", "Service", service.name(), &[error])
}

fn addresses(
    service: &mut Object,
    held: &BTreeSet<Claim>,
    world: &Environment<'_>,
) -> Result<(), Status> {
    let spec = Spec::of(service);
    let given: Vec<String> = spec.cluster_ips().into_iter().map(String::from).collect();
    let mut ips = given.clone();
    for (i, family) in spec.families().into_iter().enumerate() {
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
                // What is no address is told by validation, which comes after.
                let Ok(address) = ip.parse::<IpAddr>() else {
                    continue;
                };
                if held.contains(&Claim::Address(address)) {
                    continue;
                }
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

/// Ports of one number share a node port across protocols, as a DNS server on TCP and UDP wants it.
fn node_ports(
    service: &mut Object,
    held: &BTreeSet<Claim>,
    world: &Environment<'_>,
) -> Result<(), Status> {
    let spec = Spec::of(service);
    let mut mine: BTreeSet<u16> = BTreeSet::new();
    let mut by_port: BTreeMap<i64, i64> = BTreeMap::new();
    for port in spec
        .ports()
        .iter()
        .filter(|port| int(port, "nodePort") != 0)
    {
        by_port
            .entry(int(port, "port"))
            .or_insert(int(port, "nodePort"));
    }
    for (i, port) in spec.ports().iter().enumerate() {
        let asked = int(port, "nodePort");
        let own = |n: u16| mine.contains(&n) || held.contains(&Claim::Port(n));
        if asked == 0 || u16::try_from(asked).is_ok_and(own) {
            continue;
        }
        let number = world.check_port(asked).map_err(|why| {
            invalid(
                service,
                FieldError::invalid(format!("spec.ports[{i}].nodePort"), asked, why),
            )
        })?;
        mine.insert(number);
    }
    if !spec.allocates_node_ports() {
        return Ok(());
    }
    let unavailable =
        |mine: &BTreeSet<u16>, n: u16| mine.contains(&n) || held.contains(&Claim::Port(n));
    for port in list_mut(spec_mut(service), "ports") {
        if int(port, "nodePort") != 0 {
            continue;
        }
        let number = int(port, "port");
        let chosen = match by_port.get(&number) {
            Some(chosen) => *chosen,
            None => {
                let chosen = world
                    .choose_port(|n| unavailable(&mine, n))
                    .map_err(|why| {
                        Status::internal(format!("failed to allocate a nodePort: {why}"))
                    })?;
                mine.insert(chosen);
                by_port.insert(number, chosen.into());
                chosen.into()
            }
        };
        if let Some(port) = port.as_object_mut() {
            port.insert("nodePort".into(), chosen.into());
        }
    }
    Ok(())
}

fn health_check(
    service: &mut Object,
    held: &BTreeSet<Claim>,
    world: &Environment<'_>,
) -> Result<(), Status> {
    let spec = Spec::of(service);
    let asked = spec.health_check_node_port();
    let ports: Vec<i64> = spec.node_ports();
    if asked == 0 {
        let chosen = world
            .choose_port(|n| ports.contains(&n.into()) || held.contains(&Claim::Port(n)))
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
    if u16::try_from(asked).is_ok_and(|n| held.contains(&Claim::Port(n))) {
        return Ok(());
    }
    world
        .check_port(asked)
        .map(|_| ())
        .map_err(|why| refused(&why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::Pools;
    use crate::value::field;

    fn filled(spec: Value, held: &[Claim], taken: &[Claim]) -> Result<Value, Status> {
        let pools = Pools {
            cidrs: vec![
                "10.43.0.0/24".parse().unwrap(),
                "fd00::/112".parse().unwrap(),
            ],
            node_ports: 30000..=30099,
        };
        let is_taken = |claim: &Claim| taken.contains(claim) || held.contains(claim);
        let world = Environment {
            pools: &pools,
            taken: &is_taken,
            random: &|| 5,
        };
        let mut service =
            Object::from_value(json!({"metadata": {"name": "s"}, "spec": spec})).unwrap();
        fill(&mut service, &held.iter().copied().collect(), &world)?;
        Ok(field(&service.0, "spec").clone())
    }

    #[test]
    fn an_address_of_each_family_beyond_the_reserved_band() {
        let spec = filled(
            json!({"type": "ClusterIP", "ipFamilies": ["IPv6", "IPv4"]}),
            &[],
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
        assert_eq!(
            filled(ask("10.43.0.9"), &[], &[]).unwrap()["clusterIP"],
            "10.43.0.9"
        );
        assert_eq!(
            filled(ask("10.43.0.9"), &[claim], &[]).unwrap()["clusterIP"],
            "10.43.0.9"
        );
        let status = filled(ask("10.43.0.9"), &[], &[claim]).unwrap_err();
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
        assert_eq!(filled(ask("10.44.0.9"), &[], &[]).unwrap_err().code, 422);
    }

    #[test]
    fn tcp_and_udp_of_one_port_share_a_node_port() {
        let ports = json!([
            {"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}, {"port": 80},
            {"port": 81, "nodePort": 30001}, {"port": 81, "protocol": "UDP"},
        ]);
        let spec = filled(json!({"type": "NodePort", "ports": ports}), &[], &[]).unwrap();
        let got: Vec<i64> = spec["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| int(p, "nodePort"))
            .collect();
        assert_eq!(got, [30021, 30021, 30022, 30001, 30001]);
    }

    #[test]
    fn a_node_port_that_is_taken() {
        let ask = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30005}]});
        let status = filled(ask.clone(), &[], &[Claim::Port(30005)]).unwrap_err();
        assert_eq!(
            status.details.unwrap().causes[0].field,
            "spec.ports[0].nodePort"
        );
        assert!(filled(ask, &[Claim::Port(30005)], &[]).is_ok());
        let outside = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 8080}]});
        assert_eq!(filled(outside, &[], &[]).unwrap_err().code, 422);
    }

    #[test]
    fn a_balancer_may_decline_node_ports() {
        let spec = json!({
            "type": "LoadBalancer", "allocateLoadBalancerNodePorts": false,
            "ports": [{"port": 80}, {"port": 81, "nodePort": 30007}],
        });
        assert_eq!(
            filled(spec.clone(), &[], &[]).unwrap()["ports"],
            spec["ports"]
        );
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
            filled(spec(None), &[], &[]).unwrap()["healthCheckNodePort"],
            30021
        );
        assert_eq!(
            filled(spec(Some(30006)), &[], &[]).unwrap()["healthCheckNodePort"],
            30006
        );
        assert_eq!(
            filled(spec(Some(30006)), &[], &[Claim::Port(30006)])
                .unwrap_err()
                .code,
            500
        );
        assert_eq!(filled(spec(Some(30005)), &[], &[]).unwrap_err().code, 500);
    }

    #[test]
    fn exhaustion_is_said() {
        let all: Vec<Claim> = (30000..=30099).map(Claim::Port).collect();
        let status = filled(
            json!({"type": "NodePort", "ports": [{"port": 80}]}),
            &[],
            &all,
        )
        .unwrap_err();
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
