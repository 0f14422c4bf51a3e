//! Ranges of addresses: those of Services, Pods and load balancers, and what is in them.

use std::net::IpAddr;

use ipnet::IpNet;
use kedge_machinery::{AddressRange, Clash, RangeError};

use super::mistake::{Mistake, mistake};

pub(super) fn networks(
    setting: &'static str,
    texts: &[String],
    default: &str,
) -> Result<Vec<IpNet>, Mistake> {
    if texts.is_empty() {
        return networks(setting, &[default.to_string()], default);
    }
    let mut nets: Vec<IpNet> = Vec::new();
    for text in texts {
        let net: IpNet = text.trim().parse().map_err(|_| {
            mistake(
                setting,
                format!("{text:?} is no address range; give one such as {default}"),
            )
        })?;
        if net.trunc() != net {
            return Err(mistake(
                setting,
                format!(
                    "{net} has bits set beyond its mask; did you mean {}?",
                    net.trunc()
                ),
            ));
        }
        if nets
            .iter()
            .any(|other| other.addr().is_ipv4() == net.addr().is_ipv4())
        {
            return Err(mistake(
                setting,
                format!(
                    "{net} is a second range of its family; give at most one IPv4 and one IPv6 range"
                ),
            ));
        }
        nets.push(net);
    }
    Ok(nets)
}

/// kube-apiserver bounds the size of the range too (`--service-cluster-ip-range`).
pub(super) fn check_service_size(net: &IpNet) -> Result<(), Mistake> {
    let host_bits = net.max_prefix_len() - net.prefix_len();
    match host_bits {
        0..=3 => Err(mistake(
            "service-cidr",
            format!("{net} has fewer than 16 addresses; give a larger range, such as a /16"),
        )),
        4.. => Ok(()),
    }
}

pub(super) fn pool(text: &str) -> Result<AddressRange, Mistake> {
    text.trim()
        .parse()
        .map_err(|error: RangeError| mistake("lb-pool", error.to_string()))
}

pub(super) fn check_overlaps(
    services: &[IpNet],
    pods: &[IpNet],
    pools: &[AddressRange],
) -> Result<(), Mistake> {
    for service in services {
        if let Some(pod) = pods
            .iter()
            .find(|pod| pod.contains(service) || service.contains(*pod))
        {
            let detail = format!(
                "{service} overlaps with cluster-cidr {pod}; choose ranges that share no address"
            );
            return Err(mistake("service-cidr", detail));
        }
    }
    for (i, pool) in pools.iter().enumerate() {
        let named = services
            .iter()
            .map(|net| ("service-cidr", net))
            .chain(pods.iter().map(|net| ("cluster-cidr", net)));
        for (name, net) in named {
            if pool.overlaps_net(net) {
                let detail =
                    format!("{pool} overlaps with {name} {net}; choose addresses of the LAN");
                return Err(mistake("lb-pool", detail));
            }
        }
        if let Some(other) = pools[..i].iter().find(|other| other.overlaps(pool)) {
            return Err(mistake(
                "lb-pool",
                format!("{pool} overlaps with {other}; name each address once"),
            ));
        }
    }
    Ok(())
}

/// Refuses a range of Services that has an address of this machine: whoever is beside it on the LAN, its router too, could not be
/// reached any more. `own`: the machine's addresses, each with the length of its network's prefix.
///
/// # Errors
/// The first such range.
pub fn check_networks(services: &[IpNet], own: &[IpNet]) -> Result<(), Mistake> {
    let clashes = services.iter().map(|range| (range, Clash::of(range, own)));
    for (range, clash) in clashes {
        match clash {
            Some(clash) if clash.is_fatal() => {
                let detail = format!(
                    "{range} {clash}, whose neighbours could not be reached any more; choose a range that no network here uses"
                );
                return Err(mistake("service-cidr", detail));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn cluster_dns(text: Option<&str>, services: &[IpNet]) -> Result<IpAddr, Mistake> {
    let Some(text) = text else {
        return services
            .first()
            .and_then(|net| nth(net, 10))
            .ok_or_else(|| mistake("cluster-dns", "there is no service-cidr to take it from"));
    };
    let ip: IpAddr = text.trim().parse().map_err(|_| {
        mistake(
            "cluster-dns",
            format!("{text:?} is no address; give one such as 10.43.0.10"),
        )
    })?;
    if !services.iter().any(|net| net.contains(&ip)) {
        let nets = services
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        return Err(mistake(
            "cluster-dns",
            format!("{ip} is not in service-cidr {nets}; give an address in it"),
        ));
    }
    Ok(ip)
}

/// The `n`th address of a range.
#[must_use]
pub fn nth(net: &IpNet, n: u32) -> Option<IpAddr> {
    let ip = match net.network() {
        IpAddr::V4(first) => IpAddr::V4(u32::from(first).checked_add(n)?.into()),
        IpAddr::V6(first) => IpAddr::V6(u128::from(first).checked_add(n.into())?.into()),
    };
    net.contains(&ip).then_some(ip)
}
