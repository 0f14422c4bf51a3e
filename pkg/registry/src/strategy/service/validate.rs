//! What a Service may say (upstream: `ValidateService`), in upstream's order.

use std::collections::BTreeSet;

use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, Object};
use serde_json::{Value, json};

use super::spec::{NONE, Spec};
use super::warnings::{TOPOLOGY_HINTS, TOPOLOGY_MODE};
use crate::allocate::Family;
use crate::check;
use crate::value::{child, field, int, list, pairs, present, text, texts};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const POLICIES: &[&str] = &["Cluster", "Local"];
const FAMILIES: &[&str] = &["IPv4", "IPv6"];
const FAMILY_POLICIES: &[&str] = &["PreferDualStack", "RequireDualStack", "SingleStack"];
const DISTRIBUTIONS: &[&str] = &["PreferClose", "PreferSameNode", "PreferSameZone"];
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
/// A day.
const MAX_AFFINITY_SECONDS: i64 = 86400;
const ONLY_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";

/// Everything but the metadata.
pub(super) fn service(service: &Object) -> Vec<FieldError> {
    let spec = Spec::of(service);
    let mut errors = Vec::from_iter(topology(service));
    if spec.ports().is_empty() && !spec.is_headless() && spec.kind() != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    errors.extend(by_type(spec));
    errors.extend(ports(spec));
    errors.extend(check::labels("spec.selector", pairs(spec.0, "selector")));
    errors.extend(affinity(spec));
    errors.extend(cluster_ips(spec));
    for (i, ip) in texts(spec.0, "externalIPs").into_iter().enumerate() {
        errors.extend(check::ordinary_ip(&format!("spec.externalIPs[{i}]"), ip));
    }
    errors.extend(check::one_of("spec.type", spec.kind(), TYPES));
    errors.extend(port_numbers(spec));
    errors.extend(source_ranges(service));
    errors.extend(balancer_fields(spec));
    errors.extend(external_traffic(spec));
    errors.extend(internal_traffic(spec));
    if let Some(distribution) = spec.get("trafficDistribution").and_then(Value::as_str)
        && !DISTRIBUTIONS.contains(&distribution)
    {
        errors.push(FieldError::not_supported(
            "spec.trafficDistribution",
            distribution,
            DISTRIBUTIONS,
        ));
    }
    errors
}

/// The annotation of today and the older one must not contradict each other.
fn topology(service: &Object) -> Option<FieldError> {
    let value = |key: &str| service.at(&["metadata", "annotations", key])?.as_str();
    let (mode, hints) = (value(TOPOLOGY_MODE)?, value(TOPOLOGY_HINTS)?);
    (mode != hints).then(|| {
        let detail = format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified");
        FieldError::invalid(
            format!("metadata.annotations[{TOPOLOGY_MODE}]"),
            mode,
            detail,
        )
    })
}

fn by_type(spec: Spec<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match spec.kind() {
        kind @ ("LoadBalancer" | "NodePort") if spec.is_headless() => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errors.push(FieldError::invalid("spec.clusterIPs[0]", NONE, detail));
        }
        "ExternalName" => {
            let set = [
                ("clusterIPs", !spec.cluster_ips().is_empty()),
                ("ipFamilies", !spec.families().is_empty()),
                ("ipFamilyPolicy", spec.get("ipFamilyPolicy").is_some()),
            ];
            for (key, _) in set.iter().filter(|(_, set)| *set) {
                let detail = "may not be set for ExternalName services";
                errors.push(FieldError::forbidden(format!("spec.{key}"), detail));
            }
            let name = spec.text("externalName");
            match name.strip_suffix('.').unwrap_or(name) {
                "" => errors.push(FieldError::required("spec.externalName", "")),
                name => errors.extend(check::subdomain("spec.externalName", name)),
            }
        }
        _ => {}
    }
    errors
}

fn ports(spec: Spec<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    let many = spec.ports().len() > 1;
    for (i, port) in spec.ports().iter().enumerate() {
        let at = |key: &str| format!("spec.ports[{i}].{key}");
        let name = text(port, "name");
        if name.is_empty() {
            if many {
                errors.push(FieldError::required(at("name"), ""));
            }
        } else {
            errors.extend(check::label(&at("name"), name));
            if !names.insert(name) {
                errors.push(FieldError::duplicate(at("name"), name));
            }
        }
        errors.extend(check::port(&at("port"), int(port, "port")));
        errors.extend(check::one_of(
            &at("protocol"),
            text(port, "protocol"),
            PROTOCOLS,
        ));
        errors.extend(check::port_or_name(
            &at("targetPort"),
            port.get("targetPort").unwrap_or(&Value::Null),
        ));
        if let Some(protocol) = present(port, "appProtocol").and_then(Value::as_str) {
            errors.extend(check::qualified_name(&at("appProtocol"), protocol));
        }
    }
    errors
}

