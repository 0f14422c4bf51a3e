//! The machine: its name, its addresses, where it listens.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::mistake::{Mistake, mistake};

/// A Node's name is a DNS-1123 subdomain.
pub(super) fn node_name(given: Option<String>, hostname: &str) -> Result<String, Mistake> {
    let name = given.unwrap_or_else(|| hostname.to_ascii_lowercase());
    if is_subdomain(&name) {
        return Ok(name);
    }
    let detail = format!(
        "{name:?} cannot name a Node: give lower case letters, digits, '-' and '.', beginning and ending with a letter or digit"
    );
    Err(mistake("node-name", detail))
}

pub(super) fn is_subdomain(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

pub(super) fn node_ips(texts: &[String]) -> Result<Vec<IpAddr>, Mistake> {
    let mut ips: Vec<IpAddr> = Vec::new();
    for text in texts {
        let ip: IpAddr = text.trim().parse().map_err(|_| {
            mistake(
                "node-ip",
                format!("{text:?} is no address; give one such as 192.168.1.10"),
            )
        })?;
        if ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() {
            return Err(mistake(
                "node-ip",
                format!(
                    "{ip} cannot be reached from elsewhere; give an address of this machine on the LAN"
                ),
            ));
        }
        if ips.iter().any(|other| other.is_ipv4() == ip.is_ipv4()) {
            return Err(mistake(
                "node-ip",
                format!(
                    "{ip} is a second address of its family; give at most one IPv4 and one IPv6 address"
                ),
            ));
        }
        ips.push(ip);
    }
    Ok(ips)
}

pub(super) fn listen(texts: &[String]) -> Result<Vec<SocketAddr>, Mistake> {
    if texts.is_empty() {
        return Ok(vec![SocketAddr::from(([0, 0, 0, 0], 6443))]);
    }
    texts
        .iter()
        .map(|text| {
            text.trim()
                .parse()
                .map_err(|_| mistake("listen", format!("{text:?} is no address with a port; give one such as 0.0.0.0:6443 or [::]:6443")))
        })
        .collect()
}

pub(super) fn page(
    setting: &'static str,
    text: Option<&str>,
    default: ([u8; 4], u16),
) -> Result<Option<SocketAddr>, Mistake> {
    match text.map(str::trim) {
        None => Ok(Some(SocketAddr::from(default))),
        Some("none") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            let default = SocketAddr::from(default);
            let detail =
                format!("{text:?} is no address with a port; give one such as {default}, or none");
            mistake(setting, detail)
        }),
    }
}

pub(super) fn node_ports(text: &str) -> Result<RangeInclusive<u16>, Mistake> {
    let wrong = |why: &str| {
        mistake(
            "service-node-port-range",
            format!("{text:?} {why}; give FIRST-LAST such as 30000-32767"),
        )
    };
    let (first, last) = text.split_once('-').ok_or_else(|| wrong("is no range"))?;
    let first: u16 = first
        .trim()
        .parse()
        .map_err(|_| wrong("does not begin with a port"))?;
    let last: u16 = last
        .trim()
        .parse()
        .map_err(|_| wrong("does not end with a port"))?;
    if first == 0 || first > last {
        return Err(wrong("does not run upwards from 1"));
    }
    Ok(first..=last)
}

/// Ranges, or the word `primary` alone, as kube-proxy's `--nodeport-addresses`.
pub(super) fn node_port_addresses(texts: &[String]) -> Result<Vec<IpNet>, Mistake> {
    let wrong = |detail: String| Err(mistake("node-port-addresses", detail));
    if texts.iter().any(|text| text.trim() == "primary") {
        return match texts {
            [_] => Ok(Vec::new()),
            _ => wrong("primary stands alone; leave the ranges out, or the word".into()),
        };
    }
    let mut cidrs = Vec::new();
    for text in texts {
        let Ok(cidr) = text.trim().parse::<IpNet>() else {
            return wrong(format!(
                "{text:?} is no address range; give one such as 192.168.1.0/24, or primary"
            ));
        };
        if cidr.addr().is_loopback() {
            return wrong(format!(
                "{cidr} is loopback, where nf_tables cannot open node ports; give ranges of the machine's links"
            ));
        }
        cidrs.push(cidr);
    }
    Ok(cidrs)
}
