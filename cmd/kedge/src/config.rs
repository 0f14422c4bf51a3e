//! Settings made into a configuration that holds together, or into one line a mistake.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;
use kedge_machinery::{AddressRange, RangeError, names};
use kedge_proxy::{Masquerade, NodePorts, ProxyConfig};

use crate::config_dns::Dns;
use crate::dataplane::Pages;
use crate::settings::{Engine, Part, Plugin, Settings};

/// What the server runs with.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub data_dir: PathBuf,
    pub listen: Vec<SocketAddr>,
    pub node_name: String,
    /// At most one address a family; empty: taken from the host, live.
    pub node_ips: Vec<IpAddr>,
    /// One a family at most; the first is the primary family.
    pub service_cidrs: Vec<IpNet>,
    pub cluster_cidrs: Vec<IpNet>,
    pub node_ports: RangeInclusive<u16>,
    pub node_port_addresses: NodePorts,
    pub masquerade: Masquerade,
    /// Without a dot at either end.
    pub cluster_domain: String,
    pub cluster_dns: IpAddr,
    pub dns: Dns,
    pub lb_pools: Vec<AddressRange>,
    /// Served beside Services without a class.
    pub lb_class: Option<String>,
    pub pages: Pages,
    pub disable: Vec<Part>,
    pub enable_admission_plugins: Vec<Plugin>,
    pub disable_admission_plugins: Vec<Plugin>,
    pub engine: Engine,
    pub log_level: String,
}

/// A setting that cannot be: which, what it was, what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{setting}: {detail}")]
pub struct Mistake {
    setting: &'static str,
    detail: String,
}

pub fn mistake(setting: &'static str, detail: impl Into<String>) -> Mistake {
    Mistake {
        setting,
        detail: detail.into(),
    }
}

impl Config {
    /// Reads settings; `hostname` names the Node where they do not.
    ///
    /// # Errors
    /// The first setting that cannot be read, is out of its range or overlaps with another.
    pub fn resolve(settings: Settings, hostname: &str) -> Result<Self, Mistake> {
        let service_cidrs = networks("service-cidr", &settings.service_cidr, "10.43.0.0/16")?;
        let cluster_cidrs = networks("cluster-cidr", &settings.cluster_cidr, "10.42.0.0/16")?;
        for net in &service_cidrs {
            check_service_size(net)?;
        }
        let lb_pools = settings
            .lb_pool
            .iter()
            .map(|text| pool(text))
            .collect::<Result<Vec<_>, _>>()?;
        check_overlaps(&service_cidrs, &cluster_cidrs, &lb_pools)?;
        let dns = Dns::resolve(&settings)?;
        Ok(Self {
            data_dir: settings.data_dir.unwrap_or_else(|| "/var/lib/kedge".into()),
            listen: listen(&settings.listen)?,
            node_name: node_name(settings.node_name, hostname)?,
            node_ips: node_ips(&settings.node_ip)?,
            node_ports: node_ports(
                settings
                    .service_node_port_range
                    .as_deref()
                    .unwrap_or("30000-32767"),
            )?,
            node_port_addresses: NodePorts {
                cidrs: node_port_addresses(&settings.node_port_addresses)?,
                guarded: settings.node_port_source_ranges,
            },
            masquerade: if settings.masquerade_all {
                Masquerade::All
            } else {
                Masquerade::OffCluster
            },
            cluster_domain: cluster_domain(
                settings
                    .cluster_domain
                    .as_deref()
                    .unwrap_or("cluster.local"),
            )?,
            cluster_dns: cluster_dns(settings.cluster_dns.as_deref(), &service_cidrs)?,
            dns,
            service_cidrs,
            cluster_cidrs,
            lb_pools,
            lb_class: settings.lb_class.map(lb_class).transpose()?,
            pages: Pages {
                healthz: page(
                    "healthz-bind-address",
                    settings.healthz_bind_address.as_deref(),
                    ([0, 0, 0, 0], 10256),
                )?,
                metrics: page(
                    "metrics-bind-address",
                    settings.metrics_bind_address.as_deref(),
                    ([127, 0, 0, 1], 10249),
                )?,
            },
            disable: settings.disable,
            enable_admission_plugins: settings.enable_admission_plugins,
            disable_admission_plugins: settings.disable_admission_plugins,
            engine: settings.store.unwrap_or(Engine::Sled),
            log_level: settings.log_level.unwrap_or_else(|| "info".into()),
        })
    }