fn affinity(spec: Spec<'_>) -> Vec<FieldError> {
    const PATH: &str = "spec.sessionAffinityConfig";
    const WHEN: &str = "when session affinity type is ClientIP";
    let affinity = spec.text("sessionAffinity");
    let mut errors: Vec<_> = check::one_of("spec.sessionAffinity", affinity, &["ClientIP", "None"])
        .into_iter()
        .collect();
    let config = spec.get("sessionAffinityConfig");
    match (affinity, config) {
        ("None", Some(_)) => {
            errors.push(FieldError::forbidden(
                PATH,
                "must not be set when session affinity is None",
            ));
        }
        ("ClientIP", None) => errors.push(FieldError::required(PATH, WHEN)),
        ("ClientIP", Some(config)) => match present(config, "clientIP") {
            None => errors.push(FieldError::required(format!("{PATH}.clientIP"), WHEN)),
            Some(client) => {
                let path = format!("{PATH}.clientIP.timeoutSeconds");
                match present(client, "timeoutSeconds").and_then(Value::as_i64) {
                    None => errors.push(FieldError::required(path, WHEN)),
                    Some(1..=MAX_AFFINITY_SECONDS) => {}
                    Some(seconds) => {
                        let detail =
                            format!("must be greater than 0 and less than {MAX_AFFINITY_SECONDS}");
                        errors.push(FieldError::invalid(path, seconds, detail));
                    }
                }
            }
        },
        _ => {}
    }
    errors
}

/// `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` against each other.
pub(super) fn cluster_ips(spec: Spec<'_>) -> Vec<FieldError> {
    const PATH: &str = "spec.clusterIPs";
    if !spec.needs_cluster_ip() {
        return Vec::new();
    }
    let (ip, ips, families) = (spec.cluster_ip(), spec.cluster_ips(), spec.families());
    let whole = |detail: &str| FieldError::invalid(PATH, json!(ips), detail);
    let mut errors = Vec::new();
    match (ip, ips.first()) {
        ("", Some(_)) => errors.push(whole("must be empty when `clusterIP` is not specified")),
        ("", None) => {}
        (_, None) => errors.push(FieldError::required(PATH, "")),
        (ip, Some(first)) if *first != ip => {
            errors.push(whole("first value must match `clusterIP`"))
        }
        _ => {}
    }
    for (i, family) in families.iter().enumerate() {
        let path = format!("spec.ipFamilies[{i}]");
        if !FAMILIES.contains(family) {
            errors.push(FieldError::not_supported(&path, *family, FAMILIES));
        }
        if families[..i].contains(family) {
            errors.push(FieldError::duplicate(&path, *family));
        }
    }
    if let Some(policy) = spec.get("ipFamilyPolicy").and_then(Value::as_str)
        && !FAMILY_POLICIES.contains(&policy)
    {
        errors.push(FieldError::not_supported(
            "spec.ipFamilyPolicy",
            policy,
            FAMILY_POLICIES,
        ));
    }
    let mut addresses = Vec::new();
    let mut broken = false;
    for (i, value) in ips.iter().enumerate() {
        if i == 0 && *value == NONE {
            if ips.len() > 1 {
                broken = true;
                errors.push(whole("'None' must be the first and only value"));
            }
            continue;
        }
        match check::ip(&format!("{PATH}[{i}]"), value) {
            Ok(address) => addresses.push(address),
            Err(error) => {
                broken = true;
                errors.push(error);
            }
        }
    }
    if ips.len() > 2 {
        errors.push(whole("may only hold up to 2 values"));
    }
    if broken {
        return errors;
    }
    if ips.len() > 1
        && addresses
            .iter()
            .all(|address| address.is_ipv4() == addresses[0].is_ipv4())
    {
        errors.push(whole("may specify no more than one IP for each IP family"));
    }
    for (i, (address, family)) in addresses.iter().zip(&families).enumerate() {
        if FAMILIES.contains(family) && Family::of(*address).as_str() != *family {
            let detail = format!("expected an {family} value as indicated by `ipFamilies[{i}]`");
            errors.push(FieldError::invalid(format!("{PATH}[{i}]"), ips[i], detail));
        }
    }
    errors
}

