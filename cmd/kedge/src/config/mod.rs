//! Settings made into a configuration that holds together, or into one line a mistake.

mod dns;
mod mistake;
mod node;
mod ranges;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;
use kedge_machinery::{AddressRange, names};
use kedge_proxy::{Masquerade, NodePorts, ProxyConfig};

pub use dns::Dns;
pub use mistake::{Mistake, mistake};
pub use ranges::{check_networks, nth};

use node::{is_subdomain, listen, node_ips, node_name, node_port_addresses, node_ports, page};
use ranges::{check_overlaps, check_service_size, cluster_dns, networks, pool};

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
        let node_ips = node_ips(&settings.node_ip)?;
        let own: Vec<IpNet> = node_ips.iter().map(|ip| IpNet::from(*ip)).collect();
        check_networks(&service_cidrs, &own)?;
        let dns = Dns::resolve(&settings)?;
        Ok(Self {
            data_dir: settings.data_dir.unwrap_or_else(|| "/var/lib/kedge".into()),
            listen: listen(&settings.listen)?,
            node_name: node_name(settings.node_name, hostname)?,
            node_ips,
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
                "node-ip: 10.43.0.5",
                "service-cidr: 10.43.0.0/16 has 10.43.0.5, an address of this machine itself",
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