    /// What the proxy is told.
    #[must_use]
    pub fn proxy(&self) -> ProxyConfig {
        ProxyConfig {
            node_name: self.node_name.clone(),
            service_cidrs: self.service_cidrs.clone(),
            cluster_cidrs: self.cluster_cidrs.clone(),
            masquerade: self.masquerade,
            node_ports: self.node_port_addresses.clone(),
        }
    }

    /// True when a part was not disabled.
    #[must_use]
    pub fn has(&self, part: Part) -> bool {
        !self.disable.contains(&part)
    }

    /// True for an admission plugin that is usual or enabled, and not disabled.
    #[must_use]
    pub fn admits(&self, plugin: Plugin) -> bool {
        (plugin.is_usual() || self.enable_admission_plugins.contains(&plugin))
            && !self.disable_admission_plugins.contains(&plugin)
    }
}

fn networks(setting: &'static str, texts: &[String], default: &str) -> Result<Vec<IpNet>, Mistake> {
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
fn check_service_size(net: &IpNet) -> Result<(), Mistake> {
    let host_bits = net.max_prefix_len() - net.prefix_len();
    match host_bits {
        0..=3 => Err(mistake(
            "service-cidr",
            format!("{net} has fewer than 16 addresses; give a larger range, such as a /16"),
        )),
        4.. => Ok(()),
    }
}

fn pool(text: &str) -> Result<AddressRange, Mistake> {
    text.trim()
        .parse()
        .map_err(|error: RangeError| mistake("lb-pool", error.to_string()))
}

/// A class is written as label keys are.
fn lb_class(name: String) -> Result<String, Mistake> {
    match names::qualified_name(&name).into_iter().next() {
        None => Ok(name),
        Some(why) => {
            let detail = format!("{name:?} is no class: {why}; give one such as example.com/lan");
            Err(mistake("lb-class", detail))
        }
    }
}

fn check_overlaps(
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

fn listen(texts: &[String]) -> Result<Vec<SocketAddr>, Mistake> {
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

fn page(
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

/// A Node's name is a DNS-1123 subdomain.
fn node_name(given: Option<String>, hostname: &str) -> Result<String, Mistake> {
    let name = given.unwrap_or_else(|| hostname.to_ascii_lowercase());
    if is_subdomain(&name) {
        return Ok(name);
    }
    let detail = format!(
        "{name:?} cannot name a Node: give lower case letters, digits, '-' and '.', beginning and ending with a letter or digit"
    );
    Err(mistake("node-name", detail))
}

fn is_subdomain(name: &str) -> bool {
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

fn node_ips(texts: &[String]) -> Result<Vec<IpAddr>, Mistake> {
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

fn node_ports(text: &str) -> Result<RangeInclusive<u16>, Mistake> {
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
fn node_port_addresses(texts: &[String]) -> Result<Vec<IpNet>, Mistake> {
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

fn cluster_domain(text: &str) -> Result<String, Mistake> {
    let domain = text.trim_matches('.').to_ascii_lowercase();
    if is_subdomain(&domain) {
        return Ok(domain);
    }
    Err(mistake(
        "cluster-domain",
        format!("{text:?} is no DNS domain; give one such as cluster.local"),
    ))
}

fn cluster_dns(text: Option<&str>, services: &[IpNet]) -> Result<IpAddr, Mistake> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(yaml: &str) -> Result<Config, String> {
        let settings: Settings = if yaml.is_empty() {
            Settings::default()
        } else {
            serde_saphyr::from_str(yaml).unwrap()
        };
        Config::resolve(settings, "Edge-1").map_err(|e| e.to_string())
    }

    #[test]
    fn defaults_stand_on_their_own() {
        let config = resolve("").unwrap();
        assert_eq!(config.cluster_dns, "10.43.0.10".parse::<IpAddr>().unwrap());
        assert_eq!(config.node_name, "edge-1");
        assert_eq!(config.node_ports, 30000..=32767);
        assert_eq!(config.listen, ["0.0.0.0:6443".parse().unwrap()]);
    }

    #[test]
    fn two_families() {
        let config = resolve("service-cidr: 10.96.0.0/12,fd00:43::/112\ncluster-cidr: [10.42.0.0/16, 'fd00:42::/56']").unwrap();
        assert_eq!(config.service_cidrs.len(), 2);
        assert_eq!(config.cluster_dns, "10.96.0.10".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn pools_are_ranges_cidrs_and_addresses() {
        let config =
            resolve("lb-pool: [192.168.1.240-192.168.1.250, 192.168.2.0/29, 'fd00::5']").unwrap();
        let shown: Vec<String> = config.lb_pools.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "192.168.1.240-192.168.1.250",
                "192.168.2.0-192.168.2.7",
                "fd00::5"
            ]
        );
    }

    #[test]
    fn each_mistake_says_which_setting_and_what_to_do() {
        for (yaml, words) in [
            (
                "service-cidr: 10.43.0.0",
                "service-cidr: \"10.43.0.0\" is no address range; give one such as",
            ),
            ("service-cidr: 10.43.0.1/16", "did you mean 10.43.0.0/16?"),
            ("service-cidr: 10.43.0.0/30", "fewer than 16 addresses"),
            (
                "service-cidr: [10.43.0.0/16, 10.44.0.0/16]",
                "second range of its family",
            ),
            (
                "service-cidr: 10.42.128.0/17",
                "overlaps with cluster-cidr 10.42.0.0/16",
            ),
            (
                "lb-pool: 10.43.1.0/24",
                "lb-pool: 10.43.1.0-10.43.1.255 overlaps with service-cidr 10.43.0.0/16",
            ),
            ("lb-class: a b", "lb-class: \"a b\" is no class"),
            (
                "lb-pool: [192.168.1.1-192.168.1.9, 192.168.1.5]",
                "overlaps with 192.168.1.1-192.168.1.9",
            ),
            ("lb-pool: 192.168.1.9-192.168.1.1", "ends before it begins"),
            (
                "lb-pool: somewhere",
                "lb-pool: \"somewhere\" is not an address pool: give a range",
            ),
            (
                "listen: '6443'",
                "listen: \"6443\" is no address with a port",
            ),
            ("node-ip: 127.0.0.1", "cannot be reached from elsewhere"),
            (
                "node-ip: [192.0.2.1, 192.0.2.2]",
                "second address of its family",
            ),
            ("node-name: Edge_1", "cannot name a Node"),
            (
                "node-port-addresses: 127.0.0.0/8",
                "node-port-addresses: 127.0.0.0/8 is loopback",
            ),
            (
                "node-port-addresses: [primary, 10.0.0.0/8]",
                "primary stands alone",
            ),
            (
                "node-port-addresses: lan",
                "node-port-addresses: \"lan\" is no address range",
            ),
            (
                "healthz-bind-address: '10256'",
                "healthz-bind-address: \"10256\" is no address with a port; give one such as 0.0.0.0:10256, or none",
            ),
            (
                "service-node-port-range: 32767-30000",
                "does not run upwards",
            ),
            ("service-node-port-range: 30000", "is no range"),
            (
                "cluster-dns: 10.44.0.10",
                "is not in service-cidr 10.43.0.0/16",
            ),
            ("cluster-domain: 'a..b'", "is no DNS domain"),
        ] {
            let error = resolve(yaml).unwrap_err();
            assert!(error.contains(words), "{yaml}: {error}");
        }
    }
}