/// Node ports and ports that collide inside the Service.
fn port_numbers(spec: Spec<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let number = |i: usize, key: &str| int(&spec.ports()[i], key);
    let protocol = |i: usize| text(&spec.ports()[i], "protocol");
    let all = 0..spec.ports().len();
    if spec.kind() == "ClusterIP" {
        for i in all.clone().filter(|i| number(*i, "nodePort") != 0) {
            let path = format!("spec.ports[{i}].nodePort");
            errors.push(FieldError::forbidden(
                path,
                "may not be used when `type` is 'ClusterIP'",
            ));
        }
    }
    let mut seen = BTreeSet::new();
    for i in all.clone().filter(|i| number(*i, "nodePort") != 0) {
        if !seen.insert((protocol(i), number(i, "nodePort"))) {
            errors.push(FieldError::duplicate(
                format!("spec.ports[{i}].nodePort"),
                number(i, "nodePort"),
            ));
        }
    }
    let mut seen = BTreeSet::new();
    for i in all {
        if !seen.insert((protocol(i), number(i, "port"))) {
            let shown = check::go_struct([
                ("Name", "".into()),
                ("Protocol", protocol(i).into()),
                ("AppProtocol", Value::Null),
                ("Port", number(i, "port").into()),
                ("TargetPort", 0.into()),
                ("NodePort", 0.into()),
            ]);
            let path = format!("spec.ports[{i}]");
            errors.push(FieldError::new(
                FieldErrorKind::Duplicate,
                path,
                None,
                shown,
            ));
        }
    }
    errors
}

/// Ranges may be padded with blanks; the older annotation counts where the field is empty.
fn source_ranges(service: &Object) -> Vec<FieldError> {
    let spec = Spec::of(service);
    let ranges = texts(spec.0, "loadBalancerSourceRanges");
    let mut errors = Vec::new();
    if !ranges.is_empty() {
        // The capital letter is upstream's.
        const PATH: &str = "spec.LoadBalancerSourceRanges";
        if !spec.is_load_balancer() {
            errors.push(FieldError::forbidden(PATH, ONLY_BALANCER));
        }
        let each = ranges.iter().enumerate();
        errors.extend(
            each.filter_map(|(i, range)| check::cidr(&format!("{PATH}[{i}]"), range.trim())),
        );
    } else if let Some((_, value)) = service.annotations().find(|(key, _)| *key == SOURCE_RANGES) {
        let path = format!("metadata.annotations[{SOURCE_RANGES}]");
        if !spec.is_load_balancer() {
            errors.push(FieldError::forbidden(&path, ONLY_BALANCER));
        }
        let each = value.split(',').filter(|_| !value.trim().is_empty());
        errors.extend(each.filter_map(|range| check::cidr(&path, range.trim())));
    }
    errors
}

fn balancer_fields(spec: Spec<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match (
        spec.is_load_balancer(),
        spec.get("allocateLoadBalancerNodePorts"),
    ) {
        (false, Some(_)) => {
            errors.push(FieldError::forbidden(
                "spec.allocateLoadBalancerNodePorts",
                ONLY_BALANCER,
            ));
        }
        (true, None) => errors.push(FieldError::required("allocateLoadBalancerNodePorts", "")),
        _ => {}
    }
    errors.extend(class(spec));
    errors
}

fn class(spec: Spec<'_>) -> Vec<FieldError> {
    const PATH: &str = "spec.loadBalancerClass";
    match spec.get("loadBalancerClass").and_then(Value::as_str) {
        Some(class) if spec.is_load_balancer() => check::qualified_name(PATH, class),
        Some(_) => vec![FieldError::forbidden(PATH, ONLY_BALANCER)],
        None => Vec::new(),
    }
}

fn external_traffic(spec: Spec<'_>) -> Vec<FieldError> {
    const POLICY: &str = "spec.externalTrafficPolicy";
    const HEALTH: &str = "spec.healthCheckNodePort";
    let policy = spec.text("externalTrafficPolicy");
    let mut errors = Vec::new();
    if spec.is_externally_accessible() {
        errors.extend(check::one_of(POLICY, policy, POLICIES));
    } else if !policy.is_empty() {
        errors.push(FieldError::invalid(
            POLICY,
            policy,
            "may only be set for externally-accessible services",
        ));
    }
    match (spec.needs_health_check(), spec.health_check_node_port()) {
        (true, 0) => errors.push(FieldError::required(HEALTH, "")),
        (true, port) => errors.extend(check::port(HEALTH, port)),
        (false, 0) => {}
        (false, port) => {
            let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.push(FieldError::invalid(HEALTH, port, detail));
        }
    }
    errors
}

pub(super) fn internal_traffic(spec: Spec<'_>) -> Option<FieldError> {
    const PATH: &str = "spec.internalTrafficPolicy";
    match spec.get("internalTrafficPolicy").and_then(Value::as_str) {
        None => {
            let needed = matches!(spec.kind(), "ClusterIP" | "NodePort" | "LoadBalancer");
            needed.then(|| FieldError::required(PATH, ""))
        }
        Some(policy) if POLICIES.contains(&policy) => None,
        Some(policy) => Some(FieldError::not_supported(PATH, policy, POLICIES)),
    }
}

/// What an update must not change.
pub(super) fn change(new: &Object, old: &Object) -> Vec<FieldError> {
    let (was, is) = (Spec::of(old), Spec::of(new));
    let mut errors = Vec::new();
    if was.needs_cluster_ip() && is.needs_cluster_ip() {
        if !(was.is_headless() && is.is_headless()) {
            errors.extend(listed(
                "clusterIPs",
                "clusterIP",
                &was.cluster_ips(),
                &is.cluster_ips(),
                is,
            ));
        }
        if !was.is_headless() && !is.is_headless() {
            errors.extend(listed(
                "ipFamilies",
                "ipFamily",
                &was.families(),
                &is.families(),
                is,
            ));
        }
    }
    if was.is_load_balancer() && is.is_load_balancer() {
        let class = |spec: Spec<'_>| spec.get("loadBalancerClass").cloned().unwrap_or_default();
        if class(was) != class(is) {
            errors.push(FieldError::invalid(
                "spec.loadBalancerClass",
                class(is),
                "may not change once set",
            ));
        }
    }
    // Upstream looks at the class both here and with the rest of the Service.
    errors.extend(self::class(is));
    let health = (was.health_check_node_port(), is.health_check_node_port());
    if was.needs_health_check() && is.needs_health_check() && health.0 != health.1 {
        errors.push(FieldError::forbidden(
            "spec.healthCheckNodePort",
            "field is immutable",
        ));
    }
    errors
}

/// The first of the list stays for ever; the second may come, and go with SingleStack.
fn listed(key: &str, one: &str, was: &[&str], is: &[&str], spec: Spec<'_>) -> Vec<FieldError> {
    let path = |i: usize| format!("spec.{key}[{i}]");
    let moved = |i: usize| FieldError::invalid(path(i), json!(is), "may not change once set");
    let mut errors = Vec::new();
    if was.len() == is.len() {
        let differs = was.iter().zip(is).enumerate().filter(|(_, (a, b))| a != b);
        return differs.map(|(i, _)| moved(i)).collect();
    }
    match (was.first(), is.first()) {
        (Some(_), None) => {
            errors.push(FieldError::invalid(
                path(0),
                json!(is),
                format!("primary {one} can not be unset"),
            ));
        }
        (Some(a), Some(b)) if a != b => errors.push(moved(0)),
        _ => {}
    }
    if is.len() == 1 && was.len() > 1 && spec.policy() != "SingleStack" {
        let detail = format!("must be set to 'SingleStack' when releasing the secondary {one}");
        errors.push(FieldError::invalid(
            "spec.ipFamilyPolicy",
            spec.policy(),
            detail,
        ));
    }
    errors
}

/// Where a load balancer takes traffic.
pub(super) fn points(service: &Object) -> &[Value] {
    let balancer = child(field(&service.0, "status"), "loadBalancer");
    list(balancer, "ingress")
}

/// What a load balancer may report. Addresses that were there before may stay as they are.
pub(super) fn status(service: &Object, old: &Object) -> Vec<FieldError> {
    const PATH: &str = "status.loadBalancer.ingress";
    let ingress = points(service);
    let known: Vec<&str> = points(old).iter().map(|item| text(item, "ip")).collect();
    if !Spec::of(service).is_load_balancer() && !ingress.is_empty() {
        return vec![FieldError::forbidden(
            PATH,
            "may only be used when `spec.type` is 'LoadBalancer'",
        )];
    }
    let mut errors = Vec::new();
    for (i, item) in ingress.iter().enumerate() {
        let at = |key: &str| format!("{PATH}[{i}].{key}");
        let (ip, hostname) = (text(item, "ip"), text(item, "hostname"));
        if !ip.is_empty() && !known.contains(&ip) {
            errors.extend(check::ip(&at("ip"), ip).err());
        }
        match (
            ip.is_empty(),
            present(item, "ipMode").and_then(Value::as_str),
        ) {
            (true, Some(_)) => {
                errors.push(FieldError::forbidden(
                    at("ipMode"),
                    "may not be specified when `ip` is not set",
                ));
            }
            (false, None) => errors.push(FieldError::required(
                at("ipMode"),
                "must be specified when `ip` is set",
            )),
            (false, Some("Proxy" | "VIP")) => {}
            (false, Some(mode)) => {
                let modes = &["Proxy", "VIP"];
                errors.push(FieldError::not_supported(at("ipMode"), mode, modes));
            }
            (true, None) => {}
        }
        if !hostname.is_empty() {
            errors.extend(check::subdomain(&at("hostname"), hostname));
            if check::loose_ip(hostname).is_some() {
                errors.push(FieldError::invalid(
                    at("hostname"),
                    hostname,
                    "must be a DNS name, not an IP address",
                ));
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests;
